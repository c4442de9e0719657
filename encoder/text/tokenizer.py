"""The tokenizer: text to ids and offsets, and the marks of the prompt. The `tokenizers` library only, no torch.

Ids of special tokens are put in by number. Text is always encoded as text: a post that contains "[/POST]" or "<eos>" cannot
close its own prompt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from encoder.errors import ModelUnusable
from encoder.text.offsets import TokenMap

TOKENIZER_FILE = "tokenizer.json"
TOKENIZER_CONFIG_FILE = "tokenizer_config.json"
_NAMES = {"pad": "<pad>", "bos": "<bos>", "eos": "<eos>", "unk": "<unk>", "mask": "<mask>"}


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text as token ids, with where each token lies in it."""

    ids: list[int]
    map: TokenMap


@dataclass(frozen=True)
class TextTokenizer:
    """A tokenizer with offsets. `settings` is what its `tokenizer_config.json` says."""

    backend: Tokenizer
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # stored truncation would cut posts in silence, stored padding would add tokens without characters
        self.backend.no_truncation()
        self.backend.no_padding()
        self.backend.encode_special_tokens = True

    @classmethod
    def load(cls, directory: Path) -> TextTokenizer:
        """The tokenizer of a model directory. Raises ModelUnusable if there is none, or none with offsets."""
        path = directory / TOKENIZER_FILE
        settings = _read_settings(directory / TOKENIZER_CONFIG_FILE)
        if not path.exists():
            return cls(_converted(directory), settings)
        try:
            return cls(Tokenizer.from_file(str(path)), settings)
        except Exception as error:  # the library raises plain Exception for every damage
            raise ModelUnusable(f"{path} is damaged: {error}") from error

    def encode(self, text: str) -> Encoded:
        """`text` as ids without special tokens, and where they lie in it."""
        encoding = self.backend.encode(text, add_special_tokens=False)
        return Encoded(encoding.ids, TokenMap.of(text, encoding.offsets))

    def ids(self, text: str) -> list[int]:
        return self.backend.encode(text, add_special_tokens=False).ids

    def id_of(self, token: str) -> int | None:
        return self.backend.token_to_id(token)

    def special(self, role: str) -> int | None:
        """Id of the token for `pad`, `bos`, `eos`, `unk` or `mask`, or None if there is no such token."""
        named = self.settings.get(f"{role}_token")
        name = named.get("content") if isinstance(named, dict) else named
        return self.id_of(name or _NAMES[role])

    def add(self, tokens: Sequence[str]) -> int:
        """Add special tokens; returns how many were new. Those that are there become special, so that no text can hold one."""
        new = sum(self.id_of(t) is None for t in tokens)
        self.backend.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in tokens])
        return new

    @property
    def size(self) -> int:
        """One more than the largest id."""
        return max(self.backend.get_vocab(with_added_tokens=True).values()) + 1

    def save(self, directory: Path) -> None:
        """Write `tokenizer.json` and a `tokenizer_config.json` that AutoTokenizer understands."""
        self.backend.save(str(directory / TOKENIZER_FILE))
        known = {f"{role}_token": name for role, name in _NAMES.items() if self.id_of(name) is not None}
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", **known, **self.settings}
        settings.pop("auto_map", None)
        text = json.dumps(settings, indent=2, ensure_ascii=False, sort_keys=True)
        (directory / TOKENIZER_CONFIG_FILE).write_text(text + "\n", encoding="utf-8")


def _read_settings(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        settings = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnusable(f"{path} cannot be read: {error}") from error
    return settings if isinstance(settings, dict) else {}


def _converted(directory: Path) -> Tokenizer:
    """A fast tokenizer made from SentencePiece files by transformers, which takes seconds and needs its extras."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(directory), trust_remote_code=False)
    except (OSError, ValueError, ImportError, KeyError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelUnusable(f"{directory} holds no tokenizer that can be read: {reason}") from error
    if not tokenizer.is_fast:
        raise ModelUnusable(
            f"The tokenizer in {directory} gives no offsets, so tokens cannot be placed in the text; "
            f"a fast one ({TOKENIZER_FILE}) is needed."
        )
    backend: Tokenizer = tokenizer.backend_tokenizer
    return backend
