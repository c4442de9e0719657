"""The simple learner that goes with a trained encoder: a floor under what it knows, and its voice where it knows nothing.

It is fitted on the train examples alone, and how far it is listened to beside the encoder is settled on the dev examples, which
neither has learned from; see `beside` for what becomes of these afterwards. Source: stacked generalization, Wolpert 1992.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from encoder.config import EncoderConfig
from encoder.errors import BadExamples
from encoder.examples import Example
from encoder.network.hub import resolve
from encoder.simple.deep import LEAST_POSTS, View, drawn, most_words
from encoder.simple.features import FeatureCache, PostFeatures
from encoder.simple.files import load_learner
from encoder.simple.learner import Given, SimpleLearner
from storage.records import Criterion, Post

if TYPE_CHECKING:
    from encoder.predict import Predictor

_READING = 0.6
"""The share of reading the posts in the time that a learner with vectors takes."""


def fit_learner(
    train: Sequence[Example],
    criteria: Sequence[Criterion],
    *,
    predictor: Predictor | None = None,
    cache: FeatureCache | None = None,
    on_progress: Callable[[float], None] = lambda done: None,
    log: Callable[[str], None] = lambda line: None,
) -> SimpleLearner | None:
    """What the train examples teach by themselves; None where there is too little to learn from. on_progress: told after every post
    and criterion how much is done, 0 to 1; what it raises comes through.

    predictor: of an encoder whose lower layers were not trained on them, for its vectors of their posts, which is what takes time.
    """
    cache = FeatureCache() if cache is None else cache
    views: dict[str, View] = {}
    read = 0.0
    if predictor is not None and criteria:
        views = views_to_learn_from(
            train, predictor, cache.of, len(criteria), on_progress=lambda done: on_progress(_READING * done)
        )
        log(_drawn_in_words(len(views), len(train)))
        read = _READING
    try:
        return SimpleLearner.fit(
            train, criteria, views=views, cache=cache, on_progress=lambda done: on_progress(read + (1 - read) * done)
        )
    except BadExamples:
        return None


def joined(one: SimpleLearner | None, other: SimpleLearner | None) -> SimpleLearner | None:
    """What both learned; of a criterion that both did, the other."""
    fits = {**(one.fits if one else {}), **(other.fits if other else {})}
    return SimpleLearner(fits) if fits else None


def with_earlier(
    base: str | Path,
    learned: SimpleLearner | None,
    config: EncoderConfig,
    *,
    same_layers: bool = False,
    as_measured: bool = False,
) -> SimpleLearner | None:
    """What was learned, and what the base's own learner knows of criteria that neither it nor the encoder does: these will be asked
    for again.

    config: of the encoder as it is now; what was settled beside an earlier one of criteria that it knows does not hold any more.
    same_layers: whether its layers are the base's, so that their vectors still mean the same. as_measured: as in `load_learner`.
    """
    earlier = load_learner(resolve(base), as_measured=as_measured)
    if earlier is not None:
        earlier = earlier.of([key for key in earlier.fits if not config.knows(key)])
        earlier = earlier if same_layers else earlier.without_vectors(earlier.fits.keys())
    return joined(earlier, learned)


def _drawn_in_words(count: int, posts: int) -> str:
    if not count:
        return f"No encoder's vectors are learned from: fewer than {LEAST_POSTS} posts are there and short enough."
    return f"The encoder's vectors are learned from {count} of {posts} posts, the n-grams from all."


def views_to_learn_from(
    examples: Sequence[Example],
    predictor: Predictor,
    features: Callable[[Post], PostFeatures],
    criteria: int,
    *,
    on_progress: Callable[[float], None] = lambda done: None,
) -> dict[str, View]:
    """The encoder's vectors of as many of the posts as can be learned from for so many criteria, by post id."""
    places = drawn([len(features(e.post).words) for e in examples], most_words(criteria))
    found = {}
    for number, place in enumerate(places):
        on_progress(number / len(places))
        post = examples[place].post
        found[post.id] = predictor.viewer.view(post, features(post))
    return found


def settled_beside(
    predictor: Predictor,
    learner: SimpleLearner,
    dev: Sequence[Example],
    criteria: Sequence[Criterion],
    *,
    trusted: Sequence[str],
) -> SimpleLearner:
    """The learner as it is to speak beside the predictor's encoder. trusted: criteria that the encoder knew before.

    What it learned of criteria that the encoder does not know stays as it is: nothing is said beside it.
    """
    beside = learner.of([key for key in learner.fits if predictor.config.knows(key)])
    sees = any(beside.sees(c.id) for c in criteria)
    views = {e.post.id: predictor.viewer.view(e.post, learner.features(e.post)) for e in dev} if sees else None
    settled = beside.settled_on(dev, given_logits(predictor, dev, criteria), trusted=trusted, views=views)
    rest = {key: fit for key, fit in learner.fits.items() if key not in beside.fits}
    return SimpleLearner({**rest, **settled.fits})


def given_logits(predictor: Predictor, examples: Sequence[Example], criteria: Sequence[Criterion]) -> Given:
    """The encoder's logits for the sentences of the examples' posts, for the criteria that it knows."""
    known = [c for c in criteria if predictor.config.knows(c.id)]
    found: dict[str, dict[str, object]] = {}
    posts = [e.post for e in examples]
    if not known:
        return {}
    for post, scores in zip(posts, predictor.iter_scores(posts, known), strict=True):
        logits = {c.id: predictor.given(scores, column) for column, c in enumerate(known)}
        found[post.id] = {key: value for key, value in logits.items() if value is not None}
    return found  # type: ignore[return-value]
