"""SQuAD 2.0's exact match and F1, computed as its official evaluation script does. Standard library only.

A question is one (post, criterion) pair: the criterion is asked of the post, every gold span's quote is an accepted answer,
and no evidence is the empty answer. Source: Rajpurkar et al. 2018 (arXiv:1806.03822), evaluate-v2.0.py.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """Lower case, without ASCII punctuation, without English articles, single spaces; in this order."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(gold: str, predicted: str) -> int:
    return int(normalize_answer(gold) == normalize_answer(predicted))


def token_f1(gold: str, predicted: str) -> float:
    """F1 of the bags of words; if either is empty, 1 when both are and 0 otherwise."""
    gold_words, words = normalize_answer(gold).split(), normalize_answer(predicted).split()
    if not gold_words or not words:
        return float(gold_words == words)
    shared = sum((Counter(gold_words) & Counter(words)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(words), shared / len(gold_words)
    return 2 * precision * recall / (precision + recall)


def squad_scores(
    answers: Mapping[str, Sequence[str]],
    predictions: Mapping[str, str],
    *,
    no_answer_scores: Mapping[str, float] | None = None,
    no_answer_threshold: float = 1.0,
) -> dict[str, float]:
    """The official script's figures in percent: `exact`, `f1`, `total`, and the same with `HasAns_` and `NoAns_`.

    answers: accepted answers by question id; an empty list is a question without an answer.
    predictions: answer by question id, "" for none. A question that is missing here raises KeyError (the script leaves it
    out of the average, which flatters).
    no_answer_scores: with them, `best_exact` and `best_f1` and their thresholds are added.
    """
    exact: dict[str, float] = {}
    f1: dict[str, float] = {}
    for key, accepted in answers.items():
        usable = [a for a in accepted if normalize_answer(a)] or [""]
        exact[key] = float(max(exact_match(a, predictions[key]) for a in usable))
        f1[key] = max(token_f1(a, predictions[key]) for a in usable)
    result: dict[str, float] = {}
    silent = {k for k, score in (no_answer_scores or {}).items() if score > no_answer_threshold}
    groups = {
        "": list(answers),
        "HasAns_": [k for k, accepted in answers.items() if accepted],
        "NoAns_": [k for k, accepted in answers.items() if not accepted],
    }
    for prefix, keys in groups.items():
        if keys:
            result[f"{prefix}exact"] = _mean(exact, keys, answers, silent)
            result[f"{prefix}f1"] = _mean(f1, keys, answers, silent)
            result[f"{prefix}total"] = float(len(keys))
    if no_answer_scores is not None and answers:
        for name, scores in (("exact", exact), ("f1", f1)):
            best, threshold = _best_threshold(scores, answers, predictions, no_answer_scores)
            result[f"best_{name}"], result[f"best_{name}_thresh"] = best, threshold
    return result


def _mean(
    scores: Mapping[str, float], keys: Sequence[str], answers: Mapping[str, Sequence[str]], silent: set[str]
) -> float:
    """Mean in percent; a question in `silent` counts as answered with nothing."""
    total = sum(float(not answers[key]) if key in silent else scores[key] for key in keys)
    return 100.0 * total / len(keys)


def _best_threshold(
    scores: Mapping[str, float],
    answers: Mapping[str, Sequence[str]],
    predictions: Mapping[str, str],
    no_answer_scores: Mapping[str, float],
) -> tuple[float, float]:
    """The highest mean (percent) that any threshold on the no-answer score reaches, and that threshold."""
    current = best = float(sum(not accepted for accepted in answers.values()))
    threshold = 0.0
    for key in sorted(no_answer_scores, key=lambda k: no_answer_scores[k]):
        if key not in scores:
            continue
        current += scores[key] if answers[key] else (-1.0 if predictions[key] else 0.0)
        if current > best:
            best, threshold = current, no_answer_scores[key]
    return 100.0 * best / len(scores), threshold
