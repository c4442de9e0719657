"""How well a model ranks: the figures of eRisk's search for symptoms, and CLPsych's recall of evidence. No torch.

Ranking, per criterion, of all sentences of the posts that were reviewed for it, by the score of the best span on each: average precision,
R-precision, precision at 10 and NDCG at 1000, as eRisk 2023 and 2024 report them. Sentences of equal score share the mean of
their places' gains in NDCG and count as one step in average precision; for the other two they stand in the order of the text.

Recall of evidence (CLPsych 2024): of each gold passage of a user, how much of it the best highlight of that user's posts says; the
mean over passages, then over users. The task compares with BERTScore; here two passages are as alike as the share of the gold
passage's words that stand in the highlight, so figures are not to be put beside the task's own. Weighted: a highlight that is
longer than the gold passage counts for less, by the ratio of lengths.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.metrics import ndcg_score

from encoder.measure.metrics import Bools, Floats, average_precision
from encoder.measure.outcomes import Outcomes

AT = 10
NDCG_AT = 1000
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Ranking:
    """Of one criterion, or the mean of those that have a relevant sentence."""

    relevant: int
    ranked: int
    average_precision: float | None
    r_precision: float | None
    precision_at_10: float | None
    ndcg: float | None


@dataclass(frozen=True, slots=True)
class EvidenceRecall:
    """users: with a gold passage. Figures are None if there is none."""

    users: int
    passages: int
    recall: float | None
    weighted_recall: float | None


def ranking(relevant: Bools, score: Floats) -> Ranking:
    """Of sentences, shape (sentences,); figures are None where no sentence is relevant."""
    count = int(relevant.sum())
    if not count:
        return Ranking(0, len(relevant), None, None, None, None)
    order = np.argsort(-score, kind="stable")
    hits = relevant[order]
    ndcg = 1.0 if len(relevant) == 1 else float(ndcg_score([relevant.astype(float)], [score], k=NDCG_AT))
    return Ranking(
        count,
        len(relevant),
        float(average_precision(relevant, score)),
        float(hits[:count].mean()),
        float(hits[:AT].sum() / AT),
        ndcg,
    )


def ranking_figures(found: Outcomes) -> dict[str, Any]:
    """By criterion, and their mean, as JSON values."""
    each = {c.id: ranking(rows.gold, rows.score) for c, rows in zip(found.criteria, found.rows, strict=True)}
    scored = [r for r in each.values() if r.relevant]
    names = ("average_precision", "r_precision", "precision_at_10", "ndcg")
    mean = {name: float(np.mean([getattr(r, name) for r in scored])) if scored else None for name in names}
    return {"criteria": {name: asdict(r) for name, r in each.items()}, "mean": mean}


def evidence_recall(found: Outcomes) -> EvidenceRecall:
    """Over users: the authors of the posts; a post without one is a user of its own."""
    gold: dict[tuple[str, int], list[list[str]]] = defaultdict(list)
    highlights: dict[tuple[str, int], list[list[str]]] = defaultdict(list)
    for pair in found.pairs:
        post = found.examples[pair.post].post
        key = (post.author or f"post {post.id}", pair.criterion)
        gold[key] += [_words(s.quote(post.text)) for s in pair.label.spans]
        highlights[key] += [_words(s.quote(post.text)) for s in pair.highlighted]
    by_user: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for (user, criterion), passages in gold.items():
        for passage in passages:
            by_user[user].append(_best(passage, highlights[user, criterion]))
    if not by_user:
        return EvidenceRecall(0, 0, None, None)
    means = np.array([np.mean(some, axis=0) for some in by_user.values()]).mean(axis=0)
    return EvidenceRecall(len(by_user), sum(map(len, by_user.values())), float(means[0]), float(means[1]))


def _best(passage: list[str], highlights: list[list[str]]) -> tuple[float, float]:
    """(recall, weighted recall) of the best highlight."""
    found = [(_shared(passage, words), len(passage) / max(len(words), len(passage), 1)) for words in highlights]
    if not found:
        return 0.0, 0.0
    return max(share for share, _ in found), max(share * weight for share, weight in found)


def _shared(passage: list[str], words: list[str]) -> float:
    """The share of the passage's words that stand in the other."""
    return (Counter(passage) & Counter(words)).total() / len(passage) if passage else 0.0


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
