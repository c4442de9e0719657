"""Exports for the field's shared tasks, and how an answer became gold in those that can say it."""

from __future__ import annotations

import json
from pathlib import Path

from annotator.exchange.exporting import export_file
from annotator.teams import adjudicating
from encoder.examples import read_examples
from storage.exports import Answers, ExportFilter
from storage.records import AnnotatedSpan, Annotation, Post, Reviewer, Role, Verdict
from storage.store import Store
from tests.builders import MOOD, SLEEP

TEXT = "I lie awake. 🌙 The dog is well. I weep."
AWAKE, WEEP = (0, 11), (32, 38)


def a_study(store: Store) -> None:
    store.add_reviewer("jo", Role.ADJUDICATOR)
    store.add_posts(
        [Post("p 1", TEXT, author="eva"), Post("p2", "All is well.", author="eva"), Post("p3", "No sleep.")]
    )

    def say(post: str, criterion: str, person: str, *spans: tuple[int, int], unsure: bool = False) -> None:
        verdict = Verdict.UNSURE if unsure else Verdict.EVIDENCE if spans else Verdict.NO_EVIDENCE
        answer = Annotation(post, criterion, person, verdict, tuple(AnnotatedSpan(*s) for s in spans))
        store.add_annotation(answer, expected_revision=0)

    say("p 1", SLEEP.id, "ana", AWAKE)
    say("p 1", SLEEP.id, "ben", AWAKE)
    say("p 1", MOOD.id, "ana", WEEP)
    say("p 1", MOOD.id, "ben")
    say("p2", SLEEP.id, "ana")
    say("p3", SLEEP.id, "ana", (0, 8))
    say("p3", MOOD.id, "ana", unsure=True)
    wire = {"post_id": "p 1", "criterion_id": MOOD.id, "outcome": "evidence", "spans": [list(WEEP)]}
    wire |= {"expected_revision": 0, "reason": "She weeps.", "error_kind": "overlooked"}
    adjudicating.decide(store, Reviewer("jo", Role.ADJUDICATOR), wire)


def test_qrels_judge_every_sentence_of_what_was_decided_and_nothing_else(store: Store, tmp_path: Path) -> None:
    a_study(store)
    manifest = export_file(store, "trec", tmp_path / "qrels")
    assert (tmp_path / "qrels" / "qrels.txt").read_text("utf-8").splitlines() == [
        f"{SLEEP.id} 0 p%201_1 1",
        f"{SLEEP.id} 0 p%201_2 0",
        f"{SLEEP.id} 0 p%201_3 0",
        f"{MOOD.id} 0 p%201_1 0",
        f"{MOOD.id} 0 p%201_2 0",
        f"{MOOD.id} 0 p%201_3 1",
        f"{SLEEP.id} 0 p2_1 0",
        f"{SLEEP.id} 0 p3_1 1",
    ]
    rows = (tmp_path / "qrels" / "sentences.tsv").read_text("utf-8").splitlines()
    assert rows[1].split("\t")[:4] == ["p%201_1", "p 1", "0", "12"]
    assert [row.split("\t")[4] for row in rows[1:4]] == ["I lie awake.", "🌙 The dog is well.", "I weep."]
    assert "how an answer became gold, and adjudications" in manifest["cannot_carry"]
    export_file(store, "trec", tmp_path / "latest", ExportFilter(answers=Answers.LATEST))
    counted = (tmp_path / "latest" / "qrels.txt").read_text("utf-8").splitlines()
    assert {f"{SLEEP.id} 0 p%201_1 2", f"{MOOD.id} 0 p%201_3 1", f"{MOOD.id} 0 p3_1 0"} - set(counted) == {
        f"{MOOD.id} 0 p3_1 0"
    }


def test_evidence_per_user_has_the_highlights_of_all_their_posts(store: Store, tmp_path: Path) -> None:
    a_study(store)
    manifest = export_file(store, "clpsych", tmp_path / "evidence.json")
    found = json.loads((tmp_path / "evidence.json").read_text("utf-8"))
    assert {user: [(p["post_id"], p["highlights"]) for p in of["posts"]] for user, of in found.items()} == {
        "eva": [("p 1", ["I lie awake", "I weep"]), ("p2", [])],
        "post p3": [("p3", ["No sleep"])],
    }
    first = found["eva"]["posts"][0]["evidence"][0]
    assert TEXT[first["start"] : first["end"]] == first["text"] == "I lie awake"
    assert manifest["left_out"]["posts without an author: each is given as a user of its own"] == 1


def test_json_lines_say_how_an_answer_became_gold_and_hold_the_adjudications(store: Store, tmp_path: Path) -> None:
    a_study(store)
    manifest = export_file(store, "jsonl", tmp_path / "all.jsonl")
    line = json.loads((tmp_path / "all.jsonl").read_text("utf-8").splitlines()[0])
    assert {a["criterion"]: a["gold_rule"] for a in line["annotations"]} == {
        SLEEP.id: "agreement, latest",
        MOOD.id: "adjudicated",
    }
    (decision,) = line["adjudications"]
    assert (decision["adjudicator"], decision["outcome"], decision["reason"], decision["error_kind"]) == (
        "jo",
        "evidence",
        "She weeps.",
        "overlooked",
    )
    assert [s["text"] for s in decision["spans"]] == ["I weep."[:6]]
    assert not {"adjudications, but for their outcome"} & set(manifest["cannot_carry"])
    gold = export_file(store, "gold", tmp_path / "gold.jsonl")
    assert "adjudications, but for their outcome" in gold["cannot_carry"]
    examples = read_examples(tmp_path / "gold.jsonl")
    assert [e.post.author for e in examples] == ["eva", "eva", None]  # evidence is measured by user
