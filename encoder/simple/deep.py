"""What an encoder's vectors say beside the n-grams: linear, fitted exactly on the same answers, and kept only where it helps. No torch.

The n-grams know the words that were answered; the vectors know which other words are like them. Both are fitted apart and put
together by weights that are chosen on posts which neither has seen (stacked generalization, Wolpert 1992): a part that says no more
about these than the n-grams alone is left out, and the answer is then exactly theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from encoder.measure.metrics import Bools, Floats, Ints
from encoder.simple.logistic import (
    Linear,
    fit_around,
    fit_binary,
    fit_tags,
    fit_tags_around,
    log_loss,
    log_softmax,
    tag_loss,
)
from encoder.simple.passages import TAGS
from encoder.simple.rows import Values

STRENGTHS = (0.3, 1.0)
"""Of vectors whose columns have the variance 1 / size."""
LEAST_WORDS, MOST_WORDS = 4_000, 20_000
"""Words, with many criteria and with few, whose vectors are learned from, of real Gemma 1,920 numbers each: 154 MB, ten
seconds a criterion. The n-grams of all others count too."""
LEAST_POSTS = 10
"""Posts from which on vectors are learned from."""
LEAST_GAIN = 1.0
"""Nats over all answers that the vectors have to be ahead of the n-grams alone."""
_STRENGTH = 0.2
_TOGETHER = np.array([0.7, 0.3, 0.0])


@dataclass(frozen=True, slots=True)
class View:
    """What an encoder makes of a post: vectors of its sentences, (sentences, size), and words, (words, size), fp32."""

    sentences: Values
    words: Values


@dataclass(frozen=True, slots=True)
class Deep:
    """sentence: (size, 1), words: (size, TAGS). sentence_mix: weights of the n-grams' answer, the vectors' and the bias; word_mix:
    of both answers; None where the vectors add nothing. strengths: of the two fits, as the folds chose them.
    """

    sentence: Linear
    words: Linear
    sentence_mix: Floats | None
    word_mix: Floats | None
    strengths: tuple[float, float] = (STRENGTHS[0], STRENGTHS[0])

    def beside(self, view: View, own: Floats, tag_scores: Floats) -> tuple[Floats, Floats]:
        """The n-grams' logits of the sentences, (sentences,), and log probabilities of the tags, (words, TAGS), with the vectors'."""
        if self.sentence_mix is not None:
            own = _sentences_mixed(self.sentence_mix, own, self.sentence.logits(view.sentences)[:, 0])
        if self.word_mix is not None:
            seen = log_softmax(self.words.logits(view.words))
            tag_scores = _words_mixed(self.word_mix, tag_scores, seen)
        return own, tag_scores


def most_words(criteria: int) -> int:
    """Of how many words vectors are learned from, which bounds the time of the fits of so many criteria."""
    return min(MOST_WORDS, max(LEAST_WORDS, 4 * MOST_WORDS // max(1, criteria)))


def drawn(counts: Sequence[int], most: int) -> list[int]:
    """The places of the posts whose vectors are learned from; counts: the words of each.

    All of them, or as many, evenly drawn, as make about `most` words, but not too few to learn from: then the shortest are taken. A
    post that holds more words by itself is left out. Empty where too few posts are left, or these make more than twice as many words.
    """
    places = [n for n, count in enumerate(counts) if count <= most]
    words = sum(counts[n] for n in places)
    if words > most:
        number = int(len(places) * most / words)
        if number < LEAST_POSTS:
            places = sorted(sorted(places, key=lambda n: counts[n])[:LEAST_POSTS])
        else:
            places = [places[n] for n in np.linspace(0, len(places) - 1, number, dtype=np.int64)]
    return places if len(places) >= LEAST_POSTS and sum(counts[n] for n in places) <= 2 * most else []


class Answers(NamedTuple):
    """Answered rows of posts with a view, sentences or words. vectors: (rows, size). gold: (rows,), or the tags, (rows,). fold: (rows,).
    own: what the n-grams said without having seen them, (rows,) or (rows, TAGS).
    """

    vectors: Values
    gold: Bools | Ints
    fold: Ints
    own: Floats


def fit_deep(sentences: Answers, words: Answers) -> tuple[Deep | None, Floats, Floats]:
    """The vectors' part, and what both say about posts not learned from: (sentences,), (words, TAGS); None where it adds nothing."""
    (sentence, sentence_strength), sentence_mix, own = _part(sentences, _SENTENCES)
    (word, word_strength), word_mix, tag_scores = _part(words, _WORDS)
    if sentence_mix is None and word_mix is None:
        return None, sentences.own, words.own
    return Deep(sentence, word, sentence_mix, word_mix, (sentence_strength, word_strength)), own, tag_scores


def fit_again(deep: Deep, sentences: tuple[Values, Bools], words: tuple[Values, Ints]) -> Deep:
    """The same with weights from these vectors and answers: what the folds chose stays."""
    sentence, word = deep.sentence, deep.words
    if deep.sentence_mix is not None:
        sentence = _fitted(*sentences, deep.strengths[0], _SENTENCES)
    if deep.word_mix is not None:
        word = _fitted(*words, deep.strengths[1], _WORDS)
    return replace(deep, sentence=sentence, words=word)


class _Kind(NamedTuple):
    """How one kind of rows is fitted, read as held-out answers, mixed and judged."""

    fit: Callable[[Floats, Any, float, Linear | None], Linear]
    read: Callable[[Floats], Floats]
    fit_mix: Callable[[Floats, Floats | None, Any], Floats]
    mix: Callable[[Floats, Floats, Floats], Floats]
    loss: Callable[[Floats, Any], float]


def _part(answers: Answers, kind: _Kind) -> tuple[tuple[Linear, float], Floats | None, Floats]:
    """Weights of the vectors and their strength, how they are mixed (None: not at all), and the held-out answers of what will answer."""
    gold, own, fold = answers.gold, answers.own, answers.fold
    rows, _, _ = _standard(answers.vectors)
    folds = [(fold != n, fold == n) for n in range(int(fold.max()) + 1)]
    outputs = own.shape[1] if own.ndim == 2 else 1
    nothing = Linear(np.zeros((rows.shape[1], outputs)), np.zeros(outputs)), STRENGTHS[0]
    if any(len(np.unique(gold[rest])) < 2 for rest, _ in folds):
        return nothing, None, own
    tried = {strength: np.zeros_like(own) for strength in STRENGTHS}
    for rest, part in folds:
        known, others = rows[rest], rows[part]
        start: Linear | None = None  # not the last fold's weights: they have seen this one
        for strength in STRENGTHS:  # each fit begins where the one before ended
            start = kind.fit(known, gold[rest], strength, start)
            tried[strength][part] = kind.read(start.logits(others))
    best = min(tried, key=lambda strength: kind.loss(tried[strength], gold))
    seen, both, alone = tried[best], np.zeros_like(own), np.zeros_like(own)
    for rest, part in folds:
        both[part] = kind.mix(kind.fit_mix(own[rest], seen[rest], gold[rest]), own[part], seen[part])
        alone[part] = kind.mix(kind.fit_mix(own[rest], None, gold[rest]), own[part], seen[part])
    gain = (kind.loss(alone, gold) - kind.loss(both, gold)) * len(gold)
    if gain <= LEAST_GAIN:
        return nothing, None, own
    return (_fitted(answers.vectors, gold, best, kind), best), kind.fit_mix(own, seen, gold), both


def _fitted(vectors: Values, gold: Bools | Ints, strength: float, kind: _Kind) -> Linear:
    """Weights of the vectors as they come."""
    rows, mean, scale = _standard(vectors)
    fitted = kind.fit(rows, gold, strength, None)
    weights = fitted.weights / scale[:, None]
    return Linear(weights, fitted.bias - mean @ weights)


def _standard(vectors: Values) -> tuple[Any, Floats, Floats]:
    """Columns with mean 0 and variance 1 / size, the means taken off, and what they were divided by."""
    mean = vectors.mean(0, dtype=np.float64)
    scale = (vectors.std(0, dtype=np.float64) + 1e-6) * vectors.shape[1] ** 0.5
    return ((vectors - mean.astype(np.float32)) / scale.astype(np.float32)), mean, scale


def _sentence_mix(own: Floats, seen: Floats | None, gold: Bools) -> Floats:
    """Weights of both and the bias, none of the first two below 0; without vectors their weight is 0."""
    if seen is None:
        weight, bias = fit_around(own[:, None], gold, around=np.array([1.0, 0.0]), strength=_STRENGTH)
        return np.array([weight, 0.0, bias])
    return fit_around(np.column_stack([own, seen]), gold, around=_TOGETHER, strength=_STRENGTH)


def _word_mix(own: Floats, seen: Floats | None, gold: Ints) -> Floats:
    """The same for log probabilities of tags, which need no bias."""
    if seen is None:
        return np.append(fit_tags_around([own], gold, around=np.array([1.0]), strength=_STRENGTH), 0.0)
    return fit_tags_around([own, seen], gold, around=_TOGETHER[:2], strength=_STRENGTH)


def _sentences_mixed(mix: Floats, own: Floats, seen: Floats) -> Floats:
    return mix[0] * own + mix[1] * seen + mix[2]


def _words_mixed(mix: Floats, own: Floats, seen: Floats) -> Floats:
    return log_softmax(mix[0] * own + mix[1] * seen)


_SENTENCES = _Kind(
    lambda rows, gold, strength, start: fit_binary(rows, gold, strength=strength, start=start),
    lambda logits: logits[:, 0],
    _sentence_mix,
    _sentences_mixed,
    log_loss,
)
_WORDS = _Kind(
    lambda rows, gold, strength, start: fit_tags(rows, gold, TAGS, strength=strength, start=start),
    log_softmax,
    _word_mix,
    _words_mixed,
    tag_loss,
)
