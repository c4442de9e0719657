"""A study through the pages' own functions: four people, 200 posts, nine criteria.

Every figure of the lead's page is worked out here from the raw rows, one answer at a time, with none of the program's code for figures.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import random
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from annotator.models.serving import ModelService
from annotator.people.accounts import NotAllowed
from annotator.project import open_project
from annotator.settings import Settings
from annotator.teams import reports as team_reports
from annotator.teams.rounds import close
from storage import annotations
from storage.records import Reviewer
from storage.team_records import Suggestions
from tests.annotator.teams.oracles import cohen_kappa, nominal_alpha
from tests.annotator.teams.studies import JUDGE, LEAD, READERS, a_round, a_team

gr = pytest.importorskip("gradio")

from annotator.ui import adjudicate, agreement, guidelines, review  # noqa: E402
from annotator.ui.context import Context  # noqa: E402

pytestmark = pytest.mark.slow

ANSWERS = {**adjudicate.ANSWERS, **agreement.ANSWERS, **guidelines.ANSWERS, **review.ANSWERS}
Wire = dict[str, Any]


class Row(NamedTuple):
    """Somebody's latest answer, as the table holds it."""

    post: str
    criterion: str
    person: str
    verdict: str
    spans: tuple[tuple[int, int], ...]
    version: int
    seconds: float | None
    bulk: int
    at: str


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    folder: Path = tmp_path_factory.mktemp("study")
    project = open_project(Settings(data_dir=folder, empty=True))
    context = Context(project, ModelService(project.store, project.settings))
    a_team(project.store, 200, project.store.criteria())
    with pytest.MonkeyPatch.context() as patch:
        carry_out(context, patch)
    yield context
    project.store.close()


def ask(context: Context, name: str, message: Wire, me: Reviewer) -> Wire:
    return ANSWERS[name](context, message, me)


def carry_out(context: Context, patch: pytest.MonkeyPatch) -> None:
    store = context.store
    first = a_round(store, "first", 100, seed=1)
    everybody_reads(context, patch, day="2026-10-05", care=0.9, seed=2)
    close(store, first.id, expected_revision=first.revision, by=LEAD)
    changed = store.criteria()[0]
    wire = next(c for c in ask(context, "guidelines_read", {}, LEAD)["criteria"] if c["id"] == changed.id)
    saved = ask(context, "guidelines_save", {**wire, "guideline": wire["guideline"] + " Not naps."}, LEAD)
    assert saved
    a_round(store, "second", 100, seed=3, suggestions=Suggestions.RANDOM)
    everybody_reads(context, patch, day="2026-11-16", care=0.6, seed=4, leave=6)
    judge(context, leave=7)


def everybody_reads(
    context: Context, patch: pytest.MonkeyPatch, *, day: str, care: float, seed: int, leave: int = 0
) -> None:
    """Each person's queue, post by post as Review gives them, until `leave` are left; a second passes between two decisions."""
    draw, seconds = random.Random(seed), itertools.count(8 * 3600)

    def now() -> str:
        at = next(seconds)
        return f"{day}T{at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d}Z"

    patch.setattr(annotations, "utc_now", now)
    for person in READERS:
        me = Reviewer(person)
        while (shown := ask(context, "review_item", {"next": True}, me))["progress"]["left"] > leave:
            item = shown["item"]
            post = item["post"]
            made = [a_decision(post, c, draw, care) for c in item["criteria"]]
            results = ask(context, "review_save", {"decisions": made}, me)["results"]
            assert all(r["ok"] for r in results), results
        undone = draw.choice([d for d in made if d["verdict"] == "no_evidence"])  # a change of mind: one more revision
        again = {**undone, "verdict": "unsure", "expected_revision": 1, "op_id": undone["op_id"] + "b", "bulk": False}
        assert ask(context, "review_save", {"decisions": [again]}, me)["results"][0]["ok"]


def a_decision(post: Wire, criterion: Wire, draw: random.Random, care: float) -> Wire:
    hidden = random.Random(f"{post['id']} {criterion['id']}")
    truth, ends = hidden.random() < 0.3, [m.end() for m in re.finditer(r"[.!?]", post["text"])]
    verdict = "evidence" if truth == (draw.random() < care) else "no_evidence"
    verdict = "unsure" if draw.random() < 0.04 else verdict
    near = [[0, ends[0] - draw.choice([0, 0, 1, 9])], [ends[1] + 1, ends[2]]]
    spans = near[: draw.choice([1, 1, 2])] if verdict == "evidence" else []
    return {
        "post_id": post["id"],
        "criterion_id": criterion["id"],
        "criterion_version": criterion["version"],
        "verdict": verdict,
        "spans": [[start, end, "added", None] for start, end in spans],
        "rejected": [],
        "undecided": [],
        "seconds": None if draw.random() < 0.1 else round(draw.lognormvariate(2, 2), 1),
        "bulk": draw.random() < 0.2,
        "expected_revision": 0,
        "op_id": f"{draw.getrandbits(64):x}",
    }


def judge(context: Context, *, leave: int) -> None:
    draw = random.Random(7)
    while (found := ask(context, "adjudicate_queue", {}, JUDGE))["total"] > leave:
        case = ask(context, "adjudicate_case", found["cases"][0], JUDGE)
        lane = draw.choice(
            sorted((one for one in case["lanes"] if one["verdict"] != "unsure"), key=lambda one: one["answer"])
        )
        outcome = "undecidable" if draw.random() < 0.1 else lane["verdict"]
        wire = {"post_id": case["post"]["id"], "criterion_id": case["criterion"]["id"], "outcome": outcome}
        wire |= {"spans": lane["spans"] if outcome == "evidence" else [], "expected_revision": 0}
        assert ask(context, "adjudicate_decide", wire, JUDGE)["revision"] == 1


# --- the raw rows, and what they say


class Raw:
    """The tables as they are, and everything that follows from them, by the letter of the definitions."""

    def __init__(self, context: Context, round_id: int | None) -> None:
        with context.store.read() as db:

            def rows(sql: str) -> list[Any]:
                return list(db.execute(sql).fetchall())

            inside = {p for r, p in rows("SELECT round_id, post_id FROM round_post") if round_id in (None, r)}
            self.texts = dict(rows("SELECT id, text FROM post"))
            everything = rows(
                "SELECT post_id, criterion_id, reviewer, verdict, spans, criterion_version, seconds, bulk, created_at"
                " FROM annotation ORDER BY id"
            )
            latest = {r[:3]: r for r in everything if r[0] in inside}
            self.answers = [
                Row(*r[:4], tuple((s[0], s[1]) for s in json.loads(r[4])), *r[5:]) for r in latest.values() if r[3]
            ]
            self.decided = {
                (p, c): outcome for p, c, outcome in rows("SELECT post_id, criterion_id, outcome FROM adjudication")
            }
            self.assigned = [
                (p, who)
                for p, who, r in rows("SELECT post_id, reviewer, round_id FROM assignment")
                if round_id in (None, r)
            ]
            self.without = set(rows("SELECT post_id, reviewer FROM assignment WHERE hide_suggestions"))
            self.criteria: dict[str, int] = dict(rows("SELECT id, max(version) FROM criterion GROUP BY id"))
        self.units: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self.answers:
            self.units[row.post, row.criterion].append(row)
        self.pairs = [pair for unit in self.units.values() for pair in itertools.combinations(unit, 2)]

    def matches(self, one: Row, other: Row) -> int:
        """The most spans that can be paired one to one from half of their words on, by trying all ways."""
        few, many = sorted((one.spans, other.spans), key=len)
        near = [
            sum(self.iou(one.post, a, b) >= 0.5 for a, b in zip(few, way, strict=True))
            for way in itertools.permutations(many, len(few))
        ]
        return max(near)

    def iou(self, post: str, one: tuple[int, int], other: tuple[int, int]) -> float:
        words = [
            {m.start() for m in re.finditer(r"\w+|[^\w\s]", self.texts[post]) if m.start() < end and start < m.end()}
            for start, end in (one, other)
        ]
        return len(words[0] & words[1]) / len(words[0] | words[1])

    def agree(self, unit: list[Row]) -> bool:
        return all(
            a.verdict == b.verdict and 2 * self.matches(a, b) == len(a.spans) + len(b.spans)
            for a, b in itertools.combinations(unit, 2)
        )

    def state(self, key: tuple[str, str]) -> str:
        unit = self.units[key]
        if len(unit) < 2:
            return "single"
        if key in self.decided:
            return "undecidable" if self.decided[key] == "undecidable" else "adjudicated"
        return "agreed" if self.agree(unit) else "open"

    def person(self, name: str) -> Wire:
        mine = [r for r in self.answers if r.person == name]
        given = [post for post, who in self.assigned if who == name]
        done = sum(len({r.criterion for r in mine if r.post == post}) == len(self.criteria) for post in given)
        timed = [min(r.seconds, 300.0) for r in mine if r.seconds is not None and not r.bulk]
        days = {r.at[:10] for r in mine}
        return {
            "person": name,
            "assigned": len(given),
            "done": done,
            "left": len(given) - done,
            "decisions": len(mine),
            "days": len(days),
            "per_day": len(mine) / len(days),
            "seconds": statistics.median(timed),
            "hours": sum(timed) / 3600,
            "bulk_share": sum(r.bulk for r in mine) / len(mine),
            "unsure_share": sum(r.verdict == "unsure" for r in mine) / len(mine),
            "last": max(r.at for r in mine),
            "gold": self.against_gold(mine),
            "others": self.against_others(name),
        }

    def against_gold(self, mine: list[Row]) -> Wire:
        judged = []
        for r in mine:
            state = self.state((r.post, r.criterion))
            if state == "adjudicated":
                judged.append((self.decided[r.post, r.criterion], r.verdict, True))
            elif state == "agreed" and r.verdict != "unsure":
                judged.append((r.verdict, r.verdict, False))
        settled = [(g, v) for g, v, adjudicated in judged if adjudicated]
        table = Counter((g, v) for g, v, _ in judged)
        verdicts = ("evidence", "no_evidence", "unsure")
        return {
            "units": len(judged),
            "same": sum(g == v for g, v, _ in judged) / len(judged),
            "adjudicated": len(settled),
            "adjudicated_same": sum(g == v for g, v in settled) / len(settled) if settled else None,
            "confusion": [[table[g, v] for v in verdicts] for g in verdicts[:2]],
        }

    def arm(self, *, hidden: bool) -> Wire:
        rows = [r for r in self.answers if ((r.post, r.person) in self.without) == hidden]
        counts = Counter(r.verdict for r in rows)
        gold = self.against_gold(rows)
        return {
            "suggestions": "hidden" if hidden else "shown",
            "decisions": len(rows),
            "prevalence": counts["evidence"] / (counts["evidence"] + counts["no_evidence"]),
            "unsure_share": counts["unsure"] / len(rows),
            "seconds": statistics.median(min(r.seconds, 300.0) for r in rows if r.seconds is not None and not r.bulk),
            "gold_units": gold["units"],
            "gold_same": gold["same"],
        }

    def against_others(self, name: str) -> Wire:
        theirs = [(a, b) if a.person == name else (b, a) for a, b in self.pairs if name in (a.person, b.person)]
        kappas = []
        for other in READERS:
            said = [(a.verdict, b.verdict) for a, b in theirs if b.person == other]
            if said:
                kappas.append((cohen_kappa(said), len(said)))
        theirs.sort(key=lambda pair: pair[0].at)
        middle = len(theirs) - len(theirs) // 2
        shares = [
            sum(a.verdict == b.verdict for a, b in part) / len(part) for part in (theirs[:middle], theirs[middle:])
        ]
        return {
            "person": name,
            "units": len(theirs),
            "percent": sum(a.verdict == b.verdict for a, b in theirs) / len(theirs),
            "cohen_kappa": sum(k * n for k, n in kappas) / sum(n for _, n in kappas),
            "span_f1": self.f1(theirs),
            "drift": [*shares, shares[1] - shares[0], theirs[middle][0].at],
        }

    def f1(self, pairs: list[tuple[Row, Row]]) -> float:
        sure = [(a, b) for a, b in pairs if "unsure" not in (a.verdict, b.verdict)]
        marked = sum(len(a.spans) + len(b.spans) for a, b in sure)
        return 2 * sum(self.matches(a, b) for a, b in sure) / marked

    def criterion(self, criterion: str) -> Wire:
        rows = [r for r in self.answers if r.criterion == criterion]
        counts = Counter(r.verdict for r in rows)
        units = [unit for (_, c), unit in self.units.items() if c == criterion and len(unit) > 1]
        states = Counter(self.state(key) for key in self.units if key[1] == criterion)
        older = Counter(r.person for r in rows if r.version < self.criteria[criterion])
        same = [statistics.mean(a.verdict == b.verdict for a, b in itertools.combinations(u, 2)) for u in units]
        return {
            "criterion": criterion,
            "version": self.criteria[criterion],
            "decisions": len(rows),
            "prevalence": counts["evidence"] / (counts["evidence"] + counts["no_evidence"]),
            "percent": statistics.mean(same),
            "alpha": nominal_alpha([[r.verdict for r in u] for u in units]),
            "span_f1": self.f1([pair for pair in self.pairs if pair[0].criterion == criterion]),
            "open": states["open"],
            "adjudicated": states["adjudicated"] + states["undecidable"],
            "older": sum(older.values()),
            "older_by_person": dict(sorted(older.items())),
        }


def shown_person(row: Wire) -> Wire:
    drift = row["others"]["drift"]
    values = [drift["before"], drift["after"], drift["difference"]["value"], drift["since"]]
    return {**row, "others": {**row["others"], "drift": values}}


def shown_criterion(row: Wire) -> Wire:
    figures = {name: row[name]["value"] for name in ("percent", "alpha", "span_f1")}
    return {k: v for k, v in row.items() if k not in ("name", "active")} | figures


def same(shown: Any, counted: Any) -> None:
    """Equal, figures to nine digits, at every depth."""
    if isinstance(counted, dict):
        assert sorted(shown) == sorted(counted)
        for key in counted:
            same(shown[key], counted[key])
    elif isinstance(counted, list):
        assert len(shown) == len(counted)
        for one, other in zip(shown, counted, strict=True):
            same(one, other)
    else:
        assert shown == (pytest.approx(counted, abs=1e-9) if isinstance(counted, float) else counted)


@pytest.mark.parametrize("round_id", [None, 1, 2])
def test_every_figure_of_the_leads_page_is_the_one_counted_from_the_raw_rows(
    context: Context, round_id: int | None
) -> None:
    report = ask(context, "agreement_report", {"round": round_id}, LEAD)["report"]
    if "people" not in report:  # over two thousand answers: worked out beside the page
        context.api.reports.finish()
        report = ask(context, "agreement_report", {"round": round_id}, LEAD)["report"]
    assert report["current"]
    raw = Raw(context, round_id)
    assert report["answers"] == len(raw.answers)
    same([shown_person(row) for row in report["people"]], [raw.person(name) for name in READERS])
    same(
        [shown_criterion(row) for row in report["criteria"]],
        [raw.criterion(row["criterion"]) for row in report["criteria"]],
    )
    assert {row["criterion"] for row in report["criteria"]} == set(raw.criteria)
    same(report["arms"], [raw.arm(hidden=False)] + ([raw.arm(hidden=True)] if round_id != 1 else []))
    with pytest.raises(NotAllowed):
        context.api.call("team", Reviewer("ana"), {})
    assert context.api.call("team", LEAD, {} if round_id is None else {"round_id": round_id}) == report
    table = list(csv.DictReader(io.StringIO(ask(context, "agreement_csv", {"round": round_id}, LEAD)["csv"])))
    left = {line["of"]: int(line["value"]) for line in table if (line["table"], line["figure"]) == ("people", "left")}
    assert left == {name: raw.person(name)["left"] for name in READERS}


def test_the_study_has_what_the_figures_are_to_show(context: Context) -> None:
    """So that no comparison above is between nothing and nothing."""
    report = context.api.reports.report()
    assert sum(c["open"] for c in report["criteria"]) == 7
    assert sum(c["adjudicated"] for c in report["criteria"]) > 50
    assert [bool(c["older"]) for c in report["criteria"]] == [True, *[False] * 8]
    assert min(p["left"] for p in report["people"]) == 6
    assert min(p["gold"]["adjudicated"] for p in report["people"]) > 10
    fallen = {fall["name"] for fall in report["agreement"]["falls"] if fall["falls"]}
    assert "all" in fallen
    assert [(w["criterion"], w["version"]) for w in report["agreement"]["wordings"]] == [
        (report["criteria"][0]["criterion"], 2)
    ]
    assert [(row["name"], row["kind"]) for row in report["agreement"]["rounds"]] == [
        ("first", "main"),
        ("second", "main"),
    ]


@pytest.mark.parametrize("person", READERS)
def test_everybody_has_a_queue_of_what_they_decided_under_an_older_wording(context: Context, person: str) -> None:
    raw, me, wanted = Raw(context, None), Reviewer(person), {"state": "outdated", "order": "random"}
    older = {r.post for r in raw.answers if r.person == person and r.version < raw.criteria[r.criterion]}
    listed = ask(
        context, "agreement_older", {"criterion": next(iter(context.store.criteria())).id, "person": person}, LEAD
    )
    assert {row["post"] for row in listed["posts"]} == older
    found = ask(context, "review_item", {"next": True, "filter": wanted}, me)
    assert found["item"]["post"]["id"] in older
    assert found["progress"]["left"] == len(older)
    criterion = found["item"]["criteria"][0]
    again = a_decision(found["item"]["post"], criterion, random.Random(2), 1.0) | {
        "expected_revision": criterion["revision"],
        "op_id": f"again {person}",
    }
    assert ask(context, "review_save", {"decisions": [again]}, me)["results"][0]["ok"]
    assert ask(context, "review_item", {"next": True, "filter": wanted}, me)["progress"]["left"] == len(older) - 1


def test_figures_of_a_moment_ago_are_shown_with_their_age_until_newer_ones_are_there(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team_reports, "AT_ONCE_SECONDS", 0.0)  # as if working it out took long
    monkeypatch.setattr(team_reports, "LEAST_PAUSE", 0)
    reports = team_reports.Reports(context.store)
    reports.report()
    reports.finish()
    before = reports.report()
    assert (before["current"], before["working"]) == (True, False)
    post = next(a for a in context.store.assigned(reviewer="ana") if not a.done).post_id
    item = ask(context, "review_item", {"post_id": post}, Reviewer("ana"))["item"]
    made = a_decision(item["post"], item["criteria"][0], random.Random(1), 1.0)
    assert ask(context, "review_save", {"decisions": [made]}, Reviewer("ana"))["results"][0]["ok"]
    after_a_restart = team_reports.Reports(context.store)
    shown = after_a_restart.report()
    assert (shown["current"], shown["working"], shown["answers"]) == (False, True, before["answers"])
    assert shown["made_at"] == before["made_at"]
    after_a_restart.finish()
    newest = after_a_restart.report()
    assert (newest["current"], newest["answers"]) == (True, before["answers"] + 1)
