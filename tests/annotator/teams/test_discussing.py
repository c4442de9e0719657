"""Discussions: who sees what of them, who is spoken to, what is open, and what leaves with an export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotator.exchange.exporting import ExportRefused, export_file
from annotator.exchange.use_cases import export_filter, import_file
from annotator.people.accounts import NotAllowed
from annotator.teams import discussing
from annotator.teams.naming import codes_of
from storage.exports import ExportFilter
from storage.records import InvalidRecord, NotFound, Reviewer, Role
from storage.store import Store, open_store
from storage.team_records import Assigned, Round, RoundChange, RoundKind, RoundPost, Suggestions
from tests.annotator.exchange_rows import jsonl
from tests.builders import MOOD, SLEEP, a_post, an_annotation

ANA, BEN = Reviewer("ana"), Reviewer("ben van dam")
JO, EVA = Reviewer("jo", Role.ADJUDICATOR), Reviewer("eva", Role.ADMIN)


@pytest.fixture
def team(store: Store) -> Store:
    for person in (ANA, BEN, JO, EVA):
        store.ensure_reviewer(person.name, person.role)
        store.update_reviewer(person.name, role=person.role)
    store.add_posts([a_post(id="p1"), a_post("Another day.", id="p2")])
    return store


def say(store: Store, who: Reviewer, text: str, post_id: str | None = "p1", **more: str) -> None:
    discussing.say(store, who, {"post_id": post_id, "text": text, **more})


def read(store: Store, who: Reviewer, post_id: str = "p1") -> list[str]:
    return [m["text"] for m in discussing.thread(store, who, post_id=post_id)["messages"]]


def counts(store: Store, who: Reviewer) -> dict[str, int]:
    return discussing.threads(store, who, None)["counts"]


def a_round(store: Store, *people: str, blind: bool = True) -> Round:
    given = Round(0, "main", RoundKind.MAIN, blind, Suggestions.SHOWN, people, {len(people): 1.0}, seed=1)
    return store.add_round(given, [RoundPost("p1", len(people))], [Assigned("p1", name, None) for name in people])


def test_of_a_post_that_is_read_blind_a_reader_sees_their_own_words_and_those_of_who_leads(team: Store) -> None:
    round_ = a_round(team, ANA.name, BEN.name)
    say(team, ANA, "I marked the sleep. @ben van dam")
    say(team, BEN, "Is <b>this</b> fatigue?", what="flagged", criterion_id=SLEEP.id)
    say(team, EVA, "See the guideline.")
    assert read(team, ANA) == ["I marked the sleep. @ben van dam", "See the guideline."]
    assert read(team, BEN) == ["Is <b>this</b> fatigue?", "See the guideline."]
    assert read(team, EVA) == ["I marked the sleep. @ben van dam", "Is <b>this</b> fatigue?", "See the guideline."]
    assert read(team, JO) == [words.replace("ben van dam", codes_of(team)[BEN.name]) for words in read(team, EVA)]
    (line,) = discussing.threads(team, ANA, "open")["threads"]
    assert (line["messages"], line["flagged"]) == (2, False)  # that Ben flagged it is his
    assert counts(team, BEN)["new"] == 0  # what Ana says to him comes when the round is closed
    exported = [m.text for m in team.messages_to_export("ana", ["p1"])]
    assert exported == ["I marked the sleep. @ben van dam", "See the guideline."]

    team.change_round(round_.id, RoundChange(closed=True), expected_revision=1)
    assert len(read(team, ANA)) == 3
    assert counts(team, BEN)["new"] == 1


def test_what_was_said_before_a_post_was_given_out_is_kept_from_its_readers_until_they_have_read_it(
    team: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.discussions.utc_now", lambda: "2026-01-01T00:00:00Z")
    say(team, EVA, "It is evidence: the second sentence.")  # and so it was decided
    say(team, BEN, "I had said so.")
    monkeypatch.undo()
    blind = a_round(team, ANA.name)
    assert read(team, ANA) == []
    say(team, EVA, "Take your time.")
    assert read(team, ANA) == ["Take your time."]
    team.change_round(blind.id, RoundChange(closed=True), expected_revision=1)
    assert len(read(team, ANA)) == 3


def test_who_reads_blind_resolves_nothing_of_what_others_may_have_flagged(team: Store) -> None:
    a_round(team, ANA.name, BEN.name)
    say(team, ANA, "Which of the two?", what="flagged")
    say(team, BEN, "Fine.")
    with pytest.raises(NotAllowed, match="read blind"):
        say(team, BEN, "", what="resolved")
    assert counts(team, EVA)["flagged"] == 1


def test_who_leads_and_reads_blind_is_a_reader_until_they_have_finished_the_post(team: Store) -> None:
    a_round(team, ANA.name, JO.name)
    say(team, ANA, "mine")
    say(team, JO, "as a reader")
    assert (read(team, JO), read(team, ANA), read(team, EVA)) == (["as a reader"], ["mine"], ["mine", "as a reader"])
    for criterion in team.criteria():
        done = an_annotation(team.post("p1"), criterion=criterion, reviewer="jo")
        team.add_annotation(done, expected_revision=0)
    assert read(team, JO) == ["mine", "as a reader"]


def test_what_is_flagged_stands_on_the_leads_list_until_it_is_resolved(team: Store) -> None:
    say(team, ANA, "", what="flagged")
    say(team, ANA, "Who is meant, @JO?", post_id=None, criterion_id=MOOD.id)
    shown = discussing.threads(team, EVA, None)
    assert (shown["chosen"], [t["post_id"] for t in shown["threads"]]) == ("flagged", ["p1"])
    assert counts(team, JO) == {"open": 2, "flagged": 1, "mine": 1, "resolved": 0, "new": 1}
    discussing.thread(team, JO, criterion_id=MOOD.id)
    assert counts(team, JO)["new"] == 0
    with pytest.raises(NotAllowed, match="Who has written here"):
        say(team, BEN, "", what="resolved")
    say(team, EVA, "Read the second line.", what="resolved")
    assert counts(team, ANA) == {"open": 1, "flagged": 0, "mine": 2, "resolved": 1, "new": 0}
    say(team, ANA, "Still unclear.")  # what is talked about again is open again
    assert (counts(team, ANA)["resolved"], counts(team, ANA)["flagged"]) == (0, 0)


def test_who_is_spoken_to_is_found_by_the_longest_name() -> None:
    names = ("ana", "anabel", "ben", "ben van dam", "m\u00fc")
    text = "@Anabel and @ben van dam, not @anatol nor ana@ben; @M\u00dc! @ben @ben"
    assert discussing.mentioned(text, names) == ("anabel", "ben van dam", "m\u00fc", "ben")


def test_who_is_told_codes_learns_no_name_by_speaking_to_it(store: Store) -> None:
    """Only codes speak to people there, and nothing that stands before or behind them changes to whom."""
    for name in ("ben", BEN.name, "cem"):
        store.ensure_reviewer(name)
    store.ensure_reviewer(JO.name, JO.role)
    store.save_criteria([MOOD])
    ben, van_dam, cem = (codes_of(store)[name] for name in ("ben", BEN.name, "cem"))
    for text, spoken_to in (
        ("Is it you, @cem?", []),
        (f"@{ben}: @ben, @@ben or a@ben", [ben]),
        (f"@{ben} van dam", [ben]),
        (f"@{ben}@cem, .@cem and @{van_dam}", sorted([ben, van_dam])),
        (f"@{cem.lower()}!", [cem]),
    ):
        say(store, JO, text, post_id=None, criterion_id=MOOD.id)
        said = discussing.thread(store, JO, criterion_id=MOOD.id)["messages"][-1]
        assert (said["text"].casefold(), said["mentions"]) == (text.casefold(), spoken_to)


def test_what_cannot_be_said_is_refused_and_what_is_sent_twice_stands_once(team: Store) -> None:
    for text, more, error, why in (
        (" ", {}, InvalidRecord, "Write something"),
        ("x" * 4001, {}, InvalidRecord, "4,001 characters"),
        ("a\x00b", {}, InvalidRecord, "cannot be stored"),
        ("a", {"post_id": "p9"}, NotFound, "no post 'p9'"),
        ("a", {"post_id": None}, InvalidRecord, "a post or a criterion"),
        ("a", {"post_id": None, "criterion_id": "NONE"}, NotFound, "no criterion"),
        ("a", {"post_id": None, "criterion_id": MOOD.id, "what": "flagged"}, InvalidRecord, "Posts are flagged"),
    ):
        with pytest.raises(error, match=why):
            say(team, ANA, text, **more)
    for who in (ANA, ANA, BEN):
        if who is BEN:
            with pytest.raises(InvalidRecord, match="by somebody else before"):
                say(team, who, "once", op_id="o1")
        else:
            say(team, who, "once", op_id="o1")
    assert read(team, ANA) == ["once"]


def test_discussions_leave_with_an_export_only_when_they_are_asked_for_and_go_with_their_post(tmp_path: Path) -> None:
    store = open_store(tmp_path / "there")
    store.save_criteria([SLEEP])
    report = import_file(store, jsonl(tmp_path / "in.jsonl", {"post_id": "p1", "text": "I cannot sleep."}))
    store.add_reviewer("ana", Role.REVIEWER)
    say(store, ANA, "Odd.", what="flagged")
    say(store, ANA, "What of naps, @ana?", post_id=None, criterion_id=SLEEP.id)
    plain, told = tmp_path / "plain.jsonl", tmp_path / "told.jsonl"
    export_file(store, "jsonl", plain)
    assert "Odd." not in plain.read_text("utf-8")
    manifest = export_file(store, "jsonl", told, export_filter({"discussions": True}))
    (line,) = json.loads(told.read_text("utf-8").splitlines()[0])["discussion"]
    assert (line["author"], line["what"], line["text"]) == ("ana", "flagged", "Odd.")
    assert [m["text"] for m in manifest["discussion_of_criteria"]] == ["What of naps, @ana?"]
    with pytest.raises(ExportRefused, match="cannot carry discussions"):
        export_file(store, "gold", tmp_path / "gold.jsonl", ExportFilter(discussions=True))
    store.undo_import(report["import_id"])
    assert [t["criterion_id"] for t in discussing.threads(store, ANA, "open")["threads"]] == [SLEEP.id]
    store.close()
