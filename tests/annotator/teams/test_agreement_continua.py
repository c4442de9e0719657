"""Unitizing and sentence agreement against a published example and a count of every character, and the properties they must have.

The example is that of section 12.6 in Krippendorff, Content Analysis, 4th edition (2019), figure 12.11: the book's account of the family
of Krippendorff, Mathet, Bouvry and Widlöcher (2016). Neither the book nor the paper was at hand: data and printed figures are as the
tests of the R package quallmer give them. uα, cuα and (k)uα come out as printed. Of |uα .413 is printed and .4136 comes out: the printed
one is what expected coincidences rounded to one decimal give. So every figure is also counted by the letter of the definition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest

from annotator.teams.agreement import continua, verdicts
from annotator.teams.agreement.continua import Marks, unitizing_alphas
from annotator.teams.agreement.gamma import dissimilarity, gamma, least_disorder
from tests.annotator.teams.oracles import nominal_alpha

Spans = list[tuple[int, int]]


def sums_of(texts: list[tuple[int, list[Spans]]]) -> np.ndarray:
    """`coincidences` of texts (length, spans of each person), summed."""
    rows, unit = [], []
    for number, (_, people) in enumerate(texts):
        for spans in people:
            rows += [(len(unit), start, end) for start, end in spans]
            unit.append(number)
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    lengths = np.array([length for length, _ in texts])
    return continua.coincidences(Marks(*columns), np.array(unit), lengths).sum(axis=0)


def alpha_of(texts: list[tuple[int, list[Spans]]]) -> float:
    with np.errstate(invalid="ignore"):
        return float(continua.unitizing_alpha(sums_of(texts)))


def counted_by_character(texts: list[tuple[int, list[Spans]]]) -> Fraction:
    """|uα in exact fractions by the letter of the definition: every pair of people, every character."""
    observed = {(a, b): Fraction(0) for a in (0, 1) for b in (0, 1)}
    own = {0: 0, 1: 0}
    for length, people in texts:
        marked = [[any(s <= i < e for s, e in spans) for i in range(length)] for spans in people]
        for one, other in permutations(marked, 2):
            for a, b in zip(one, other, strict=True):
                observed[a, b] += Fraction(1, len(people) - 1)
        for line in marked:
            runs = "".join("x" if m else " " for m in line).split()
            own[1] += sum(len(run) ** 2 for run in runs)
            own[0] += line.count(False)
    total = sum(observed.values())
    of_value = {a: observed[a, 0] + observed[a, 1] for a in (0, 1)}
    expected = total * of_value[0] * of_value[1] / (total**2 - own[0] - own[1])
    return 1 - observed[0, 1] / expected


def counted_family(people: list[continua.Unitization], length: int) -> dict[str, float | None]:
    """uα, |uα and cuα by exact fractions, position by position: no unit is paired with itself, and no position of a gap."""
    lines = [
        [next((n for n, (s, e, _) in enumerate(units) if s <= i < e), None) for i in range(length)] for units in people
    ]
    valued = [[None if n is None else units[n][2] for n in line] for units, line in zip(people, lines, strict=True)]
    each = Fraction(1, len(people) - 1)
    met = Counter[tuple[str | None, str | None]]()
    of_unit: dict[tuple[int, int], Fraction] = {}
    for (i, one), (_, other) in permutations(enumerate(valued), 2):
        met.update(Counter(zip(one, other, strict=True)))
        for at, (a, b) in enumerate(zip(one, other, strict=True)):
            if None not in (a, b):
                unit = (i, lines[i][at])
                of_unit[unit] = of_unit.get(unit, Fraction(0)) + each

    def alpha(seen: Counter[Any], own: Mapping[Any, Fraction | int]) -> float | None:
        """seen: how often which two values met; own: of each value, the pairs of a unit with itself."""
        lengths = Counter[Any]()
        for (a, _), times in seen.items():
            lengths[a] += times * each
        total = sum(lengths.values())
        differ = sum(times * each for (a, b), times in seen.items() if a != b)
        pairs = total**2 - sum(own.values())
        apart = pairs - sum(lengths[a] ** 2 - own[a] for a in lengths)
        return None if not apart else float(1 - differ * pairs / (total * apart))

    own = Counter[Any]({None: sum(line.count(None) for line in lines)})
    for units in people:
        for start, end, value in units:
            own[value] += (end - start) ** 2
    coded = Counter({pair: n for pair, n in met.items() if None not in pair})
    own_coded = Counter[Any]()
    for (i, n), shared in of_unit.items():
        own_coded[people[i][n][2]] += shared**2
    whole = Counter[Any]()
    for (a, b), n in met.items():
        whole[a is None, b is None] += n
    of_marked = {True: own[None], False: sum(n for value, n in own.items() if value is not None)}
    return {"u": alpha(met, own), "binary": alpha(whole, of_marked), "coding": alpha(coded, own_coded)}


PUBLISHED: list[continua.Unitization] = [
    [(0, 7, "1"), (7, 13, "2"), (30, 32, "5"), (32, 37, "6"), (37, 44, "6"), (44, 60, "7")],
    [(0, 7, "1"), (7, 13, "3"), (13, 21, "5"), (32, 44, "6")],
    [(0, 7, "1"), (7, 13, "4"), (13, 21, "5"), (32, 37, "6"), (37, 41, "6"), (41, 44, "6")],
]


def test_a_published_example_comes_out_as_printed() -> None:
    family = unitizing_alphas(PUBLISHED, 60)
    assert (round(family.u or 0, 3), round(family.coding or 0, 3)) == (0.510, 0.724)
    assert family.by_value == {**dict.fromkeys("156", 1.0), **dict.fromkeys("234", 0.0), "7": None}
    apart = 26  # positions, in pairs of people, that one marked and the other did not
    assert round(1 - apart / round(apart / (1 - (family.binary or 0)), 1), 3) == 0.413


@pytest.mark.parametrize("seed", range(8))
def test_the_whole_family_is_what_a_count_of_every_position_gives(seed: int) -> None:
    random = np.random.default_rng(seed)
    drawn = [(length, people) for length, people in random_texts(seed) if all(people)]
    texts = [([[(s, e, "abc"[random.integers(3)]) for s, e in units] for units in people], n) for n, people in drawn]
    for people, length in [*texts, (PUBLISHED, 60)]:
        family, counted = unitizing_alphas(people, length), counted_family(people, length)
        for name, value in counted.items():
            assert getattr(family, name) == (value if value is None else pytest.approx(value, abs=1e-12)), name


def random_texts(seed: int, *, most_people: int = 5) -> list[tuple[int, list[Spans]]]:
    random = np.random.default_rng(seed)
    texts = []
    for _ in range(4):
        length = int(random.integers(20, 60))
        people = []
        for _ in range(int(random.integers(2, most_people + 1))):
            borders = np.sort(random.choice(length + 1, size=2 * int(random.integers(0, 4)), replace=False)).tolist()
            people.append(list(zip(borders[::2], borders[1::2], strict=True)))
        texts.append((length, people))
    return texts


@pytest.mark.parametrize("seed", range(15))
def test_the_sweep_counts_what_a_count_of_every_character_gives(seed: int) -> None:
    texts = random_texts(seed)
    assert alpha_of(texts) == pytest.approx(float(counted_by_character(texts)), abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_one_text_with_one_value_gives_the_same_as_the_whole_family(seed: int) -> None:
    length, people = random_texts(seed)[0]
    family = unitizing_alphas([[(s, e, "x") for s, e in spans] for spans in people], length)
    assert family.u == pytest.approx(family.binary)
    assert family.coding is None
    touching = any(a[1] == b[0] for spans in people for a, b in pairwise(spans))
    if not touching and family.binary is not None:
        assert alpha_of([(length, people)]) == pytest.approx(family.binary, abs=1e-12)


def test_the_family_of_a_small_continuum_equals_the_figures_worked_out_by_hand() -> None:
    """Ten characters, two people: 'a' at 0:4 and 'b' at 6:8 against 'a' at 0:2 and 'b' at 6:10.

    Coincidences: aa 4, bb 4, -- 4, a- 2 and -a 2, b- 2 and -b 2 (20 in all). Own pairs: a 16 + 4, b 4 + 16, gaps 4 + 4.
    By chance: a 6 x 6 - 20, b 6 x 6 - 20, gaps 8 x 8 - 8, over 400 - 48, times 20.
    """
    family = unitizing_alphas([[(0, 4, "a"), (6, 8, "b")], [(0, 2, "a"), (6, 10, "b")]], 10)
    by_chance = Fraction(20, 400 - 48)
    same = by_chance * ((36 - 20) + (36 - 20) + (64 - 8))
    assert family.u == pytest.approx(float(1 - Fraction(8) / (20 - same)))
    assert family.binary == pytest.approx(float(1 - Fraction(8) / (2 * by_chance * 8 * 12)))
    assert family.coding == pytest.approx(1.0)
    assert family.by_value == {"a": pytest.approx(1.0), "b": pytest.approx(1.0)}


def test_people_who_code_the_same_units_differently_lose_coding_and_keep_the_binary_coefficient() -> None:
    units = [(0, 3), (5, 9), (12, 20)]
    one = [(*u, v) for u, v in zip(units, "aab", strict=True)]
    other = [(*u, v) for u, v in zip(units, "abb", strict=True)]
    family = unitizing_alphas([one, other], 25)
    assert family.binary == pytest.approx(1.0)
    assert family.u is not None
    assert family.coding is not None
    assert family.coding < family.u < 1


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_people_and_of_posts_changes_nothing(seed: int) -> None:
    texts = random_texts(seed)
    turned = [(length, people[::-1]) for length, people in texts[::-1]]
    assert alpha_of(turned) == pytest.approx(alpha_of(texts), abs=1e-12)
    assert gamma([texts[0]], seed=1).observed == pytest.approx(gamma([turned[-1]], seed=1).observed)


@pytest.mark.parametrize("seed", range(5))
def test_a_span_split_into_two_touching_ones_changes_nothing(seed: int) -> None:
    texts = random_texts(seed)
    split = [
        (length, [[half for s, e in spans for half in _halves(s, e)] for spans in people]) for length, people in texts
    ]
    assert alpha_of(split) == pytest.approx(alpha_of(texts), abs=1e-12)


def _halves(start: int, end: int) -> Spans:
    middle = (start + end) // 2
    return [(start, end)] if middle in (start, end) else [(start, middle), (middle, end)]


def test_equal_marks_give_one_and_no_mark_or_one_person_gives_nothing() -> None:
    same = [(30, [[(3, 9)], [(3, 9)], [(3, 9)]]), (40, [[], []])]
    assert alpha_of(same) == pytest.approx(1.0)
    assert np.isnan(alpha_of([(30, [[], []])]))
    assert np.isnan(alpha_of([(30, [[(2, 5)]])]))
    assert np.isnan(alpha_of([(30, [[(0, 30)], [(0, 30)]])]))


def test_sentence_agreement_is_krippendorffs_alpha_over_sentences() -> None:
    """Positions are sentences; each is one unit that everybody marked or did not."""
    texts = [(6, [[(0, 2)], [(1, 2)], [(1, 3)]]), (4, [[(3, 4)], []]), (5, [[], [(0, 1)], [], []])]
    units = [[any(s <= i < e for s, e in spans) for spans in people] for length, people in texts for i in range(length)]
    ours = float(verdicts.alpha_of_coincidences(sums_of(texts)[:4]))
    assert ours == pytest.approx(nominal_alpha(units), abs=1e-12)


def test_gamma_of_equal_spans_is_one_and_of_a_shifted_one_is_its_disorder_over_chance() -> None:
    assert gamma([(50, [[(5, 15)], [(5, 15)]])]).value == pytest.approx(1.0)
    near = gamma([(200, [[(5, 15)], [(6, 16)]])], seed=3)
    assert near.observed == pytest.approx(dissimilarity((5, 15), (6, 16)))
    assert near.value == pytest.approx(1 - near.observed / near.expected)
    assert gamma([(200, [[(5, 15)], [(6, 16)]])], seed=3) == near
    assert gamma([(50, [[], []])]).value is None


@pytest.mark.parametrize("seed", range(8))
def test_a_third_person_without_spans_adds_one_empty_pair_for_each_span_of_the_two(seed: int) -> None:
    """So that the integer program for many people is held against the assignment for two: three pairs instead of one."""
    for _, people in random_texts(seed, most_people=2):
        alone = least_disorder([*people, []])
        joined = best_by_trying_all(people)
        assert least_disorder(people) == pytest.approx(joined(0.0, 1), abs=1e-9)
        assert alone == pytest.approx(joined(1.0, 3), abs=1e-9)


def best_by_trying_all(people: list[Spans]):
    one, other = people

    def least(per_unit: float, pairs: int) -> float:
        """The cheapest alignment, where each unit of the two costs `per_unit` more to leave out a third person."""

        def rest(i: int, free: frozenset[int]) -> float:
            if i == len(one):
                return len(free) * (1 + per_unit) / pairs
            alone = (1 + per_unit) / pairs + rest(i + 1, free)
            matched = [(dissimilarity(one[i], other[j]) + 2 * per_unit) / pairs + rest(i + 1, free - {j}) for j in free]
            return min([alone, *matched])

        return rest(0, frozenset(range(len(other))))

    return least


def test_the_best_alignment_of_three_people_is_the_cheapest_of_all() -> None:
    people = [[(0, 10)], [(1, 11)], [(30, 40)]]
    together = dissimilarity((0, 10), (1, 11)) + 2 * 1.0
    assert least_disorder(people) == pytest.approx((together + 2) / 3)
