"""Measuring a new model beside the one in service and the baselines, on the same held-out posts.

Also finds the pairs of post and criterion on which the two models differ, to be read by a person. Only offsets are kept of
these, never text, so that the comparison can travel with the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from annotator.training_data import Snapshot
from encoder.examples import Example, Label
from storage.records import Criterion, Post, Prediction, Span

if TYPE_CHECKING:
    from encoder.predict import Predictor

BATCH = 8
BOOTSTRAP_ROUNDS = 500
MOST_DIFFERENCES = 200

Predictions = dict[tuple[str, str], Prediction]


class Progress(Protocol):
    def progress(self, fraction: float, stage: str = "", message: str = "") -> None: ...

    def log(self, line: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Difference:
    """A pair on which two models highlight different sentences. Spans are [start, end].

    better: `candidate`, `active` or `neither`, by how many sentences' worth of gold each got right.
    """

    post_id: str
    criterion_id: str
    split: str
    gold: tuple[tuple[int, int], ...]
    active: tuple[tuple[int, int], ...]
    candidate: tuple[tuple[int, int], ...]
    better: str


@dataclass(frozen=True)
class Measured:
    """sets: evaluations as dicts by set (`dev`, `test`, `judged`), then by model (`candidate`, `active`, `keywords`, `tfidf`)."""

    sets: Mapping[str, Mapping[str, dict[str, Any]]]
    differences: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"sets": self.sets, "differences": [asdict(d) for d in self.differences]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Measured:
        return cls(data["sets"], tuple(difference_from(row) for row in data["differences"]))


def difference_from(row: Mapping[str, Any]) -> Difference:
    spans = {name: tuple((a, b) for a, b in row[name]) for name in ("gold", "active", "candidate")}
    return Difference(row["post_id"], row["criterion_id"], row["split"], better=row["better"], **spans)


def measure(
    snapshot: Snapshot,
    *,
    candidate: Predictor,
    active: Callable[[], Predictor] | None,
    pooled: bool,
    progress: Progress,
) -> Measured:
    """Evaluate candidate, active model and baselines on the dev and test posts.

    active: loads the model in service, None if there is none. pooled: `judged` is dev with the held-out replay posts; else
    it is dev alone. A set without posts is left out.
    """
    examples = {"dev": snapshot.dev, "test": snapshot.test}
    examples["judged"] = (*snapshot.dev, *snapshot.replay_dev) if pooled else snapshot.dev
    posts = list({e.post.id: e.post for some in examples.values() for e in some}.values())
    steps = 4 if active is not None else 3
    answers: dict[str, Predictions] = {}
    answers["candidate"] = predict_all(candidate, posts, snapshot.criteria, steps_of(progress, 0, steps, "new model"))
    if active is not None:
        answers["active"] = predict_all(active(), posts, snapshot.criteria, steps_of(progress, 1, steps, "model in service"))
    progress.progress((steps - 2) / steps, "", "baselines")
    answers |= baseline_predictions(snapshot, posts)
    progress.progress((steps - 1) / steps, "", "figures")
    sets = {
        name: {model: evaluation(found, some, snapshot.criteria) for model, found in answers.items()}
        for name, some in examples.items()
        if some
    }
    differences: list[Difference] = []
    if "active" in answers:
        own = [*snapshot.dev, *snapshot.test]
        differences = find_differences(answers["candidate"], answers["active"], own)[:MOST_DIFFERENCES]
    return Measured(sets, tuple(differences))


def steps_of(progress: Progress, step: int, steps: int, message: str) -> Callable[[float], None]:
    return lambda fraction: progress.progress((step + fraction) / steps, "", message)


def predict_all(
    predictor: Predictor, posts: Sequence[Post], criteria: Sequence[Criterion], report: Callable[[float], None]
) -> Predictions:
    """Predictions for all pairs, a few posts at a time, so that a cancel is noticed within seconds."""
    found: Predictions = {}
    for done, chunk in chunks(posts):
        report(done / len(posts))
        found |= {(p.post_id, p.criterion_id): p for p in predictor.predict(chunk, criteria)}
    return found


def chunks(posts: Sequence[Post]) -> Iterator[tuple[int, Sequence[Post]]]:
    for start in range(0, len(posts), BATCH):
        yield start, posts[start : start + BATCH]


def baseline_predictions(snapshot: Snapshot, posts: Sequence[Post]) -> dict[str, Predictions]:
    """The baselines' answers, fitted on the same examples that the candidate was trained on."""
    from encoder.baselines import KeywordBaseline, TfidfBaseline

    train = [*snapshot.train, *snapshot.replay]
    keywords = KeywordBaseline().fit(train, snapshot.criteria)
    tfidf = TfidfBaseline().fit(train, snapshot.criteria)
    return {
        name: {(p.post_id, p.criterion_id): p for p in baseline.predict(posts, snapshot.criteria)}
        for name, baseline in (("keywords", keywords), ("tfidf", tfidf))
    }


def evaluation(found: Predictions, examples: Sequence[Example], criteria: Sequence[Criterion]) -> dict[str, Any]:
    from encoder.evaluate import evaluate

    return evaluate(found.values(), examples, criteria, bootstrap=BOOTSTRAP_ROUNDS).to_dict()


def find_differences(candidate: Predictions, active: Predictions, examples: Sequence[Example]) -> list[Difference]:
    """The reviewed pairs on which the two highlight different spans; those that changed for better or worse first."""
    found = []
    for example in examples:
        for criterion_id, label in sorted(example.labels.items()):
            key = (example.post.id, criterion_id)
            new, old = edges(candidate[key].spans), edges(active[key].spans)
            if new != old:
                right_new, right_old = rightness(candidate[key].spans, label), rightness(active[key].spans, label)
                better = "neither" if right_new == right_old else "candidate" if right_new > right_old else "active"
                split = str(example.post.split or "")
                found.append(Difference(*key, split, edges(label.spans), old, new, better))
    return sorted(found, key=lambda d: ({"active": 0, "candidate": 1, "neither": 2}[d.better], d.post_id, d.criterion_id))


def rightness(spans: Sequence[Span], label: Label) -> int:
    """Gold spans that were found, less spans that touch no gold."""
    hits = sum(any(gold.overlaps(s) for s in spans) for gold in label.spans)
    return hits - sum(not any(s.overlaps(gold) for gold in label.spans) for s in spans)


def edges(spans: Sequence[Span]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted((s.start, s.end) for s in spans))
