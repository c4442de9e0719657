"""The bundled model's tokenizer, trained on the corpus and on general text: lower case, byte fallback, exact offsets."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from encoder.config import PROMPT_TOKENS
from encoder.text.tokenizer import TextTokenizer

_SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *PROMPT_TOKENS]
_BYTES = [f"<0x{value:02X}>" for value in range(256)]
FIRST_WORD = len(_SPECIAL) + len(_BYTES)
"""Id of the first token that is neither a mark nor a byte."""
_STRAIGHT = {"’": "'", "‘": "'", "“": '"', "”": '"'}
_WORDS = r"[\p{L}\p{M}]+(?:'[\p{L}\p{M}]+)*|\p{N}|[^\s\p{L}\p{M}\p{N}]"


def train_tokenizer(texts: Iterable[str], size: int) -> TextTokenizer:
    """Byte-pair encoding of `size` tokens. Words are the same token wherever they stand: white space is not encoded."""
    backend = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))  # noqa: S106
    straight = [normalizers.Replace(curly, plain) for curly, plain in _STRAIGHT.items()]
    backend.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase(), *straight])
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\s+"), behavior="removed"),
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=3, special_tokens=_SPECIAL + _BYTES, limit_alphabet=200, show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    return TextTokenizer(_without_special_bytes(backend))


def _without_special_bytes(backend: Tokenizer) -> Tokenizer:
    """Bytes must be ordinary tokens, or the text "<0x41>" would be read as one."""
    state = json.loads(backend.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] not in _BYTES]
    plain: Tokenizer = Tokenizer.from_str(json.dumps(state))
    return plain
