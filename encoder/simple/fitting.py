"""Fits the simple learner for one criterion: strength by cross-validation, calibration and passages on answers held out.

Posts are dealt to folds, those with evidence evenly; whatever is chosen (strength, threshold, how bold the passages are, how
sure a score is) is chosen on posts that the weights in question have not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from encoder.likeness import rank
from encoder.measure.calibrate import Calibrated, fit_thresholds
from encoder.measure.metrics import (
    Bools,
    Floats,
    Ints,
    precision_recall_f1,
    sentence_is_evidence,
)
from encoder.simple.deep import LEAST_POSTS, Answers, Deep, View, fit_deep
from encoder.simple.deep import fit_again as fit_deep_again
from encoder.simple.features import PostFeatures
from encoder.simple.logistic import Linear, fit_around, fit_binary, fit_tags, log_loss, log_softmax
from encoder.simple.marking import STACK_STRENGTH, Passages, decoded, fit_passages
from encoder.simple.passages import BEGIN, TAGS, characters, tags_of, word_ranges
from encoder.simple.rows import Ids, used_columns
from encoder.simple.tried import Reviewed, Tried
from encoder.simple.units import Unit, UnitChoice
from encoder.simple.vectors import SENTENCE_BLOCKS, WORD_BLOCKS, WithVectors, table_of

FOLDS = 3
LEAST_GAIN = 1.0
"""Nats, over all answers, that a learner has to be ahead of what is there without it."""
SENTENCE_STRENGTHS = (1.0, 5.0, 25.0)
WORD_STRENGTH = 5.0
STACK_PRIOR = np.array([0.0, 0.4, 0.6, 0.0])
GIVEN_PRIOR = np.array([1.0, 0.0, 0.0, 0.0])
LEAST_RANKED = 3
"""Gold sentences from which on the order of the sentences is judged."""
SHOWN_FROM = 0.35
"""Where the threshold begins beside a model that knows the criterion: few answers move it little."""


@dataclass(frozen=True, slots=True)
class Settled:
    """How what was learned becomes an answer.

    stack: weights of the given logit, the sentence's own, its best word's and the bias, which make a sentence's calibrated
    logit. threshold: probability from which a sentence is shown. held_out_loss: nats per sentence of the calibrated logits on
    posts not learned from; given_loss: of the given logits alone, calibrated on the same answers, or of the share of evidence
    where none are given. marks_hold: what is shown is no worse on these posts than what the other model shows. ranks: no other
    model knows the criterion, and sentences of evidence stand above others on posts not learned from, beyond chance.
    """

    choice: UnitChoice
    stack: Floats
    passages: Passages
    threshold: float
    posts: int
    positives: int
    sentences: int
    held_out_loss: float
    given_loss: float
    marks_hold: bool = True
    ranks: bool = False

    @property
    def helps(self) -> bool:
        """True while it says more about posts that it has not seen than what is there without it, beyond chance.

        Where nothing else is there, an order of the sentences is worth something before their chances are right.
        """
        gain = (self.given_loss - self.held_out_loss) * self.sentences
        return self.marks_hold and (self.ranks or gain > LEAST_GAIN)


@dataclass(frozen=True, slots=True)
class CriterionFit:
    """What was learned for one criterion.

    sentence, words: weights of the buckets in sentence_columns and word_columns, both sorted, and after them of the words' vectors.
    deep: what an encoder's vectors add to them; alone: how these weights become an answer without an encoder's, None where there
    is none.
    """

    sentence_columns: Ids
    sentence: Linear
    word_columns: Ids
    words: Linear
    strength: float
    settled: Settled
    deep: Deep | None = None
    alone: Settled | None = None

    def reads(self, view: View | None) -> bool:
        """Whether it was learned on vectors such as these."""
        return view is not None and self.deep is not None and view.words.shape[1] == len(self.deep.words.weights)

    def without_vectors(self) -> CriterionFit:
        """What the n-grams learned by themselves."""
        return self if self.alone is None else replace(self, settled=self.alone, deep=None, alone=None)


@dataclass(frozen=True, slots=True)
class _Table:
    """All reviewed posts of a criterion as matrices; *_post: the number of the post that each row belongs to."""

    sentences: WithVectors
    gold: Bools
    sentence_post: Ints
    words: WithVectors
    tags: Ints
    word_post: Ints


def fit_criterion(reviewed: Sequence[Reviewed], choice: UnitChoice) -> CriterionFit | None:
    """What the reviewed posts teach; None while one of the two answers is missing."""
    table, sentence_columns, word_columns = _tabled(reviewed)
    if not table.gold.any() or table.gold.all():
        return None
    strength, held_out = _held_out(reviewed, table)
    alone = settle(held_out.tried(reviewed, table), choice)
    deep, both = _with_vectors(reviewed, table, held_out)
    return CriterionFit(
        sentence_columns=sentence_columns,
        sentence=fit_binary(table.sentences, table.gold, strength=strength),
        word_columns=word_columns,
        words=fit_tags(table.words, table.tags, TAGS, strength=WORD_STRENGTH),
        strength=strength,
        settled=alone if deep is None else settle(both.tried(reviewed, table), choice),
        deep=deep,
        alone=None if deep is None else alone,
    )


def fit_again(fit: CriterionFit, reviewed: Sequence[Reviewed]) -> CriterionFit | None:
    """The criterion fitted on these posts, which come to those of before, in the same unit; None while one of the two answers is missing.

    With an encoder's vectors only the weights are new: folds of a few posts more may choose otherwise where evidence is rare.
    """
    if fit.deep is None:
        return fit_criterion([replace(r, view=None) for r in reviewed], fit.settled.choice)
    table, sentence_columns, word_columns = _tabled(reviewed)
    deep, kept = fit.deep, [r.view for r in reviewed if r.view is not None]
    if kept:
        seen = np.array([r.view is not None for r in reviewed], np.bool_)
        deep = fit_deep_again(
            deep,
            (np.concatenate([v.sentences for v in kept]), table.gold[seen[table.sentence_post]]),
            (np.concatenate([v.words for v in kept]), table.tags[seen[table.word_post]]),
        )
    return replace(
        fit,
        sentence_columns=sentence_columns,
        sentence=fit_binary(table.sentences, table.gold, strength=fit.strength),
        word_columns=word_columns,
        words=fit_tags(table.words, table.tags, TAGS, strength=WORD_STRENGTH),
        settled=replace(fit.settled, posts=len(reviewed), positives=int(table.gold.sum())),
        deep=deep,
    )


def held_out_logits(reviewed: Sequence[Reviewed]) -> list[Floats] | None:
    """Calibrated logits of each post's sentences by what was learned from other posts; None while one of the two answers is missing."""
    table, _, _ = _tabled(reviewed)
    if not table.gold.any() or table.gold.all():
        return None
    tried = _held_out(reviewed, table)[1].tried(reviewed, table)
    stacked = np.concatenate([t.stacked for t in tried])
    prior = GIVEN_PRIOR if stacked[:, 0].any() else STACK_PRIOR
    logits = _stacked_held_out(stacked, table.gold, table.sentence_post % FOLDS, prior)
    return np.split(logits, np.cumsum([len(t.gold) for t in tried])[:-1])


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """What weights say of posts that they have not seen: logits of the sentences, (sentences,), log probabilities, (words, TAGS).
    fold: of each post, (posts,).
    """

    own: Floats
    tag_scores: Floats
    fold: Ints

    def tried(self, reviewed: Sequence[Reviewed], table: _Table) -> list[Tried]:
        return [
            Tried.of(r, self.own[table.sentence_post == n], self.tag_scores[table.word_post == n])
            for n, r in enumerate(reviewed)
        ]


def _held_out(reviewed: Sequence[Reviewed], table: _Table) -> tuple[float, _HeldOut]:
    """The strength that suits the posts best, and what each is answered by n-grams' weights that have not seen it."""
    fold = _folds(np.array([r.label.has_evidence for r in reviewed], np.bool_))
    strength, own = _sentence_logits(table, fold)
    return strength, _HeldOut(own, _tag_scores(table, fold), fold)


def _with_vectors(reviewed: Sequence[Reviewed], table: _Table, held_out: _HeldOut) -> tuple[Deep | None, _HeldOut]:
    """What vectors add to the n-grams, and what both say of posts that they have not seen; None where they add nothing."""
    views = [r.view for r in reviewed]
    kept = [v for v in views if v is not None]
    if len(kept) < LEAST_POSTS:
        return None, held_out
    seen = np.array([v is not None for v in views], np.bool_)
    s, w, fold = seen[table.sentence_post], seen[table.word_post], held_out.fold
    own, tag_scores = held_out.own.copy(), held_out.tag_scores.copy()
    deep, own[s], tag_scores[w] = fit_deep(
        Answers(np.concatenate([v.sentences for v in kept]), table.gold[s], fold[table.sentence_post[s]], own[s]),
        Answers(np.concatenate([v.words for v in kept]), table.tags[w], fold[table.word_post[w]], tag_scores[w]),
    )
    return deep, _HeldOut(own, tag_scores, fold)


def settle(
    tried: Sequence[Tried],
    choice: UnitChoice,
    *,
    trusted: bool = True,
    passages: Passages | None = None,
    most: int | None = None,
) -> Settled:
    """How the parts are put together, from what was answered about posts before they were learned from.

    trusted: the given logits are of a model that knows the criterion well, so that little speaks against it until much does.
    passages: how bold to be; None to find it out, which takes most of the time, on the last `most` posts.
    """
    fresh = [t for t in tried if t.reviewed.fresh] or list(tried)
    gold = np.concatenate([t.gold for t in fresh])
    stacked = np.concatenate([t.stacked for t in fresh])
    given = stacked[:, 0]
    post = np.repeat(np.arange(len(fresh)), [len(t.gold) for t in fresh])
    prior = GIVEN_PRIOR if trusted and given.any() else STACK_PRIOR
    held_out = _stacked_held_out(stacked, gold, post % FOLDS, prior)
    alone = _stacked_held_out(stacked[:, :1], gold, post % FOLDS, np.array([1.0, 0.0]))
    if passages is None:
        logits = np.split(held_out, np.cumsum([len(t.gold) for t in fresh])[:-1])
        passages = fit_passages(fresh[-most:], logits[-most:]) if most else fit_passages(fresh, logits)
    start = Calibrated(1.0, {"": SHOWN_FROM}, SHOWN_FROM) if trusted and given.any() else None
    thresholds, default = fit_thresholds({"": expit(held_out)}, {"": gold}, start=start)
    threshold = thresholds.get("", default)
    return Settled(
        choice=choice,
        stack=fit_around(stacked, gold, around=prior, strength=STACK_STRENGTH),
        passages=passages,
        threshold=threshold,
        posts=len(tried),
        positives=int(sum(t.gold.sum() for t in tried)),
        sentences=len(gold),
        held_out_loss=log_loss(held_out, gold),
        given_loss=log_loss(alone, gold) if given.any() else base_rate_loss(gold, post % FOLDS),
        marks_hold=_marks_hold(fresh[-most:] if most else fresh, held_out, choice, passages, threshold),
        ranks=not given.any() and _ranks(stacked, gold),
    )


def _ranks(stacked: Floats, gold: Bools) -> bool:
    """Whether sentences of evidence stand above others, beyond chance.

    By weights that are the same for all: those fitted for each fold have biases of their own, lower for the posts with evidence, so that
    a good order looked like one below chance.
    """
    order = rank([stacked @ STACK_PRIOR[:-1]], [gold], least=LEAST_RANKED)
    return order is not None and order.beats_chance


def _marks_hold(
    tried: Sequence[Tried], held_out: Floats, choice: UnitChoice, passages: Passages, threshold: float
) -> bool:
    """Whether the sentences that would be shown of these posts have at least the F1 of those that the other model shows.

    held_out: logits of all sentences, those of `tried` the last of them. True where another model shows nothing of its own.
    """
    counts = np.zeros((2, 3))
    at = len(held_out) - sum(len(t.gold) for t in tried)
    logits = np.split(held_out[at:], np.cumsum([len(t.gold) for t in tried])[:-1])
    compared = [(t, own) for t, own in zip(tried, logits, strict=True) if t.reviewed.marked is not None]
    if choice.unit is Unit.PASSAGE:
        tags = decoded([t for t, _ in compared], [own for _, own in compared], passages.setting)
        ours_shown = [
            _sentences_of(t.reviewed.features, chosen[0]) for (t, _), chosen in zip(compared, tags, strict=True)
        ]
    else:
        ours_shown = [expit(own) >= threshold for _, own in compared]
    for (one, _), shown in zip(compared, ours_shown, strict=True):
        assert one.reviewed.marked is not None
        for row, marks in enumerate((shown, one.reviewed.marked)):
            counts[row] += (marks & one.gold).sum(), (marks & ~one.gold).sum(), (~marks & one.gold).sum()
    ours, theirs = precision_recall_f1(*counts.T)[2]
    return bool(ours >= theirs)


def _sentences_of(features: PostFeatures, tags: Ints) -> Bools:
    """Which sentences the tagged passages are in."""
    spans = [characters(features.words, r) for r in word_ranges(tags)]
    return np.array([sentence_is_evidence(s, spans) for s in features.sentences], np.bool_)


def base_rate_loss(gold: Bools, fold: Ints) -> float:
    """Nats per answer of always saying the share of evidence in the other folds."""
    logits = np.zeros(len(gold))
    for number in range(FOLDS):
        rest = gold[fold != number]
        share = (rest.sum() + 1) / (len(rest) + 2)
        logits[fold == number] = np.log(share / (1 - share))
    return log_loss(logits, gold)


def _tabled(reviewed: Sequence[Reviewed]) -> tuple[_Table, Ids, Ids]:
    """The posts as matrices, and the buckets that the columns of their sentences and words stand for."""
    sentence_columns = used_columns([r.features.sentence_rows for r in reviewed])
    word_columns = used_columns([r.features.word_rows for r in reviewed], least=2)
    counts = [len(r.features.sentences) for r in reviewed]
    words = [len(r.features.words) for r in reviewed]
    table = _Table(
        table_of([r.features.sentence_rows for r in reviewed], sentence_columns, SENTENCE_BLOCKS),
        np.concatenate([r.gold for r in reviewed]),
        np.repeat(np.arange(len(reviewed)), counts),
        table_of([r.features.word_rows for r in reviewed], word_columns, WORD_BLOCKS),
        np.concatenate([tags_of(r.features.words, r.label.spans) for r in reviewed]),
        np.repeat(np.arange(len(reviewed)), words),
    )
    return table, sentence_columns, word_columns


def _folds(has: Bools) -> Ints:
    """A fold for each post, (posts,): those with evidence and those without are dealt out in turn."""
    fold = np.empty(len(has), np.int64)
    for kind in (True, False):
        places = np.flatnonzero(has == kind)
        fold[places] = np.arange(len(places)) % FOLDS
    return fold


def _sentence_logits(table: _Table, fold: Ints) -> tuple[float, Floats]:
    """The strength with the lowest held-out loss, and the held-out logits under it, (sentences,)."""
    where = fold[table.sentence_post]
    held_out = {strength: np.zeros(len(table.gold)) for strength in SENTENCE_STRENGTHS}
    for number in range(FOLDS):
        rest, part = np.flatnonzero(where != number), np.flatnonzero(where == number)
        if not len(part) or not table.gold[rest].any() or table.gold[rest].all():
            continue
        known, others, start = table.sentences[rest], table.sentences[part], None
        for strength in SENTENCE_STRENGTHS:  # each begins where the one before ended
            start = fit_binary(known, table.gold[rest], strength=strength, start=start)
            held_out[strength][part] = start.logits(others)[:, 0]
    best = min(SENTENCE_STRENGTHS, key=lambda strength: log_loss(held_out[strength], table.gold))
    return best, held_out[best]


def _tag_scores(table: _Table, fold: Ints) -> Floats:
    """Held-out log probabilities of the tags, (words, TAGS)."""
    where = fold[table.word_post]
    found = np.tile(np.log([0.98, 0.01, 0.01]), (len(table.tags), 1))
    for number in range(FOLDS):
        rest, part = np.flatnonzero(where != number), np.flatnonzero(where == number)
        if len(part) and (table.tags[rest] == BEGIN).any():
            fitted = fit_tags(table.words[rest], table.tags[rest], TAGS, strength=WORD_STRENGTH)
            found[part] = log_softmax(fitted.logits(table.words[part]))
    return found


def _stacked_held_out(stacked: Floats, gold: Bools, fold: Ints, prior: Floats) -> Floats:
    """Calibrated logits of each sentence by weights that its post had no part in, (sentences,)."""
    found = np.zeros(len(gold))
    for number in range(FOLDS):
        part = fold == number
        weights = fit_around(stacked[~part], gold[~part], around=prior, strength=STACK_STRENGTH)
        found[part] = stacked[part] @ weights[:-1] + weights[-1]
    return found
