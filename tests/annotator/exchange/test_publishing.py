"""An import is stored in small steps and seen all at once, or not at all, whatever happens on the way; undoing it likewise."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotator.exchange.confirm import waiting
from annotator.exchange.options import ImportCancelled
from annotator.exchange.use_cases import import_file, undo_import
from storage import imports
from storage.backup import copy_database, describe
from storage.exports import ExportFilter
from storage.queue import QueueFilter
from storage.records import Conflict, NotFound, Post, Role, Verdict
from storage.store import Store, open_store
from tests.annotator.exchange_rows import evidence, gold, jsonl, post_ids
from tests.builders import SLEEP, a_post, an_annotation

ROOT = Path(__file__).resolve().parents[3]
TABLES = ("post", "annotation", "annotation_head", "prediction", "post_score", "alignment", "import_issue", "import")
DOUBTFUL = "I feel so very tired every single day. Also I feel so very tired every single night."
NUMBERED = [gold(f"n{n}", f"Number {n}: I lie awake.", evidence(0, 8)) for n in range(20)]


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_STEP_ROWS", "MIN_STEP_ROWS", "MAX_STEP_ROWS"):
        monkeypatch.setattr(imports, name, 3)


def a_file(folder: Path) -> Path:
    """Twenty new posts with answers, predictions, uncertain evidence, a refused row; and an answer for the post `old`."""
    rows: list[dict[str, Any]] = [dict(row) for row in NUMBERED]
    spans = [{"start": 0, "end": 6, "score": 0.9}]
    rows[1]["predictions"] = [{"criterion": "SLEEP_ISSUES", "model_version": "m1", "spans": spans}]
    words = {
        "criterion": "SLEEP_ISSUES",
        "spans": ["feeling so very tired every single week"],
        "reviewer": "new person",
    }
    rows += [gold("doubt", DOUBTFUL, words), {"post_id": "bad", "text": ""}]
    rows += [gold("old", "I lie awake.", {**evidence(0, 6), "reviewer": "ben"})]
    return jsonl(folder / "x.jsonl", *rows)


def a_project_with_an_old_post(store: Store) -> None:
    store.add_posts([a_post("I lie awake.", id="old")])
    store.add_annotation(an_annotation(store.post("old"), "awake", reviewer="ben"), expected_revision=0)


def told(store: Store) -> dict[str, object]:
    """What the pages, the worker and an export see."""
    everything = ExportFilter(unreviewed=True)
    wanted = QueueFilter(query="awake")
    with pytest.raises(NotFound):
        store.post("nothing")
    return {
        "posts": (store.count_posts(), post_ids(store), sorted(store.known_post_ids(["old", "n1"]))),
        "one": [p.id for p in store.posts(["n1", "old"])],
        "queue": store.queue_ids(QueueFilter(), me="ana", model_version="m1", limit=99),
        "search": store.queue_ids(wanted, me="ana", model_version=None, limit=99),
        "found": store.count_queue(wanted, me="ana", model_version=None).posts,
        "heads": (store.verdict_counts(), store.span_origin_counts(), store.progress_counts(me="ben")),
        "answers": {k: a.spans for k, a in store.annotations_of("old", "ben").items()},
        "history": [(a.revision, a.spans) for a in store.history("old")],
        "all": [a.post_id for a in store.iter_annotations()],
        "gold": [(g.post_id, g.spans) for g in store.gold()],
        "predictions": (store.predictions("n1", "m1"), store.count_predicted_posts("m1")),
        "to predict": store.posts_without_prediction("m2", [SLEEP.id], limit=99),
        "waiting": (store.count_waiting_alignments(), [u.post_id for u in waiting(store)]),
        "reviewers": [r.name for r in store.reviewers()],
        "imports": [(i["id"], i["file_name"]) for i in store.imports()],
        "export": [(i.post.id, len(i.history), len(i.predictions)) for i in store.iter_export(everything, complete=True)],
        "texts": store.text_hashes(["n1", "n2"]),
    }  # fmt: skip


def rows_of(store: Store) -> dict[str, int]:
    """Rows in the tables themselves, those that nobody sees too."""
    with store.read() as db:
        return {t: db.execute(f"SELECT count(*) FROM main.{t}").fetchone()[0] for t in (*TABLES, "reviewer")}


def during_storing(action: Callable[[], None]) -> Callable[[float, str], None]:
    """A progress callback that acts once, when half of the rows are stored."""
    done = []

    def tell(fraction: float, message: str) -> None:
        if message.endswith(" stored") and int(message.split("%")[0]) >= 50 and not done:
            done.append(message)
            action()

    return tell


def test_nothing_of_an_import_is_seen_before_all_of_it(store: Store, tmp_path: Path) -> None:
    a_project_with_an_old_post(store)
    other = open_store(store.path.parent)
    before, stored = told(other), []

    def look() -> None:
        stored.append(rows_of(other))
        assert told(other) == before
        assert other.recover_imports() == 0
        copy_database(other, tmp_path / "copy.db")
        assert describe(tmp_path / "copy.db")["counts"] == {"posts": 1, "decisions": 1, "reviewers": 2}

    report = import_file(store, a_file(tmp_path), on_progress=during_storing(look))
    assert stored[0]["post"] > 10
    after = told(other)
    assert (report["imported"], report["annotations"], report["uncertain"], report["rejected_count"]) == (21, 21, 1, 1)
    assert {k for k in before if before[k] == after[k]} == set()
    assert other.annotations_of("old", "ben")[SLEEP.id].spans[0].end == 6
    assert other.count_predicted_posts("m1") == 1
    assert other.reviewer("new person").role is Role.REVIEWER


@pytest.mark.parametrize("late", [False, True])
def test_a_save_in_the_middle_of_an_import_counts_as_the_later_one(store: Store, tmp_path: Path, late: bool) -> None:
    a_project_with_an_old_post(store)
    other = open_store(store.path.parent)

    def save() -> None:
        seen = other.annotations_of("old", "ben")[SLEEP.id]
        saved = other.add_annotation(an_annotation(other.post("old"), reviewer="ben"), expected_revision=seen.revision)
        assert other.annotations_of("old", "ben")[SLEEP.id].revision == saved.revision

    def tell(fraction: float, message: str) -> None:
        if message == ("storing" if not late else "100% stored"):
            save()

    import_file(store, a_file(tmp_path), on_progress=tell)
    latest = store.annotations_of("old", "ben")[SLEEP.id]
    assert [a.revision for a in store.history("old")] == [3, 2, 1]
    assert latest.verdict is (Verdict.NO_EVIDENCE if late else Verdict.EVIDENCE)
    assert latest.revision == 3


def test_what_stops_an_import_while_it_is_stored_leaves_nothing(store: Store, tmp_path: Path) -> None:
    a_project_with_an_old_post(store)
    before = rows_of(store)
    other = open_store(store.path.parent)

    def fail() -> None:
        raise RuntimeError("out of order")

    with pytest.raises(RuntimeError, match="out of order"):
        import_file(store, a_file(tmp_path), on_progress=during_storing(fail))
    with pytest.raises(Conflict, match="is being imported right now"):
        import_file(
            store, a_file(tmp_path), on_progress=during_storing(lambda: other.add_posts([Post("n1", "x")]) and None)
        )
    with pytest.raises(ImportCancelled):
        asked: list[bool] = []
        import_file(
            store,
            a_file(tmp_path),
            on_progress=during_storing(lambda: asked.append(True)),
            should_cancel=lambda: bool(asked),
        )
    assert rows_of(store) == before
    assert list(store.path.parent.glob(".import-*")) == []


def test_a_full_disk_after_an_import_is_shown_only_delays_searching(store: Store, tmp_path: Path) -> None:
    def tell(_: float, message: str) -> None:
        if message.endswith("made searchable"):
            raise sqlite3.OperationalError("database or disk is full")

    assert import_file(store, jsonl(tmp_path / "x.jsonl", *NUMBERED), on_progress=tell)["imported"] == 20
    assert store.count_posts() == 20
    found = {"me": "ana", "model_version": None}
    assert store.count_queue(QueueFilter(query="awake"), **found).posts < 20
    store.recover_imports()
    assert store.count_queue(QueueFilter(query="awake"), **found).posts == 20


def test_a_post_that_is_undone_meanwhile_stops_the_import(store: Store, tmp_path: Path) -> None:
    import_file(store, jsonl(tmp_path / "first.jsonl", {"id": "old", "text": "I lie awake."}))
    other = open_store(store.path.parent)
    with pytest.raises(Conflict, match="Nothing was imported"):
        import_file(store, a_file(tmp_path), on_progress=during_storing(lambda: other.undo_import(1) and None))
    assert (store.count_posts(), rows_of(store)["annotation"]) == (0, 0)


KILLED = """
import sys
from pathlib import Path
from annotator.exchange.options import ImportCancelled
from annotator.exchange.use_cases import import_file, undo_import
from storage.exports import ExportFilter
from storage import imports
from storage.store import open_store

imports.FIRST_STEP_ROWS = imports.MIN_STEP_ROWS = imports.MAX_STEP_ROWS = 20
import_file(open_store(Path(sys.argv[1])), Path(sys.argv[2]), on_progress=lambda f, m: print(m, flush=True))
"""


@pytest.mark.parametrize("at", ["rows read", "storing", "30%", "90%", "made searchable"])
def test_an_import_that_is_killed_is_there_whole_or_leaves_nothing(store: Store, tmp_path: Path, at: str) -> None:
    a_project_with_an_old_post(store)
    rows = [gold(f"n{n}", f"Number {n}: I lie awake.", evidence(0, 8)) for n in range(300)]
    file = jsonl(tmp_path / "x.jsonl", *rows, gold("old", "I lie awake.", {**evidence(0, 6), "reviewer": "ben"}))
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(store.path.parent), str(file)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if at in line or ("%" in at and "%" in line and int(line.split("%")[0]) >= int(at[:-1])):
            break
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.wait()
    whole = at == "made searchable"
    assert store.count_posts() == (301 if whole else 1)
    assert len(store.history("old")) == (2 if whole else 1)
    left = store.recover_imports()
    if at != "storing":  # said just before the first rows are: the kill may come before or after them
        assert (left == 1) == ("%" in at)
    assert list(store.path.parent.glob(".import-*")) == []
    if whole:
        assert len(store.queue_ids(QueueFilter(query="number"), me="ana", model_version=None, limit=9999)) == 300
        return
    assert (rows_of(store)["post"], rows_of(store)["annotation"], rows_of(store)["import"]) == (1, 1, 0)
    assert import_file(store, file)["imported"] == 300


def test_an_import_that_is_being_undone_is_out_of_sight_at_once(store: Store, tmp_path: Path) -> None:
    a_project_with_an_old_post(store)
    other = open_store(store.path.parent)
    before = told(other)
    report = import_file(store, a_file(tmp_path))
    store.add_annotation(an_annotation(store.post("n1"), "awake"), expected_revision=0)
    store.open_post("n1", "ana")

    def stop(_: int) -> None:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        undo_import(store, report["import_id"], on_progress=stop)
    gone = told(other)
    assert gone.pop("imports") == [(1, "x.jsonl")]
    assert gone.pop("reviewers") == ["ana", "ben", "imported", "new person"]
    assert gone == {k: v for k, v in before.items() if k in gone}
    assert other.visited_posts("ana") == []
    assert rows_of(other)["post"] > 1
    assert other.recover_imports() == 1
    left = rows_of(other)
    assert (left["post"], left["annotation"], left["annotation_head"], left["import_issue"]) == (1, 1, 1, 0)
    assert import_file(store, a_file(tmp_path))["imported"] == 21


def test_uncertain_evidence_for_a_post_that_is_being_removed_waits_for_nobody(store: Store, tmp_path: Path) -> None:
    import_file(store, jsonl(tmp_path / "first.jsonl", *({"id": f"f{n}", "text": f"{DOUBTFUL} {n}"} for n in range(5))))
    words = {"criterion": SLEEP.id, "spans": ["feeling so very tired every single week"]}
    import_file(store, jsonl(tmp_path / "second.jsonl", gold("f4", f"{DOUBTFUL} 4", words)))
    assert [u.post_id for u in waiting(store)] == ["f4"]

    def stop(_: int) -> None:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        undo_import(store, 1, on_progress=stop)
    assert (waiting(store), store.count_waiting_alignments()) == ([], 0)
    assert store.recover_imports() == 1
