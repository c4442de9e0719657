from __future__ import annotations

import logging
import shutil
import sqlite3
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from storage.migrations import migrations
from storage.queue import QueueCount, QueueFilter, ReviewState
from storage.records import StoreUnavailable
from storage.store import Store
from tests.builders import MOOD, SLEEP

Usage = namedtuple("Usage", "total used free")
_SPANS = '[[0,3,"accepted",[0,3,0.9,null,null]],[4,6,"added",null]]'


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A project of the release before counts were kept: two posts, one of them decided by ana and by ben."""
    path = tmp_path / "evidence.db"
    db = Database(sqlite3.connect(path, isolation_level=None))
    migrations.apply(db, stop_before="m005_flat_queue")
    for criterion in (SLEEP, MOOD):
        db.execute(
            "INSERT INTO criterion VALUES (?, 1, ?, ?, ?, ?, 1, '2026', NULL)",
            [criterion.id, criterion.name, criterion.text, criterion.guideline, criterion.position],
        )
    for number, name in enumerate(("p1", "p2")):
        db.execute(
            "INSERT INTO post (id, text, text_sha256, split, source, imported_at, shuffle) VALUES (?, 'I lie awake', ?, 'train',"
            " 'forum', '2026', ?)",
            [name, name, number],
        )
    db.execute("INSERT INTO post_score VALUES ('p1', 'm1', 0.5, 0.9, NULL)")
    for name in ("ana", "ben"):
        db.execute("INSERT INTO reviewer (name, role, created_at) VALUES (?, 'reviewer', '2026')", [name])
        for criterion in (SLEEP, MOOD)[: 2 if name == "ana" else 1]:
            made = db.execute(
                "INSERT INTO annotation (post_id, criterion_id, criterion_version, reviewer, revision, verdict, spans, rejected,"
                " undecided, note, created_at) VALUES ('p1', ?, 1, ?, 1, 'evidence', ?, '[[7,9,0.4,null,null]]', '[]', '', '2026')",
                [criterion.id, name, _SPANS],
            )
            db.execute(
                "INSERT INTO annotation_head (post_id, criterion_id, reviewer, annotation_id, verdict)"
                " VALUES ('p1', ?, ?, ?, 'evidence')",
                [criterion.id, name, made.lastrowid],
            )
    db.conn.close()
    return path


def test_an_older_project_is_counted_as_if_it_had_always_been(older: Path) -> None:
    store = Store(older)
    assert store.progress_counts(me="ana") == {
        "posts": 2,
        "reviewed_by_me": 1,
        "started_by_me": 1,
        "decisions": 3,
        "reviewers": 2,
    }
    assert store.verdict_counts() == {SLEEP.id: {"evidence": 2}, MOOD.id: {"evidence": 1}}
    assert store.span_origin_counts()[SLEEP.id] == {"accepted": 2, "adjusted": 0, "added": 2, "rejected": 2}
    assert store.count_predicted_posts("m1") == 1
    assert store.queue_ids(QueueFilter(), me="ana", model_version="m1", limit=9) == ["p2"]
    assert store.queue_ids(QueueFilter(), me="ben", model_version="m1", limit=9) == ["p1", "p2"]
    done = QueueFilter(state=ReviewState.REVIEWED)
    assert store.count_queue(done, me="ana", model_version="m1") == QueueCount(1)
    codes = store.reader_codes()
    assert list(codes) == ["ana", "ben"]
    assert len(set(codes.values())) == 2


def test_the_project_is_kept_as_it_was_before_it_is_brought_up(older: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    Store(older)
    (copy,) = (older.parent / "backups").iterdir()
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT count(*) FROM annotation_head").fetchone() == (3,)
        assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'post_review'").fetchone()
    (line,) = caplog.messages
    assert "2 posts, about 1 seconds" in line
    assert copy.name in line
    Store(older)  # the second start has nothing to do
    assert list((older.parent / "backups").iterdir()) == [copy]


def test_without_room_for_the_copy_nothing_is_changed(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 10, 0))
    with pytest.raises(StoreUnavailable, match="no room for a copy"):
        Store(older)
    monkeypatch.undo()
    assert Store(older).count_posts() == 2


def test_an_upgrade_that_breaks_off_leaves_the_project_as_it_was(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(db: Database) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(migrations.pending(Database(memory=True))[-1], "fn", broken)
        with pytest.raises(StoreUnavailable, match="disk is full"):
            Store(older)
    assert Store(older).count_posts() == 2
