"""From logits to predictions: thresholds, the tighter passage inside a sentence, the post's score. No torch.

Joint heads: a sentence at or above its criterion's threshold is a span; its core is the passage that the token heads prefer.
Softmax head: one span per post, scored against "no span", as in SQuAD 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from encoder.config import EncoderConfig
from encoder.text.windows import Floats, PostScores
from storage.records import Criterion, Prediction, Span


def decode(
    scores: PostScores,
    column: int,
    criterion: Criterion,
    config: EncoderConfig,
    version: str,
    threshold: float | None = None,
) -> Prediction:
    """The prediction for one criterion; `threshold` overrides the config's (0 gives every sentence with its score)."""
    post = scores.read.post
    if not config.knows(criterion.id):
        return Prediction(post.id, criterion.id, version, (), no_evidence_score=0.5, known=False)
    least = config.threshold(criterion.id) if threshold is None else threshold
    if config.span_head == "softmax":
        return _softmax_prediction(scores, column, criterion, config, version, least)
    chances = expit(scores.sentences[:, column].astype(np.float64) / config.temperature)
    spans = tuple(
        _with_core(scores, int(number), column, float(chances[number]))
        for number in np.flatnonzero((chances >= least) & np.isfinite(scores.sentences[:, column]))
    )
    return Prediction(post.id, criterion.id, version, spans, 1.0 - post_chance(scores, column, chances, config))


def post_chance(scores: PostScores, column: int, sentence_chances: NDArray[np.float64], config: EncoderConfig) -> float:
    """The chance, in [0, 1], that the post holds evidence."""
    if config.post_score == "head":
        return float(expit(float(scores.posts[column]) / config.temperature))
    if not len(sentence_chances):
        return 0.0
    if config.post_score == "noisy_or":
        return float(1.0 - np.prod(1.0 - sentence_chances))
    return float(sentence_chances.max())


def best_passage(tokens: Floats) -> tuple[int, int] | None:
    """The token range [start, end) that the heads prefer; tokens (T, 3) are logits of inside, start, end.

    It has the largest sum of its tokens' inside logits, its first token's start and its last token's end logit; None if no
    range has more than 0. One pass over the tokens (Kadane's algorithm with bonuses at both edges).
    """
    best, found = 0.0, None
    running, began = -np.inf, 0
    for at, (inside, start, end) in enumerate(tokens.tolist()):
        if start >= running:
            running, began = start, at
        running += inside
        if running + end > best:
            best, found = running + end, (began, at + 1)
    return found


def _with_core(scores: PostScores, number: int, column: int, chance: float) -> Span:
    """The sentence as a span, with its core if that is shorter than the sentence."""
    read = scores.read
    sentence, (token_start, token_end) = read.sentences[number], read.sentence_tokens[number]
    passage = best_passage(scores.tokens[token_start:token_end, column])
    if passage is None:
        return Span(sentence.start, sentence.end, chance)
    characters = read.map.characters(token_start + passage[0], token_start + passage[1])
    if characters is None:
        return Span(sentence.start, sentence.end, chance)
    start, end = max(characters[0], sentence.start), min(characters[1], sentence.end)
    if start >= end or (start, end) == (sentence.start, sentence.end):
        return Span(sentence.start, sentence.end, chance)
    return Span(sentence.start, sentence.end, chance, start, end)


def _softmax_prediction(
    scores: PostScores, column: int, criterion: Criterion, config: EncoderConfig, version: str, least: float
) -> Prediction:
    post = scores.read.post
    visible = np.array(scores.read.map.starts) < np.array(
        scores.read.map.ends
    )  # a span neither starts nor ends in a gap
    start, end = (np.where(visible, scores.tokens[:, column, edge], -np.inf) for edge in (1, 2))
    found = best_span(start, end, config.max_span_tokens)
    if found is None:
        return Prediction(post.id, criterion.id, version, (), 1.0)
    token_start, token_end, lead = found
    chance = float(expit(lead / config.temperature))
    characters = scores.read.map.characters(token_start, token_end)
    spans = (Span(*characters, chance),) if characters and chance >= least else ()
    return Prediction(post.id, criterion.id, version, spans, 1.0 - chance)


def best_span(start: Floats, end: Floats, longest: int) -> tuple[int, int, float] | None:
    """The token range [start, end) of at most `longest` tokens with the largest sum of both logits, and that sum.

    start, end: logits, (T,) each; -inf where a token may not begin or end a span. None if no range has a finite sum.

    Source: Devlin et al. 2019 (arXiv:1810.04805), reading out SQuAD.
    """
    best: tuple[int, int, float] | None = None
    for length in range(1, min(longest, len(start)) + 1):
        sums = start[: len(start) - length + 1] + end[length - 1 :]
        at = int(sums.argmax())
        if np.isfinite(sums[at]) and (best is None or sums[at] > best[2]):
            best = (at, at + length, float(sums[at]))
    return best
