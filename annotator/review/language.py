"""Whether a text is in another language than the criteria set is about. Offline; the text goes nowhere."""

from __future__ import annotations

import functools
import hashlib
import itertools
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Any

LEAST_LETTERS = 30
"""Fewer tell too little: "ok lol" is in no language."""
SURE = 0.95
KEPT = 10_000
"""Texts whose language is remembered, 2 MB: a post is opened again and again, by several people, and a long one takes milliseconds."""
NAMES = {
    "ar": "Arabic", "bn": "Bengali", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian", "id": "Indonesian",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip


def other_language(text: str, expected: str) -> str | None:
    """A line for the reader when `text` is clearly not in the language `expected` (ISO 639-1); None otherwise, or if none is expected."""
    language = _other(text, expected) if expected else None
    if language is None:
        return None
    return (
        f"This text looks like {name_of(language)}; the criteria and the model are for {name_of(expected)}."
        " What it marks or leaves unmarked here says little."
    )


def others_among(texts: Sequence[str], expected: str, which: str = "posts shown here") -> str | None:
    """A line for who imports when some of the texts are clearly not in the language `expected`; None otherwise, or if none is expected."""
    if not expected:
        return None
    found = Counter(language for text in texts if (language := _other(text, expected)))
    if not found:
        return None
    [(language, _)] = found.most_common(1)
    looks = (
        f"{found.total()} of the {len(texts)} {which} {'looks' if found.total() == 1 else 'look'}"
        if len(texts) > 1
        else "This post looks"
    )
    like = name_of(language) if len(found) == 1 else f"{name_of(language)} or another language"
    return f"{looks} like {like}; the criteria and the model are for {name_of(expected)}. What the model marks in them says little."


def name_of(language: str) -> str:
    return NAMES.get(language, f"the language “{language}”")


def _other(text: str, expected: str) -> str | None:
    """The language of the text, if it is clearly not `expected`."""
    if sum(1 for _ in itertools.islice(filter(str.isalpha, text), LEAST_LETTERS)) < LEAST_LETTERS:
        return None
    language, probability = _classified(text)
    return None if language == expected or probability < SURE else language


def _classified(text: str) -> tuple[str, float]:
    """The likeliest language of the text and its probability. Of texts that were asked before only a digest is kept."""
    key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    with _lock:
        found = _found.get(key)
        if found is not None:
            _found.move_to_end(key)
            return found
    language, probability = _identifier().classify(text)
    found = str(language), float(probability)
    with _lock:
        _found[key] = found
        while len(_found) > KEPT:
            _found.popitem(last=False)
    return found


def other_language_at_once(text: str, expected: str) -> str | None:
    """As `other_language`, but never waits: None while what tells languages apart is being read, a second after the first call."""
    if not _loading.is_set():
        _loading.set()
        threading.Thread(target=_identifier, name="languages", daemon=True).start()
    return other_language(text, expected) if _loaded.is_set() else None


_found: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
_lock = threading.Lock()
_loading, _loaded = threading.Event(), threading.Event()


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    _loaded.set()
    return found
