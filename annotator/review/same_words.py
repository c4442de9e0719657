"""The same words as a passage that was accepted, elsewhere in the post and in other posts: offered, each to be decided by itself.

Words are the same whatever their case and the marks and spaces between them. Nothing is marked as evidence here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from storage.records import SAME_WORDS_MARK, Annotation, Post, Prediction, Span
from storage.settings import LEARN_AT_ONCE
from storage.store import Store

LEAST_WORDS, LEAST_CHARACTERS = 2, 8
"""Shorter wordings stand in too many places."""
MOST_OFFERED = 5
"""For a criterion in a post."""
_WORD = re.compile(r"\w+")


def with_same_words(
    store: Store, reviewer: str, post: Post, predictions: Mapping[str, Prediction], mine: Mapping[str, Annotation]
) -> dict[str, Prediction]:
    """The predictions with the wordings that the person accepted lately added to them, without a score, where they stand alone.

    Where decisions do not change suggestions at once (a switch of the project), they stay as they are.
    """
    if not store.setting(LEARN_AT_ONCE, True):
        return dict(predictions)
    wordings = store.wordings_of(reviewer) if any(c not in mine or not mine[c].decided for c in predictions) else None
    if wordings is None:
        return dict(predictions)
    found = {}
    for key, prediction in predictions.items():
        if key in mine and mine[key].decided:
            found[key] = prediction  # what is decided is shown without suggestions
            continue
        declined = {normalized(p) for p in wordings.rejected.get(key, ())}
        wanted = [p for p in wordings.marked.get(key, ()) if normalized(p) not in declined]
        own = [s.span for s in mine[key].spans] if key in mine else []
        added = places_of(wanted, post.text, beside=[*prediction.spans, *own])
        found[key] = _with(prediction, added) if added else prediction
    return found


def same_words_here(post: Post, answer: Annotation) -> list[Span]:
    """Where else in the post the words of the answer's passages stand that nothing was said about."""
    quotes = [s.span.quote(post.text) for s in answer.spans]
    beside = [*(s.span for s in answer.spans), *answer.rejected, *answer.undecided]
    return places_of(quotes, post.text, beside=beside)


def places_of(passages: Iterable[str], text: str, *, beside: Sequence[Span]) -> list[Span]:
    """Where the words of the passages stand in the text, in order, apart from the spans in `beside` and from each other."""
    taken, found, folded = list(beside), list[Span](), normalized(text)
    for words in dict.fromkeys(map(normalized, passages)):
        if words not in folded or not _can_be_told(words):
            continue
        pattern = r"(?<!\w)" + r"\W{1,4}".join(map(re.escape, words.split())) + r"(?!\w)"
        for match in re.finditer(pattern, text, re.IGNORECASE):
            span = Span(match.start(), match.end())
            if len(found) < MOST_OFFERED and not any(span.overlaps(other) for other in taken):
                taken.append(span)
                found.append(span)
    return sorted(found, key=lambda s: s.start)


def _can_be_told(words: str) -> bool:
    spaces = words.count(" ")
    return spaces + 1 >= LEAST_WORDS and len(words) - spaces >= LEAST_CHARACTERS


@lru_cache(maxsize=1 << 14)  # what a person marked lately is compared with every post that they open
def normalized(passage: str) -> str:
    """The words alone, in lower case, a space between each two."""
    return " ".join(_WORD.findall(passage)).lower()


def _with(prediction: Prediction, added: Sequence[Span]) -> Prediction:
    spans = tuple(sorted((*prediction.spans, *added), key=lambda s: (s.start, s.end)))
    return replace(prediction, spans=spans, model_version=f"{prediction.model_version} + {SAME_WORDS_MARK}")
