"""The wide part: a hashed table of word and character n-grams per sentence, trained jointly with the encoder.

Each sentence becomes a bag of hashed n-grams; the table gives one logit per known criterion, which is added to the encoder's
sentence logits. It learns recurring wording from a few corrections, as a linear model does. Rare n-grams weigh more (`idf`),
and words and characters each make a vector of length 1, as in a TF-IDF vectorizer.

Source: wide & deep learning, Cheng et al. 2016 (arXiv:1606.07792); feature hashing, Weinberger et al. 2009.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[?!]")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"'})
_LONGEST_RUN = 3  # words
_CHARACTER_ORDERS = (3, 4, 5)


class HashedNgrams(nn.Module):
    """Sentence texts -> logits of the known criteria. Starts at zero, so that it changes nothing before it is trained.

    The lower half of the buckets is for words, the upper half for characters. `idf` weighs the buckets: 1 for all of them
    until a corpus says otherwise, 0 for those too rare to have been learned.
    """

    idf: Tensor

    def __init__(self, buckets: int, criteria: int) -> None:
        super().__init__()
        self.buckets = buckets
        self.table = nn.EmbeddingBag(buckets, criteria, mode="sum")
        self.bias = nn.Parameter(torch.zeros(criteria))
        self.register_buffer("idf", torch.ones(buckets))
        nn.init.zeros_(self.table.weight)

    @staticmethod
    def features(sentence_texts: Sequence[str], buckets: int) -> tuple[Tensor, Tensor]:
        """Hashed n-grams of all sentences, flat, and where each sentence begins in them: int64 (n-grams,), (sentences,)."""
        half = buckets // 2
        ids: list[int] = []
        offsets: list[int] = []
        for text in sentence_texts:
            offsets.append(len(ids))
            words = _words(text)
            ids.extend({gram % half for gram in word_ngrams(words)})
            ids.extend(set().union(*(_character_buckets(word, half, buckets - half) for word in words)))
        return torch.tensor(ids, dtype=torch.int64), torch.tensor(offsets, dtype=torch.int64)

    def weights(self, ids: Tensor, offsets: Tensor) -> Tensor:
        """What each n-gram counts: its idf over the length of its sentence's word or character vector, (n-grams,)."""
        idf = self.idf[ids].float()
        ends = torch.cat([offsets[1:], offsets.new_tensor([len(ids)])])
        sentence = torch.repeat_interleave(torch.arange(len(offsets), device=ids.device), ends - offsets)
        vector = 2 * sentence + (ids >= self.buckets // 2)
        squares = idf.new_zeros(2 * len(offsets)).index_add(0, vector, idf * idf)
        return idf * squares.clamp(min=1e-12).rsqrt()[vector]

    def forward(self, ids: Tensor, offsets: Tensor) -> Tensor:
        """Logits, (sentences, criteria), fp32. ids (n-grams,) and offsets (sentences,), int64, as from `features`."""
        weights = self.weights(ids, offsets).to(self.table.weight.dtype)
        return (self.table(ids, offsets, per_sample_weights=weights) + self.bias).float()


def word_ngrams(words: Sequence[str]) -> Iterator[int]:
    """Hashes of the runs of one to three words with a space between them: a run's goes on from that of the one before it."""
    following = [_bytes(f" {word}") for word in words]
    for at, word in enumerate(following, start=1):
        run = zlib.crc32(word[1:])
        yield run
        for piece in following[at : at + _LONGEST_RUN - 1]:
            run = zlib.crc32(piece, run)
            yield run


def character_ngrams(word: str) -> Iterator[int]:
    """Hashes of the runs of three to five characters of a word with its edges marked; a shorter word is one run."""
    marked = f" {word} "
    for order in _CHARACTER_ORDERS:
        for start in range(max(1, len(marked) - order + 1)):
            yield zlib.crc32(_bytes(marked[start : start + order]))


@lru_cache(maxsize=1 << 14)  # most words of a text are among few, and each has some twenty runs
def _character_buckets(word: str, first: int, count: int) -> frozenset[int]:
    return frozenset(first + gram % count for gram in character_ngrams(word))


def _words(text: str) -> list[str]:
    """Words in lower case; of the punctuation, question and exclamation marks."""
    return _WORD.findall(unicodedata.normalize("NFC", text).translate(_QUOTES).lower())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
