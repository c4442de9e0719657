"""Tables of agreement: by criterion, by pair of people, over time; and which criteria are taken for one another."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from annotator.teams.agreement import continua, spans, verdicts
from annotator.teams.agreement.answers import CATEGORIES, UNSURE, Answers
from annotator.teams.agreement.figures import Array, Bootstrap, Figure, Ints, figure
from annotator.teams.agreement.gamma import Gamma, gamma
from annotator.teams.agreement.texts import Texts
from storage.matching import AGREEMENT_IOU

ALL = ""  # the row over all criteria
SPAN_MEASURES: Mapping[str, Callable[[Array], Array]] = {
    "span_f1_exact": spans.f1_exact,
    "span_f1": spans.f1_by_words,
    "border_distance": spans.border_distance,
}
NO_PAIR = "no two people answered the same post"
NO_SPAN = "nobody marked a passage there"
ONE_CATEGORY = "everybody always gave the same verdict, so chance cannot be taken off"
NO_OVERLAP = "no two spans of different people overlap"


@dataclass(frozen=True, slots=True)
class Row:
    """Figures by name. criterion: its id, or ALL. posts: with two answers or more. pairs: of answers that were compared."""

    criterion: str
    posts: int
    units: int
    pairs: int
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two people's agreement; `confusion[i][j]`: units for which the one said CATEGORIES[i] and the other CATEGORIES[j]."""

    one: str
    other: str
    units: int
    confusion: list[list[int]]
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Marked:
    """A passage as one person marked it, for which criterion."""

    person: str
    criterion: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class MixedUp:
    """A place of a post that two people marked for two criteria."""

    post: str
    one: Marked
    other: Marked


_Span = tuple[int, int, int]  # number of the criterion, start, end


class _Mixed(NamedTuple):
    """`MixedUp` in numbers; criteria: the lower number first."""

    post: int
    people: tuple[int, int]
    spans: tuple[_Span, _Span]
    criteria: tuple[int, int]


class Agreement:
    """The figures of a set of answers. Everything is computed once, per (post, criterion), and then summed as asked."""

    def __init__(
        self,
        answers: Answers,
        *,
        threshold: float = AGREEMENT_IOU,
        seed: int = 0,
        replicates: int = 1000,
        bootstrap: Bootstrap | None = None,
    ) -> None:
        self.answers = answers
        self.threshold = threshold
        self.bootstrap = bootstrap or Bootstrap(len(answers.posts), seed=seed, replicates=replicates)
        self._unit, self._unit_post, self._unit_criterion = answers.units()

    def by_criterion(self) -> list[Row]:
        """One row for each criterion that has an answer, in their order, and before them the row of all."""
        present = [c for c in range(len(self.answers.criteria)) if (self._unit_criterion == c).any()]
        everything = np.ones(len(self._unit_post), bool)
        return [
            self._row(ALL, everything),
            *(self._row(self.answers.criteria[c], self._unit_criterion == c) for c in present),
        ]

    def by_pair(self) -> list[PairRow]:
        """One row for each two people who answered something in common, by name."""
        left, right = self.pairs
        keys = self.answers.person[left] * len(self.answers.people) + self.answers.person[right]
        rows = []
        for key in np.unique(keys):
            rows.append(self._pair_row(int(key), keys == key))
        return sorted(rows, key=lambda row: (row.one, row.other))

    def of_posts(self, name: str, posts: Iterable[str], *, without: Collection[tuple[str, str]] = ()) -> Row:
        """The row of all criteria over these posts. without: (post, person) whose answers are left out."""
        if without:
            return self._without(without).of_posts(name, posts)
        number = {post: n for n, post in enumerate(self.answers.posts)}
        chosen = np.zeros(len(self.answers.posts), bool)
        chosen[[number[post] for post in posts if post in number]] = True
        return self._row(name, chosen[self._unit_post])

    def _without(self, left_out: Collection[tuple[str, str]]) -> Agreement:
        """The figures without the answers of these (post, person), over the same resamples."""
        answers, people = self.answers, len(self.answers.people)
        post = {name: n for n, name in enumerate(answers.posts)}
        person = {name: n for n, name in enumerate(answers.people)}
        keys = [post[p] * people + person[q] for p, q in left_out if p in post and q in person]
        kept = answers.where(~np.isin(answers.post * people + answers.person, keys))
        return Agreement(kept, threshold=self.threshold, bootstrap=self.bootstrap)

    def over_time(self, period: Callable[[str], str]) -> list[tuple[str, Row]]:
        """A row for each period of the day on which a unit got its last answer, oldest first: of all criteria, then of each.

        period: from a day, as 2026-11-30, to the name of its period, whose order is that of time. Verdicts only; the rows of single
        criteria have no intervals.
        """
        days, day = np.unique(self.answers.at.astype("U10"), return_inverse=True)
        last = np.zeros(len(self._unit_post), np.int64)
        np.maximum.at(last, self._unit, day)
        names, of_unit = np.unique(np.array([period(str(name)) for name in days])[last], return_inverse=True)
        rows = []
        for number, name in enumerate(names):
            then = of_unit == number
            rows.append((str(name), self._row(ALL, then, spans_too=False)))
            for c in np.unique(self._unit_criterion[then]):
                of_both = then & (self._unit_criterion == c)
                rows.append((str(name), self._row(self.answers.criteria[c], of_both, spans_too=False, intervals=False)))
        return rows

    def confusions(self) -> list[tuple[str, str, int]]:
        """(criterion of the one, criterion of the other, how often): passages that two people marked, each for another criterion."""
        found = Counter((m.criteria[0], m.criteria[1]) for m in self._mixed_up())
        names = self.answers.criteria
        return [(names[a], names[b], n) for (a, b), n in sorted(found.items(), key=lambda item: (-item[1], item[0]))]

    def passages_of(self, one: str, other: str) -> list[MixedUp]:
        """The passages that two people marked, one of them for `one` and the other for `other`, by post, and who they are."""
        number = {criterion: n for n, criterion in enumerate(self.answers.criteria)}
        wanted = tuple(sorted(number.get(criterion, -1) for criterion in (one, other)))
        return [self._named(m) for m in self._mixed_up() if m.criteria == wanted]

    def _named(self, mixed: _Mixed) -> MixedUp:
        (a, b), (c, d) = mixed.spans, mixed.people
        answers = self.answers
        marks = [
            Marked(answers.people[who], answers.criteria[criterion], start, end)
            for who, (criterion, start, end) in ((c, a), (d, b))
        ]
        return MixedUp(answers.posts[mixed.post], marks[0], marks[1])

    def _mixed_up(self) -> Iterable[_Mixed]:
        """Each two spans that meet, marked by two people for two criteria, where neither marked anything there for the other's."""
        for post, marked in sorted(self._spans_by_post_and_person().items()):
            for (p, one), (q, other) in itertools.combinations(sorted(marked.items()), 2):
                for a, b in _taken_for(one, other):
                    yield _Mixed(post, (p, q), (a, b), (min(a[0], b[0]), max(a[0], b[0])))

    def gamma(self, criterion: str, *, seed: int = 0, samples: int = 30) -> Gamma:
        """Gamma of one criterion; takes a second per hundred posts or so."""
        chosen = self.answers.where(
            (self.answers.criterion == self.answers.criteria.index(criterion)) & (self.answers.verdict != UNSURE)
        )
        people: dict[int, dict[int, list[tuple[int, int]]]] = {}
        for post, person in zip(chosen.post.tolist(), chosen.person.tolist(), strict=True):
            people.setdefault(post, {})[person] = []
        for answer, start, end in _rows_of(chosen.marks):
            people[int(chosen.post[answer])][int(chosen.person[answer])].append((start, end))
        texts = [(int(self._texts.lengths[post]), list(of.values())) for post, of in people.items()]
        return gamma(texts, seed=seed, samples=samples)

    # --- what is summed, by unit or by pair of answers

    def _row(self, name: str, chosen: NDArray[np.bool_], *, spans_too: bool = True, intervals: bool = True) -> Row:
        post = self._unit_post[chosen]
        verdict_sums = self._verdict_sums[chosen]
        several = verdict_sums[:, 1] > 0
        units = int(several.sum())
        left, _ = self.pairs
        of_pairs = chosen[self._unit[left]]
        figures = self._verdict_figures(verdict_sums, post if intervals else None, units)
        if spans_too:
            figures["cohen_kappa"] = self._mean_cohen(of_pairs, units)
            figures |= self._continuum_figures(chosen, post)
            figures |= self._span_figures(of_pairs)
        return Row(name, len(np.unique(post[several])), units, int(of_pairs.sum()), figures)

    def _verdict_figures(self, sums: Array, post: Ints | None, units: int) -> dict[str, Figure]:
        used = sums[:, 3 : 3 + len(CATEGORIES)].sum(axis=0) > 0
        columns = [True, True, True, *used, *np.outer(used, used).ravel()]  # AC1 counts the categories that are in use
        kept = sums[:, columns]
        summed = (kept.sum(axis=0), None) if post is None else self.bootstrap.sums(kept, post)
        reason = ONE_CATEGORY if units else NO_PAIR
        return {
            name: figure(summed, coefficient, units=units, reason=NO_PAIR if name == "percent" else reason)
            for name, coefficient in verdicts.COEFFICIENTS.items()
        }

    def _mean_cohen(self, of_pairs: NDArray[np.bool_], units: int) -> Figure:
        left, right = (rows[of_pairs] for rows in self.pairs)
        pair = self.answers.person[left] * len(self.answers.people) + self.answers.person[right]
        keys, number = np.unique(pair, return_inverse=True)
        if not len(keys):
            return Figure(None, reason=NO_PAIR)
        cell = number * 9 + self.answers.verdict[left] * 3 + self.answers.verdict[right]
        total = self.bootstrap.sums_of_cells(cell, self.answers.post[left], columns=len(keys) * 9)
        return figure(total, verdicts.mean_cohen_kappa, units=units, reason=ONE_CATEGORY)

    def _continuum_figures(self, chosen: NDArray[np.bool_], post: Ints) -> dict[str, Figure]:
        figures = {}
        for name, sums, statistic in (
            ("sentence_alpha", self._sentence_sums, lambda s: verdicts.alpha_of_coincidences(s[..., :4])),
            ("unitizing_alpha", self._character_sums, continua.unitizing_alpha),
        ):
            of_units = sums[chosen]
            several = int((of_units[:, 0] + of_units[:, 3] > 0).sum())
            summed = self.bootstrap.sums(of_units, post)
            figures[name] = figure(summed, statistic, units=several, reason=NO_SPAN if several else NO_PAIR)
        return figures

    def _span_figures(self, of_pairs: NDArray[np.bool_]) -> dict[str, Figure]:
        left, _ = self.pairs
        sums = self._pair_sums[of_pairs]
        summed = self.bootstrap.sums(sums, self.answers.post[left[of_pairs]])
        marked, compared = int(sums[:, 0].sum()), int(sums[:, 4].sum())
        return {
            name: figure(
                summed,
                statistic,
                units=compared if name == "border_distance" else marked,
                reason=NO_OVERLAP if name == "border_distance" and marked else NO_SPAN if len(sums) else NO_PAIR,
            )
            for name, statistic in SPAN_MEASURES.items()
        }

    def _pair_row(self, key: int, chosen: NDArray[np.bool_]) -> PairRow:
        left, right = (rows[chosen] for rows in self.pairs)
        cell = self.answers.verdict[left] * 3 + self.answers.verdict[right]
        summed = self.bootstrap.sums_of_cells(cell, self.answers.post[left], columns=9)
        counts = summed[0].reshape(3, 3).astype(int).tolist()
        figures = {
            "percent": figure(
                summed, lambda s: np.asarray(s[..., ::4].sum(axis=-1) / s.sum(axis=-1)), units=len(left), reason=NO_PAIR
            ),
            "cohen_kappa": figure(summed, verdicts.cohen_kappa, units=len(left), reason=ONE_CATEGORY),
            **self._span_figures(chosen),
        }
        one, other = divmod(key, len(self.answers.people))
        return PairRow(self.answers.people[one], self.answers.people[other], len(left), counts, figures)

    @cached_property
    def pairs(self) -> tuple[Ints, Ints]:
        """Rows of every two answers to the same (post, criterion), see `Answers.pairs`."""
        return self.answers.pairs()

    @cached_property
    def _verdict_sums(self) -> Array:
        counts = verdicts.counts_of(
            self._unit, self.answers.verdict, units=len(self._unit_post), categories=len(CATEGORIES)
        )
        return verdicts.sums_by_unit(counts)

    @cached_property
    def _sure(self) -> tuple[Answers, Ints]:
        """Answers that say yes or no, and the unit of each: `unsure` says nothing about passages."""
        sure = self.answers.verdict != UNSURE
        return self.answers.where(sure), self._unit[sure]

    @cached_property
    def _texts(self) -> Texts:
        return Texts.read(self.answers)

    @cached_property
    def _character_sums(self) -> Array:
        answers, unit = self._sure
        return continua.coincidences(answers.marks, unit, self._texts.lengths[self._unit_post])

    @cached_property
    def _sentence_sums(self) -> Array:
        answers, unit = self._sure
        marks, lengths = self._texts.in_sentences(answers), self._texts.sentences[self._unit_post]
        return continua.coincidences(marks, unit, lengths)

    @cached_property
    def _pair_sums(self) -> Array:
        """What `spans.pair_sums` says of each pair of answers, shape (pairs, 5); zero where one of them is unsure."""
        left, right = self.pairs
        answers, marks = self.answers, self.answers.marks
        sure = (answers.verdict[left] != UNSURE) & (answers.verdict[right] != UNSURE)
        sums = np.zeros((len(left), spans.COLUMNS))
        words = self._texts.words_of(answers)
        sums[sure] = spans.pair_sums(marks, words, (left[sure], right[sure]), threshold=self.threshold)
        return sums

    def _spans_by_post_and_person(self) -> dict[int, dict[int, list[tuple[int, int, int]]]]:
        found: dict[int, dict[int, list[tuple[int, int, int]]]] = {}
        for answer, start, end in _rows_of(self.answers.marks):
            post, person = int(self.answers.post[answer]), int(self.answers.person[answer])
            found.setdefault(post, {}).setdefault(person, []).append((int(self.answers.criterion[answer]), start, end))
        return found


def _rows_of(marks: continua.Marks) -> Iterable[tuple[int, int, int]]:
    columns: Any = (marks.answer.tolist(), marks.start.tolist(), marks.end.tolist())
    return zip(*columns, strict=True)


def _taken_for(one: list[_Span], other: list[_Span]) -> Iterable[tuple[_Span, _Span]]:
    """Spans that meet where neither person marked anything there for the other's criterion; one for each criterion."""
    for span in one:
        c, start, end = span
        meeting: dict[int, _Span] = {}
        for there in other:
            if there[1] < end and start < there[2]:
                meeting.setdefault(there[0], there)
        if c in meeting:
            continue
        own = {k for k, s, e in one if s < end and start < e}
        for d, there in meeting.items():
            if d not in own:
                yield span, there
