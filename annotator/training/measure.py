"""Measuring a new model beside the one in service and the baselines, on the same held-out posts.

Also finds the pairs of post and criterion on which the two models differ, to be read by a person. Only offsets are kept of
these, never text, so that the comparison can travel with the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from annotator.training.data import TrainingData
from encoder.examples import Example
from storage.records import Criterion, Post, Prediction, Span

if TYPE_CHECKING:
    from encoder.predict import Predictor
    from encoder.simple.learner import SimpleLearner

BATCH = 8
BOOTSTRAP_ROUNDS = 500
MOST_DIFFERENCES = 200

Predictions = dict[tuple[str, str], Prediction]


class Progress(Protocol):
    def progress(self, fraction: float, stage: str = "", message: str = "") -> None: ...

    def log(self, line: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Differing:
    """A reviewed pair of the project that two models highlight differently. Spans are [start, end].

    gain: how many more sentences the candidate has right than the model in service; negative if it is worse.
    """

    post_id: str
    criterion_id: str
    gold: tuple[tuple[int, int], ...]
    active: tuple[tuple[int, int], ...]
    candidate: tuple[tuple[int, int], ...]
    gain: int


@dataclass(frozen=True)
class Measured:
    """sets: evaluations as dicts by set (`dev`, `test`, `judged`), then by model (`candidate`, `active`, `keywords`, `simple`; on
    `judged` also `refitted`, the active model with thresholds from the same posts).

    changes: F1 of the candidate less that of the refitted active model on `judged`, with intervals of paired bootstrap rounds, by
    criterion id and for `macro` and `micro`; empty without an active model.
    """

    sets: Mapping[str, Mapping[str, dict[str, Any]]]
    changes: Mapping[str, Any]
    differing: tuple[Differing, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"sets": self.sets, "changes": self.changes, "differing": [asdict(d) for d in self.differing]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Measured:
        return cls(data["sets"], data["changes"], differing_from(data["differing"]))


def differing_from(rows: Sequence[Mapping[str, Any]]) -> tuple[Differing, ...]:
    """The records of `Measured.to_dict()["differing"]`, as they are also kept beside a model."""
    sides = ("gold", "active", "candidate")
    return tuple(
        Differing(r["post_id"], r["criterion_id"], gain=r["gain"], **{s: tuple((a, b) for a, b in r[s]) for s in sides})
        for r in rows
    )


def measure(
    data: TrainingData,
    *,
    candidate: Predictor,
    active: Callable[[], Predictor] | None,
    pooled: bool,
    progress: Progress,
    simple: SimpleLearner | None = None,
) -> Measured:
    """Evaluate candidate, active model and baselines on the dev and test posts.

    active: loads the model in service, None if there is none. pooled: `judged` is dev with the held-out replay posts; else
    it is dev alone. A set without posts is left out. simple: what the train posts taught the simple learner, None where it has to be
    fitted here.
    """
    examples = {"dev": data.dev, "test": data.test}
    examples["judged"] = (*data.dev, *data.replay_dev) if pooled else data.dev
    posts = list({e.post.id: e.post for some in examples.values() for e in some}.values())
    steps = 4 if active is not None else 3
    answers: dict[str, Predictions] = {}
    answers["candidate"] = predict_all(candidate, posts, data.criteria, steps_of(progress, 0, steps, "new model"))
    if active is not None:
        in_service = active()
        with in_service.remembering():
            answers["active"] = predict_all(
                in_service, posts, data.criteria, steps_of(progress, 1, steps, "model in service")
            )
            refit_thresholds(in_service, data)
            judged = [e.post for e in examples["judged"]]
            answers["refitted"] = predict_all(in_service, judged, data.criteria, lambda _: None)
    answers |= baseline_predictions(data, posts, steps_of(progress, steps - 2, steps, "baselines"), simple)
    progress.progress((steps - 1) / steps, "", "figures")
    sets = {
        name: {
            model: evaluation(found, some, data.criteria)
            for model, found in answers.items()
            if name == "judged" or model != "refitted"
        }
        for name, some in examples.items()
        if some
    }
    if "active" not in answers:
        return Measured(sets, {}, ())
    return Measured(sets, changes(answers, examples["judged"], data), differing(answers, data))


def refit_thresholds(predictor: Predictor, data: TrainingData) -> None:
    """Fit what the active model shows on the dev posts, as the candidate's was: else it would be compared unfairly."""
    from encoder.config import TrainConfig
    from encoder.training.floor import settled_beside
    from encoder.training.judge import Judge, with_calibration

    held_out = (*data.dev, *data.replay_dev)
    judge = Judge(held_out, data.criteria, TrainConfig())
    encoder = predictor.encoder
    encoder.config = with_calibration(encoder.config, judge.measure(encoder, predictor=predictor).calibrated)
    if predictor.learner is not None:
        predictor.learner = settled_beside(predictor, predictor.learner, held_out, data.criteria, trusted=())


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


def baseline_predictions(
    data: TrainingData, posts: Sequence[Post], report: Callable[[float], None], simple: SimpleLearner | None = None
) -> dict[str, Predictions]:
    """The answers of a keyword list, and of the simple learner alone if the reviewed answers teach it anything. simple: as of `measure`."""
    from encoder.measure.baselines import KeywordBaseline
    from encoder.training.floor import fit_learner

    report(0.0)
    found = {"keywords": KeywordBaseline().fit(data.train, data.criteria).predict(posts, data.criteria)}
    learner = simple or fit_learner(data.train, data.criteria, on_progress=report)
    if learner is not None:
        found["simple"] = learner.predict(posts, data.criteria)
    return {name: {(p.post_id, p.criterion_id): p for p in answers} for name, answers in found.items()}


def evaluation(found: Predictions, examples: Sequence[Example], criteria: Sequence[Criterion]) -> dict[str, Any]:
    from encoder.measure.evaluate import evaluate

    return evaluate(found.values(), examples, criteria, bootstrap=BOOTSTRAP_ROUNDS).to_dict()


def changes(answers: Mapping[str, Predictions], examples: Sequence[Example], data: TrainingData) -> dict[str, Any]:
    """What the candidate gained and lost, by criterion id and for `macro` and `micro`."""
    if not examples:
        return {}
    from encoder.measure.compare import compare

    sides = answers["refitted"].values(), answers["candidate"].values()
    found = compare(*sides, examples, data.criteria, bootstrap=BOOTSTRAP_ROUNDS)
    return {key: asdict(d) for key, d in {**found.criteria, "macro": found.macro, "micro": found.micro}.items()}


def differing(answers: Mapping[str, Predictions], data: TrainingData) -> tuple[Differing, ...]:
    """The pairs of the project's own dev and test posts that the two models highlight differently."""
    own = (*data.dev, *data.test)
    if not own:
        return ()
    from encoder.measure.compare import compare

    sides = answers["active"].values(), answers["candidate"].values()
    found = compare(*sides, own, data.criteria, bootstrap=0).differing[:MOST_DIFFERENCES]
    return tuple(
        Differing(d.post_id, d.criterion_id, edges(d.gold), edges(d.before), edges(d.after), d.gain) for d in found
    )


def edges(spans: Sequence[Span]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted((s.start, s.end) for s in spans))
