"""How passages are marked: how bold, how much a sentence says for its words, and how sure each passage is. NumPy and SciPy only.

All of it is chosen on answers about posts that the weights in question have not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from encoder.measure.metrics import MATCH_IOU, Floats, Ints, exact_hits, matching_hits
from encoder.simple.features import PostFeatures
from encoder.simple.logistic import fit_around
from encoder.simple.passages import BEGIN, INSIDE, OUTSIDE, TAGS, characters, decode_tags, word_ranges
from encoder.simple.tried import Tried
from storage.records import Span

STACK_STRENGTH = 0.2
BOLDNESS = np.array([1.0, 0.0, 0.5, 1.5, 2.0, 2.5, 3.0, 3.5])
SENTENCE_SHARES = np.array([0.0, 0.25, 0.5, 1.0])
SURE_PRIOR = np.array([0.5, 0.25, 0.0])
_TOGETHER = 32
"""Posts that are decoded at a time."""
_BEYOND = -1e9
"""Score of evidence behind a post's last word."""
Setting: TypeAlias = tuple[Floats, Floats]
"""How bold, and the sentences' share in it, (settings,) each."""


@dataclass(frozen=True, slots=True)
class Passages:
    """boldness: added to the scores of the tags inside; sentence_share: of the sentence's logit that is added to them too. sure:
    weights of a passage's mean lead, its sentence's logit and the bias, which make its calibrated logit.
    """

    boldness: float
    sentence_share: float
    sure: Floats

    @property
    def setting(self) -> Setting:
        return np.array([self.boldness]), np.array([self.sentence_share])


def fit_passages(tried: Sequence[Tried], sentence_logits: Sequence[Floats]) -> Passages:
    """How bold to be in marking passages, and how sure each is."""
    boldness, share = fit_boldness(tried, sentence_logits)
    return Passages(boldness, share, fit_sureness(tried, sentence_logits, boldness, share))


def find_passages(
    tag_scores: Floats, sentence_logits: Floats, features: PostFeatures, *, boldness: float, share: float
) -> list[tuple[Span, Floats]]:
    """The passages of one post with what their sureness is judged by: mean lead of their words, their sentence's logit."""
    setting = np.array([boldness]), np.array([share])
    tags = decode_tags(_raised(tag_scores, sentence_logits, features.sentence_of, *setting)[0])
    return _weighed(tag_scores, sentence_logits, features, tags)


def _weighed(
    tag_scores: Floats, sentence_logits: Floats, features: PostFeatures, tags: Ints
) -> list[tuple[Span, Floats]]:
    """The passages that tags (words,) stand for, as of `find_passages`."""
    return [
        (characters(features.words, (first, last)), _evidence(tag_scores, sentence_logits, features, first, last))
        for first, last in word_ranges(tags)
    ]


def decoded(tried: Sequence[Tried], sentence_logits: Sequence[Floats], setting: Setting) -> Iterator[Ints]:
    """The tags of each post under every setting, (settings, words). Many posts are decoded at a time, which costs as many steps as
    the longest of them has words; where no word is likelier evidence than not, nothing is to be decoded.
    """
    for first in range(0, len(tried), _TOGETHER):
        some, logits = tried[first : first + _TOGETHER], sentence_logits[first : first + _TOGETHER]
        raised = [
            _raised(t.tag_scores, own, t.reviewed.features.sentence_of, *setting)
            for t, own in zip(some, logits, strict=True)
        ]
        lit = [(scores[..., BEGIN:] > scores[..., :BEGIN]).any((1, 2)) for scores in raised]
        longest = max((s.shape[1] for s, chosen in zip(raised, lit, strict=True) if chosen.any()), default=0)
        rows = np.zeros((sum(int(chosen.sum()) for chosen in lit), longest, TAGS))
        rows[..., BEGIN:] = _BEYOND
        ends = np.cumsum([int(chosen.sum()) for chosen in lit])
        for end, scores, chosen in zip(ends, raised, lit, strict=True):
            if chosen.any():
                rows[end - int(chosen.sum()) : end, : scores.shape[1]] = scores[chosen]
        found = decode_tags(rows) if len(rows) else None
        for end, scores, chosen in zip(ends, raised, lit, strict=True):
            tags = np.full(scores.shape[:2], OUTSIDE, np.int64)
            if found is not None and chosen.any():
                tags[chosen] = found[end - int(chosen.sum()) : end, : scores.shape[1]]
            yield tags


def _evidence(tag_scores: Floats, sentence_logits: Floats, features: PostFeatures, first: int, last: int) -> Floats:
    rows = tag_scores[first:last]
    lead = float((np.logaddexp(rows[:, BEGIN], rows[:, INSIDE]) - rows[:, OUTSIDE]).mean())
    owner = features.sentence_of[first]
    return np.array([lead, float(sentence_logits[owner]) if owner >= 0 else 0.0])


def _raised(tag_scores: Floats, sentence_logits: Floats, sentence_of: Ints, boldness: Floats, shares: Floats) -> Floats:
    """Tag scores with evidence raised, (settings, words, TAGS)."""
    of_word = np.where(sentence_of >= 0, np.append(sentence_logits, 0.0)[sentence_of], 0.0)
    raise_by = boldness[:, None] + shares[:, None] * of_word[None]
    raised = np.repeat(tag_scores[None], len(boldness), axis=0)
    raised[..., BEGIN] += raise_by
    raised[..., INSIDE] += raise_by
    return raised


def fit_boldness(tried: Sequence[Tried], sentence_logits: Sequence[Floats]) -> tuple[float, float]:
    """How bold to be, and the sentences' share in it: the best mean of exact F1 and F1 at IoU .5."""
    boldness, shares = (g.ravel() for g in np.meshgrid(BOLDNESS, SENTENCE_SHARES, indexing="ij"))
    counts = np.zeros((len(boldness), 2))
    for one, tags in zip(tried, decoded(tried, sentence_logits, (boldness, shares)), strict=True):
        words, gold = one.reviewed.features.words, one.reviewed.label.spans
        different, which = np.unique(tags, axis=0, return_inverse=True)
        found = []
        for chosen in different:
            spans = [characters(words, r) for r in word_ranges(chosen)]
            found.append((exact_hits(spans, gold) + matching_hits(spans, gold), len(spans) + len(gold)))
        counts += np.array(found)[which.ravel()]
    best = int(np.argmax(counts[:, 0] / np.maximum(counts[:, 1], 1)))
    return float(boldness[best]), float(shares[best])


def fit_sureness(tried: Sequence[Tried], sentence_logits: Sequence[Floats], boldness: float, share: float) -> Floats:
    """The weights that make the evidence for a passage the chance that it matches one of gold."""
    rows: list[Floats] = []
    right: list[bool] = []
    tags = decoded(tried, sentence_logits, (np.array([boldness]), np.array([share])))
    for one, logits, chosen in zip(tried, sentence_logits, tags, strict=True):
        for span, evidence in _weighed(one.tag_scores, logits, one.reviewed.features, chosen[0]):
            rows.append(evidence)
            right.append(any(span.iou(gold) >= MATCH_IOU for gold in one.reviewed.label.spans))
    if not rows:
        return SURE_PRIOR
    return fit_around(np.array(rows), np.array(right), around=SURE_PRIOR, strength=STACK_STRENGTH)
