"""Tables of agreement against the same figures worked out one answer at a time."""

from __future__ import annotations

import csv
import io
import itertools
import random
from collections import Counter

import numpy as np
import pytest

from annotator.teams import measuring
from annotator.teams.agreement.figures import Bootstrap
from annotator.teams.agreement.tables import ALL, Agreement, Marked, MixedUp
from annotator.teams.methods import methods_report
from annotator.teams.naming import ADJUDICATION, codes_of
from annotator.teams.reports import work_out
from annotator.teams.spreadsheet import of_passages, of_report
from encoder.text.sentences import sentences
from storage.records import AnnotatedSpan, Annotation, Post, Reviewer, Role, Verdict
from storage.store import Store
from storage.team_records import Assigned, Round, RoundKind, RoundPost, Suggestions
from tests.annotator.teams.answers import Given, answers_of
from tests.annotator.teams.oracles import nominal_alpha, pair_sums
from tests.builders import MOOD, SLEEP, a_post, an_annotation

TEXT = "I have not slept in weeks. Nothing is fun any more. I lie there, tired all day. My head is slow."
SLEPT, FUN, TIRED = (0, 26), (27, 51), (52, 79)


def a_study(seed: int, *, posts: int = 12) -> tuple[dict[str, str], list[Given]]:
    """Four people, three criteria, two or three readers a post, spans of varied borders."""
    draw = random.Random(seed)
    texts = {f"p{n:02d}": " ".join(draw.sample(TEXT.split(". "), 4)) + f". {'Tired! ' * (n % 3)}" for n in range(posts)}
    given: list[Given] = []
    for post, text in texts.items():
        for person in draw.sample(["ann", "ben", "cem", "dag"], draw.choice([1, 2, 3])):
            for criterion in ("FATIGUE", "FUN", "SLEEP"):
                verdict = draw.choices(["no_evidence", "evidence", "unsure"], [5, 4, 1])[0]
                starts = sorted(draw.sample(range(0, len(text) - 20, 7), 2)) if verdict == "evidence" else []
                given.append((post, criterion, person, verdict, [(s, s + draw.choice([3, 6])) for s in starts]))
    return texts, given


def pairs_of(given: list[Given], criterion: str = ALL) -> list[tuple[Given, Given]]:
    chosen = [g for g in given if criterion in (ALL, g[1])]
    return [(a, b) for a, b in itertools.combinations(sorted(chosen, key=lambda g: g[:3]), 2) if a[:2] == b[:2]]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("criterion", [ALL, "SLEEP"])
def test_percent_alpha_and_span_f1_equal_those_worked_out_answer_by_answer(seed: int, criterion: str) -> None:
    texts, given = a_study(seed)
    row = next(r for r in Agreement(answers_of(texts, given)).by_criterion() if r.criterion == criterion)
    pairs = pairs_of(given, criterion)
    by_unit: dict[tuple[str, str], list[bool]] = {}
    for a, b in pairs:
        by_unit.setdefault(a[:2], []).append(a[3] == b[3])
    assert row.units == len(by_unit)
    assert row.pairs == len(pairs)
    assert row.figures["percent"].value == pytest.approx(np.mean([np.mean(same) for same in by_unit.values()]))
    sure = [(a, b) for a, b in pairs if "unsure" not in (a[3], b[3])]
    exact = sum(len(set(a[4]) & set(b[4])) for a, b in sure)
    marked = sum(len(a[4]) + len(b[4]) for a, b in sure)
    assert row.figures["span_f1_exact"].value == pytest.approx(2 * exact / marked)
    assert row.figures["alpha"].value == pytest.approx(alpha_by_definition(given, criterion))
    assert row.figures["sentence_alpha"].value == pytest.approx(sentence_alpha_by_definition(texts, given, criterion))
    for name in ("percent", "fleiss_kappa", "gwet_ac1", "alpha", "cohen_kappa", "sentence_alpha", "unitizing_alpha"):
        figure = row.figures[name]
        assert figure.value is not None
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low - 0.05 <= figure.value <= figure.high + 0.05


def alpha_by_definition(given: list[Given], criterion: str) -> float:
    units: dict[tuple[str, str], list[str]] = {}
    for g in given:
        if criterion in (ALL, g[1]):
            units.setdefault(g[:2], []).append(g[3])
    return nominal_alpha(units.values())


def sentence_alpha_by_definition(texts: dict[str, str], given: list[Given], criterion: str) -> float:
    units: dict[tuple[str, str, int], list[bool]] = {}
    for g in given:
        if criterion in (ALL, g[1]) and g[3] != "unsure":
            for s in sentences(texts[g[0]]):
                units.setdefault((g[0], g[1], s.start), []).append(any(a < s.end and s.start < b for a, b in g[4]))
    return nominal_alpha(units.values())


@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_spans_of_all_pairs_at_once_are_matched_as_one_pair_at_a_time(threshold: float) -> None:
    """Crowded on purpose: spans of one person overlap, touch no word, or could be matched with two of the other's."""
    draw = random.Random(5)
    text = "One two, three -- four! Five  six?  (Seven) eight; nine 😀 ten."
    given: list[Given] = []
    for post in range(150):
        for person in ("ann", "ben", "cem"):
            starts = draw.sample(range(len(text) - 1), draw.randrange(5))
            ranges = sorted({(s, min(len(text), s + draw.choice([1, 2, 5, 9, 20]))) for s in starts})
            given.append((f"p{post:03d}", "C", person, "evidence" if ranges else "no_evidence", ranges))
    agreement = Agreement(answers_of({g[0]: text for g in given}, given), threshold=threshold)
    by_pair = {(row.one, row.other): row.figures for row in agreement.by_pair()}
    for one, other in itertools.combinations(("ann", "ben", "cem"), 2):
        both = [(a[4], b[4]) for a, b in pairs_of(given) if (a[2], b[2]) == (one, other)]
        sums = np.sum([pair_sums(a, b, text, threshold=threshold) for a, b in both], axis=0)
        figures = by_pair[one, other]
        assert figures["span_f1_exact"].value == pytest.approx(2 * sums[1] / sums[0])
        assert figures["span_f1"].value == pytest.approx(2 * sums[2] / sums[0])
        assert figures["border_distance"].value == pytest.approx(sums[3] / sums[4])


@pytest.mark.parametrize("seed", range(3))
def test_neither_the_order_of_people_and_posts_nor_where_spans_are_cut_changes_a_figure(seed: int) -> None:
    texts, given = a_study(seed)
    turned = {name: f"{9 - n}{name}" for n, name in enumerate(["ann", "ben", "cem", "dag"])}
    other = [(f"z{99 - int(post[1:])}", c, turned[who], verdict, spans) for post, c, who, verdict, spans in given[::-1]]
    halves = [(*g[:4], [h for s, e in g[4] for h in ((s, s + 1), (s + 1, e))]) for g in given]

    def values(texts: dict[str, str], given: list[Given]) -> dict[tuple[str, str], float | None]:
        rows = Agreement(answers_of(texts, given), replicates=2).by_criterion()
        return {(row.criterion, name): figure.value for row in rows for name, figure in row.figures.items()}

    found = values(texts, given)
    assert values({f"z{99 - int(p[1:])}": t for p, t in texts.items()}, other) == pytest.approx(found)
    kept = {key for key in found if not key[1].startswith(("span", "border"))}
    assert {k: v for k, v in values(texts, halves).items() if k in kept} == pytest.approx({k: found[k] for k in kept})


def test_nobody_one_person_and_people_who_are_always_of_one_mind(store: Store) -> None:
    assert work_out(store)["people"] == []
    assert [row["decisions"] for row in work_out(store)["criteria"]] == [0, 0]
    store.add_posts([Post(f"p{n}", TEXT) for n in range(3)])
    spans = tuple(AnnotatedSpan(*place) for place in (SLEPT, TIRED))
    for post in ("p0", "p1"):
        store.add_annotation(Annotation(post, "SLEEP_ISSUES", "ana", Verdict.EVIDENCE, spans), expected_revision=0)
    alone = work_out(store)
    assert alone["agreement"]["criteria"] == []
    assert (alone["people"][0]["others"], alone["people"][0]["gold"]["same"]) == (None, None)
    for post in ("p0", "p1"):
        store.add_annotation(Annotation(post, "SLEEP_ISSUES", "ben", Verdict.EVIDENCE, spans), expected_revision=0)
    report = work_out(store)
    figures = report["agreement"]["criteria"][0]["figures"]
    assert {n: f["value"] for n, f in figures.items()} == {
        **dict.fromkeys(
            ("percent", "sentence_alpha", "unitizing_alpha", "span_f1", "span_f1_exact"), pytest.approx(1.0)
        ),
        "border_distance": 0.0,
        **dict.fromkeys(("cohen_kappa", "fleiss_kappa", "gwet_ac1", "alpha")),
    }
    assert "same verdict" in figures["alpha"]["reason"]
    assert report["people"][0]["gold"]["same"] == 1.0
    assert "agreement by pair,ana,ben" in of_report(report)
    assert "nothing can be said about agreement" in methods_report(Store(store.path.with_name("new.db"))).markdown()


def test_the_table_of_pairs_counts_each_pair_of_verdicts() -> None:
    texts, given = a_study(1)
    rows = Agreement(answers_of(texts, given)).by_pair()
    names = ("no_evidence", "evidence", "unsure")
    for row in rows:
        pairs = [(a, b) for a, b in pairs_of(given) if (a[2], b[2]) == (row.one, row.other)]
        counts = Counter((a[3], b[3]) for a, b in pairs)
        assert row.confusion == [[counts[one, other] for other in names] for one in names]
        assert row.units == len(pairs)
        assert row.figures["percent"].value == pytest.approx(np.mean([a[3] == b[3] for a, b in pairs]))
    assert [(r.one, r.other) for r in rows] == sorted({(a[2], b[2]) for a, b in pairs_of(given)})


def test_a_span_that_takes_a_full_stop_more_is_the_same_one_and_its_borders_are_apart() -> None:
    given: list[Given] = [
        ("p", "SLEEP", "ann", "evidence", [SLEPT]),
        ("p", "SLEEP", "ben", "evidence", [(SLEPT[0], SLEPT[1] - 1)]),
    ]
    figures = Agreement(answers_of({"p": TEXT}, given)).by_criterion()[0].figures
    assert (figures["span_f1_exact"].value, figures["span_f1"].value) == (0.0, 1.0)
    assert figures["border_distance"].value == 0.5


def test_what_is_undefined_says_why() -> None:
    alone = Agreement(answers_of({"p": TEXT}, [("p", "SLEEP", "ann", "evidence", [SLEPT])])).by_criterion()[0]
    assert {f.value for f in alone.figures.values()} == {None}
    assert alone.figures["percent"].reason == "no two people answered the same post"
    nothing = [("p", "SLEEP", person, "no_evidence", []) for person in ("ann", "ben")]
    unanimous = Agreement(answers_of({"p": TEXT}, nothing)).by_criterion()[0].figures
    assert unanimous["percent"].value == 1.0
    assert unanimous["alpha"].value is None
    assert "same verdict" in unanimous["alpha"].reason
    assert unanimous["unitizing_alpha"].reason == "nobody marked a passage there"


def test_intervals_are_the_same_each_time_and_wider_with_fewer_posts() -> None:
    def interval(posts: int) -> tuple[float, float]:
        texts, given = a_study(3, posts=posts)
        figure = Agreement(answers_of(texts, given), seed=7).by_criterion()[0].figures["alpha"]
        assert figure.low is not None
        assert figure.high is not None
        return figure.low, figure.high

    few, many = interval(15), interval(400)
    assert few == interval(15)
    assert few[1] - few[0] > 2 * (many[1] - many[0])


def test_criteria_that_are_taken_for_one_another_are_counted() -> None:
    given: list[Given] = [
        ("p", "FATIGUE", "ann", "evidence", [TIRED]),
        ("p", "SLEEP", "ben", "evidence", [TIRED]),
        ("p", "FUN", "ann", "evidence", [FUN]),
        ("p", "FUN", "ben", "evidence", [FUN]),
    ]
    agreement = Agreement(answers_of({"p": TEXT}, given))
    assert agreement.confusions() == [("FATIGUE", "SLEEP", 1)]
    (mixed,) = agreement.passages_of("SLEEP", "FATIGUE")
    assert mixed == MixedUp("p", Marked("ann", "FATIGUE", *TIRED), Marked("ben", "SLEEP", *TIRED))
    assert agreement.passages_of("SLEEP", "FUN") == agreement.passages_of("SLEEP", "NONE") == []


def test_passages_that_are_taken_for_another_criterion_are_listed_but_not_to_who_reads_them_blind(store: Store) -> None:
    post = a_post("=I cannot sleep. 🌙 So tired.", id="p1")
    store.add_posts([post])
    for name in ("ann", "ben", "jo"):
        store.ensure_reviewer(name)
    store.update_reviewer("jo", role=Role.ADJUDICATOR)
    store.add_annotation(an_annotation(post, "=I cannot sleep", reviewer="ann"), expected_revision=0)
    store.add_annotation(an_annotation(post, reviewer="ben"), expected_revision=0)
    store.add_annotation(an_annotation(post, criterion=MOOD, reviewer="ann"), expected_revision=0)
    store.add_annotation(an_annotation(post, "cannot sleep", criterion=MOOD, reviewer="ben"), expected_revision=0)
    assert measuring.report(store)["confusions"] == [[MOOD.id, SLEEP.id, 1]]
    jo = Reviewer("jo", Role.ADJUDICATOR)
    (found,) = measuring.passages_mixed_up(store, jo, SLEEP.id, MOOD.id)
    assert [(m["person"], m["criterion"], m["words"]) for m in found["marks"]] == [
        (codes_of(store)["ann"], SLEEP.id, "=I cannot sleep"),
        (codes_of(store)["ben"], MOOD.id, "cannot sleep"),
    ]
    store.set_setting(ADJUDICATION, {"names": True})
    (found,) = measuring.passages_mixed_up(store, jo, SLEEP.id, MOOD.id)
    lines = list(csv.reader(io.StringIO(of_passages([found]))))
    assert lines[1] == ["p1", "ann", SLEEP.id, "0", "15", "'=I cannot sleep", "ben", MOOD.id, "3", "15", "cannot sleep"]
    assert "Passages marked for one criterion" in methods_report(store).markdown()
    blind = Round(0, "b", RoundKind.MAIN, True, Suggestions.SHOWN, ("jo",), {1: 1.0}, 0, {})
    store.add_round(blind, [RoundPost("p1", 1)], [Assigned("p1", "jo", None)])
    assert measuring.passages_mixed_up(store, jo, SLEEP.id, MOOD.id) == []


def test_agreement_over_time_goes_by_the_last_answer_of_each_unit() -> None:
    given: list[Given] = [
        (post, "SLEEP", person, verdict, [])
        for post, verdicts in (("p1", "aa"), ("p2", "ab"))
        for person, verdict in zip(
            ("ann", "ben"), ("no_evidence", "unsure" if "b" in verdicts else "no_evidence"), strict=True
        )
    ]
    at = ["2026-10-30T09:00:00Z", "2026-11-01T09:00:00Z", "2026-11-01T10:00:00Z", "2026-12-01T09:00:00Z"]
    agreement = Agreement(answers_of({"p1": TEXT, "p2": TEXT}, given, at=at))
    found = agreement.over_time(lambda day: day[:7])
    assert [(name, row.criterion, row.figures["percent"].value) for name, row in found] == [
        ("2026-11", ALL, 1.0),
        ("2026-11", "SLEEP", 1.0),
        ("2026-12", ALL, 0.0),
        ("2026-12", "SLEEP", 0.0),
    ]


def test_resamples_of_a_few_posts_are_those_of_all_posts() -> None:
    """Two of many people share few posts: what is summed there alone is what was summed over all of them."""
    bootstrap = Bootstrap(300, replicates=50)
    _, weights = bootstrap.sums(np.eye(300), np.arange(300))
    assert weights is not None
    assert set(weights.sum(axis=1).tolist()) == {300.0}
    rows, post = np.arange(8.0).reshape(4, 2), np.array([7, 7, 250, 3])
    total, some = bootstrap.sums(rows, post)
    assert total.tolist() == [12.0, 16.0]
    np.testing.assert_allclose(some, weights[:, post] @ rows)
