"""What the statistics need of the texts, read once: lengths, sentences, and the words near what people marked.

All texts are laid end to end on one line of characters, as in `continua`: where a span's first and last sentence and word are is then a
binary search for all spans at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotator.teams.agreement.answers import Answers
from annotator.teams.agreement.continua import Marks
from annotator.teams.agreement.figures import Ints
from encoder.text.sentences import sentence_ranges
from storage.matching import words_near


@dataclass(frozen=True, slots=True)
class Line:
    """Pieces of the texts, where they begin and end on the line, in order; shapes (pieces,)."""

    start: Ints
    end: Ints

    def touched(self, start: Ints, end: Ints) -> tuple[Ints, Ints]:
        """Numbers of the first piece that shares a character with each `[start, end)`, and of the one after the last."""
        first = np.searchsorted(self.end, start, side="right")
        return first, np.maximum(first, np.searchsorted(self.start, end, side="left"))


@dataclass(frozen=True, slots=True)
class Texts:
    """lengths: characters of each post; sentences: how many each has; shapes (posts,). Of posts without a mark only these are known."""

    lengths: Ints
    sentences: Ints
    base: Ints  # where each post begins on the line
    of_sentences: Line
    of_words: Line

    @classmethod
    def read(cls, answers: Answers) -> Texts:
        """One pass over the texts of all posts."""
        low, high = _marked(answers)
        lengths, counts, bases = [], [], []
        sentences, words = _Pieces(), _Pieces()
        base = 0
        everything = range(len(answers.posts))
        for text, start, end in zip(answers.texts(everything), low.tolist(), high.tolist(), strict=True):
            found = sentence_ranges(text)
            lengths.append(len(text))
            counts.append(len(found))
            bases.append(base)
            if end:
                sentences.add(base, found)
                words.add(base, words_near(text, start, end))
            base += len(text)
        length, count, begin = (np.array(column, dtype=np.int64) for column in (lengths, counts, bases))
        return cls(length, count, begin, sentences.line(), words.line())

    def in_sentences(self, answers: Answers) -> Marks:
        """The marks by the sentences that they touch; those that touch none (blanks between two) are left out."""
        first, last = self.of_sentences.touched(*self._on_line(answers))
        before = self.of_sentences.touched(*[self.base[answers.post[answers.marks.answer]]] * 2)[0]
        kept = last > first
        return Marks(answers.marks.answer[kept], (first - before)[kept], (last - before)[kept])

    def words_of(self, answers: Answers) -> tuple[Ints, Ints]:
        """Numbers of the first word that each mark touches and of the one after the last, counted along the line."""
        return self.of_words.touched(*self._on_line(answers))

    def _on_line(self, answers: Answers) -> tuple[Ints, Ints]:
        base = self.base[answers.post[answers.marks.answer]]
        return base + answers.marks.start, base + answers.marks.end


class _Pieces:
    """Pieces of text, as they come."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def add(self, base: int, ranges: list[tuple[int, int]]) -> None:
        self.starts += [base + start for start, _ in ranges]
        self.ends += [base + end for _, end in ranges]

    def line(self) -> Line:
        return Line(np.array(self.starts, dtype=np.int64), np.array(self.ends, dtype=np.int64))


def _marked(answers: Answers) -> tuple[Ints, Ints]:
    """From where to where each post has marks, shape (posts,); 0 and 0 where it has none."""
    post = answers.post[answers.marks.answer]
    low = np.full(len(answers.posts), np.iinfo(np.int64).max)
    high = np.zeros(len(answers.posts), np.int64)
    np.minimum.at(low, post, answers.marks.start)
    np.maximum.at(high, post, answers.marks.end)
    return np.where(high > 0, low, 0), high
