"""The methods report: what it says, in both forms, and what it does not say."""

from __future__ import annotations

import dataclasses
import datetime as dt
import html
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.project import default_criteria
from annotator.teams.document import Document, Table
from annotator.teams.methods import file_of, methods_report
from annotator.teams.naming import codes_of
from annotator.teams.reports import work_out
from storage.gold_answers import GOLD_RULE_SETTING
from storage.records import Post, Split, Verdict
from storage.store import Store, open_store
from storage.team_records import GoldRule, SpanRule
from tests.annotator.teams.studies import JUDGE, LEAD, READERS, SENTENCES, the_study


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path / "study")
    the_study(store, default_criteria(), posts=40)
    yield store
    store.close()


def rows_of(markdown: str, caption: str) -> list[list[str]]:
    part = markdown.split(f"**{caption}**\n\n")[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in part.splitlines()[2:]]


def test_a_paper_finds_its_figures_in_the_report(study: Store) -> None:
    document = methods_report(study, today=dt.date(2026, 11, 30))
    text = document.markdown()
    found = work_out(study)
    codes = codes_of(study)
    assert "40 posts by 20 known authors" in text
    assert "The splits are disjoint by author: none of the 20 known authors has posts in two of them." in text
    assert {row[0]: row[4] for row in rows_of(text, "People")} == {
        codes[p["person"]]: str(p["decisions"]) for p in found["people"]
    }
    assert [row[:2] for row in rows_of(text, "Rounds")] == [["first", "main"], ["second", "main"]]
    assert rows_of(text, "Rounds")[0][3] == "70% by 1, 30% by 2"
    alpha = found["agreement"]["criteria"][0]["figures"]["alpha"]
    assert (
        rows_of(text, "Agreement by criterion")[0][6]
        == f"{alpha['value']:.2f} ({alpha['low']:.2f} to {alpha['high']:.2f})"
    )
    states = {row[0]: int(row[1]) for row in rows_of(text, "How the answers stand")}
    assert states["open"] == sum(c["open"] for c in found["criteria"]) == 7
    rules = {row[0]: int(row[1]) for row in rows_of(text, "Gold answers by the rule that made them")}
    assert rules == Counter(gold.rule for gold in study.gold())
    assert {"one reader", "agreement, latest", "adjudicated"} == set(rules)
    study.set_setting(GOLD_RULE_SETTING, GoldRule(spans=SpanRule.UNION).to_dict())
    assert [row[0] for row in rows_of(methods_report(study).markdown(), "Gold answers by the rule that made them")][
        1
    ] == "agreement, union"
    versions = [row[:2] for row in rows_of(text, "Wordings") if row[1] == "2"]
    assert len(versions) == 1
    under = Counter((d.criterion_id, d.criterion_version) for d in study.latest_decisions())
    assert sorted(int(row[3]) for row in rows_of(text, "Wordings")) == sorted(under.values())
    said = Counter((d.criterion_id, d.criterion_version, d.verdict) for d in study.latest_decisions())
    shares = [
        (said[*w, Verdict.EVIDENCE], said[*w, Verdict.EVIDENCE] + said[*w, Verdict.NO_EVIDENCE]) for w in sorted(under)
    ]
    assert [row[4] for row in rows_of(text, "Wordings")] == [f"{100 * some / of:.0f}%" for some, of in shares]
    assert "Made on 2026-11-30 by evidence-annotator" in text
    for said in (text, document.html()):
        assert not [name for name in (*READERS, LEAD.name, JUDGE.name) if re.search(rf"\b{name}\b", said)]
        assert not [words for words in SENTENCES if words[:15] in said]


def test_both_forms_say_the_same_and_equal_data_gives_the_same_report(study: Store) -> None:
    document = methods_report(study, today=dt.date(2026, 11, 30))
    page = html.unescape(re.sub(r"<[^>]+>", " ", file_of(document, "x.HTML").split("</h1>")[1]))
    plain = re.sub(r"\\(.)", r"\1", file_of(document, "x.md").split("\n", 1)[1])
    words = [w for w in re.findall(r"[\w.,%]+", plain) if w.strip("-_.,")]
    assert [w for w in re.findall(r"[\w.,%]+", page) if w.strip("-_.,")] == words
    assert methods_report(study, today=dt.date(2026, 11, 30)).markdown() == document.markdown()


def test_an_author_in_two_splits_is_said(study: Store) -> None:
    study.add_posts([Post("late", "We ate.", split=s, author="writer1") for s in Split if s is Split.TEST])
    study.add_posts([Post("later", "We ate.", split=Split.DEV, author="writer1")])
    assert "NOT disjoint by author: 1 authors have posts in more than one" in methods_report(study).markdown()


def test_no_text_of_people_becomes_markup() -> None:
    document = Document("<b>", ("# *h*", "a | b\n# c", Table("t|", ("<i>",), (("<script>",), ("`x`|",)))))
    assert "<script>" not in document.html()
    assert "&lt;script&gt;" in document.html()
    lines = document.markdown().splitlines()
    assert lines[0] == r"# \<b\>"
    assert r"| \`x\`\| |" in lines
    assert r"a \| b \# c" in lines


def test_criteria_that_nobody_ever_answered_and_that_are_out_of_use_are_no_part_of_the_report(study: Store) -> None:
    last = study.criteria()[-1]
    study.save_criteria([dataclasses.replace(last, id="NEVER", name="Never used"), last])
    study.save_criteria([dataclasses.replace(last, id="NEVER", name="Never used", active=False)])
    names = {row[0] for row in rows_of(methods_report(study).markdown(), "Wordings")}
    assert "Never used" not in names
    assert last.name in names
