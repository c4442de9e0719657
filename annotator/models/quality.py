"""What is known of a model version's quality, brought into one shape for the pages. No gradio, no torch.

A version's metrics hold evaluations (`encoder.measure.evaluate.Evaluation.to_dict`) by set, `test`, `dev`, ..., and under `beside` those
of the baselines and of the version before it on the same posts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from storage.records import ModelVersion

SETS = ("test", "dev", "judged")
NAMES = {
    "keywords": "Keyword list",
    "tfidf": "TF-IDF + logistic regression",
    "active": "Model before",
    "simple": "Simple learner alone",
}


@dataclass(frozen=True, slots=True)
class Quality:
    """`own` and the values of `beside` are evaluations as dicts, all measured on the posts of `set_name`."""

    set_name: str
    own: Mapping[str, Any]
    beside: Mapping[str, Mapping[str, Any]]


def quality_of(model: ModelVersion | None) -> Quality | None:
    """The version's figures on held-out posts, the test posts before the dev posts; None if it was never measured."""
    if model is None:
        return None
    for name in SETS:
        own = model.metrics.get(name)
        if isinstance(own, Mapping) and own.get("macro"):
            beside = {
                other: sets[name] for other, sets in (model.metrics.get("beside") or {}).items() if sets.get(name)
            }
            return Quality(name, own, beside)
    return None


def with_dev_learned(posts: int) -> dict[str, int]:
    """What a version's metrics say of so many dev posts that it learned from once it was measured on them: nothing of none."""
    return {"dev_learned": posts} if posts else {}


def dev_learned_by(model: ModelVersion) -> int:
    """How many of its project's dev posts the version has learned from, beside its train posts, after it was measured on them."""
    found = model.metrics.get("dev_learned")
    return found if isinstance(found, int) else 0


def figures(evaluation: Mapping[str, Any]) -> dict[str, float | None]:
    """The few figures that the page shows of an evaluation."""
    macro, micro = evaluation.get("macro") or {}, evaluation.get("micro") or {}
    return {
        "macro_f1": macro.get("f1"),
        "precision": micro.get("precision"),
        "recall": micro.get("recall"),
        "span_f1": (evaluation.get("span_overlap") or {}).get("f1"),
        "no_evidence_accuracy": evaluation.get("no_evidence_accuracy"),
        "ece": (evaluation.get("sentence_calibration") or {}).get("ece"),
    }


def within(evaluation: Mapping[str, Any], criteria: Collection[str]) -> Mapping[str, Any]:
    """The evaluation as far as it speaks of these criteria: itself where it was on no others.

    Else macro and micro are counted again over these alone, and what was only counted over all together is left out.
    """
    measured = evaluation.get("criteria") or {}
    own = {name: scores for name, scores in measured.items() if name in criteria}
    if len(own) == len(measured):
        return evaluation
    scored = [s["f1"] for s in own.values() if s.get("f1") is not None]
    return {
        **{name: evaluation[name] for name in ("posts", "pairs") if name in evaluation},
        "criteria": own,
        "macro": {"f1": sum(scored) / len(scored) if scored else None},
        "micro": _together(own.values()),
    }


def _together(criteria: Collection[Mapping[str, Any]]) -> dict[str, float | None]:
    """Precision and recall of all marks of these criteria."""
    support, predicted = (sum(s.get(name) or 0 for s in criteria) for name in ("support", "predicted"))
    right = sum((s.get("support") or 0) * (s.get("recall") or 0.0) for s in criteria)
    return {"precision": right / predicted if predicted else None, "recall": right / support if support else None}


def interval_of(scores: Mapping[str, Any] | None) -> list[float] | None:
    """The 95 % interval of F1 as [low, high], if it was worked out."""
    found = (scores or {}).get("f1_interval")
    if isinstance(found, Mapping):
        return [float(found["low"]), float(found["high"])]
    return [float(v) for v in found] if found else None
