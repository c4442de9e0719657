"""Opening, migrating, refusing, killing."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from storage import backup
from storage.connection import DATABASE_NAME
from storage.records import Criterion, InvalidRecord, ModelStatus, ModelVersion, Role, StoreUnavailable
from storage.store import Store, open_store
from tests.builders import MOOD, SLEEP, a_post, a_prediction, an_annotation
from tests.storage.imported import begin_import, show_imports


def test_a_database_of_a_newer_release_is_refused_untouched(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with store.write() as db:
        db.conn.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('evidence', 'm999_future', 'then')"
        )
    store.close()
    with pytest.raises(StoreUnavailable, match=r"newer release \(it has m999_future\)"):
        open_store(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(b"this is not a database, but it is long enough to look like a file" * 20)
    with pytest.raises(StoreUnavailable, match="is no database"):
        open_store(tmp_path)


@pytest.mark.parametrize("table", ["post", "bookmark"])
def test_another_programs_database_is_refused(tmp_path: Path, table: str) -> None:
    """Also one without any table of ours: a project that begins in it would have no accounts."""
    connection = sqlite3.connect(tmp_path / DATABASE_NAME)
    connection.execute(f"CREATE TABLE {table} (x)")
    connection.close()
    with pytest.raises(StoreUnavailable, match="another program"):
        open_store(tmp_path)


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be"):
        open_store(tmp_path / "data")


def test_a_failed_write_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.write():
        store.add_posts([a_post()])
        raise RuntimeError("half way")
    assert store.count_posts() == 0


def test_a_read_sees_one_moment(store: Store, tmp_path: Path) -> None:
    other = open_store(tmp_path / "data")
    with store.read() as db:
        before = db.execute("SELECT count(*) FROM post").fetchone()[0]
        import threading

        writer = threading.Thread(target=other.add_posts, args=([a_post()],))
        writer.start()
        writer.join()
        assert db.execute("SELECT count(*) FROM post").fetchone()[0] == before
    assert store.count_posts() == 1


def test_the_last_activation_is_the_model_in_service(store: Store) -> None:
    store.add_model(ModelVersion("bundled", "bundled"))
    store.add_model(ModelVersion("v1", "v1"))
    assert store.active_model() is None
    for model_id in ("bundled", "v1", "bundled"):
        store.activate_model(model_id, by="ana")
    active = store.active_model()
    assert active is not None
    assert active.id == "bundled"
    assert [row["model_version"] for row in store.activations()] == ["bundled", "v1", "bundled"]


def test_a_deleted_model_cannot_be_activated_and_its_number_is_not_used_again(store: Store) -> None:
    store.add_model(ModelVersion("v1", "v1"))
    store.update_model("v1", status=ModelStatus.DELETED)
    with pytest.raises(InvalidRecord, match="was deleted"):
        store.activate_model("v1", by=None)
    assert store.next_model_id() == "v2"
    assert store.models() == []


def test_predictions_of_a_model_replace_its_own_only(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_predictions([a_prediction(post, "I cannot sleep.", model="m1"), a_prediction(post, model="m2")])
    store.add_predictions([a_prediction(post, "cannot sleep", model="m1")])
    assert [s.quote(post.text) for s in store.predictions("p1", "m1")[SLEEP.id].spans] == ["cannot sleep"]
    assert store.predictions("p1", "m2")[SLEEP.id].spans == ()
    assert store.posts_without_prediction("m1", [SLEEP.id], limit=5) == []
    assert store.posts_without_prediction("m3", [SLEEP.id], limit=5) == ["p1"]


def test_posts_that_lack_a_prediction_are_found_also_behind_those_that_were_looked_at(store: Store) -> None:
    def lacking() -> list[str]:
        return store.posts_without_prediction("m1", [SLEEP.id, MOOD.id], limit=5)

    def add(name: str, *, import_id: int | None = None, criteria: Sequence[Criterion] = (SLEEP, MOOD)) -> None:
        post = a_post(id=name)
        store.add_posts([post], import_id=import_id)
        store.add_predictions(a_prediction(post, criterion=c) for c in criteria)

    add("read")
    assert lacking() == []
    add("hidden", import_id=begin_import(store), criteria=[])
    add("read too")
    assert lacking() == []
    show_imports(store)
    add("half read", criteria=[MOOD])
    assert lacking() == ["hidden", "half read"]
    store.add_predictions(a_prediction(a_post(id=name)) for name in ("hidden", "half read"))
    assert lacking() == ["hidden"]
    store.forget_predictions([MOOD.id])
    assert lacking() == ["read", "hidden", "read too", "half read"]


def test_disabling_a_person_ends_their_sessions(store: Store) -> None:
    store.add_reviewer("eva", Role.ADMIN, password_hash="hash")
    store.add_session("token", "eva", expires_at="2999-01-01T00:00:00Z")
    assert store.session_reviewer("token") == store.reviewer("eva")
    store.update_reviewer("eva", disabled=True)
    assert store.session_reviewer("token") is None
    assert store.has_accounts()  # disabling the last account opens nothing


def test_an_expired_session_is_nobodys(store: Store) -> None:
    store.add_session("token", "ana", expires_at="2001-01-01T00:00:00Z")
    assert store.session_reviewer("token") is None


def test_a_snapshot_is_verified_and_brings_everything_back(store: Store, tmp_path: Path) -> None:
    post = a_post()
    store.add_posts([post])
    saved = store.add_annotation(an_annotation(post), expected_revision=0)
    made = backup.back_up(store, tmp_path / "backups")
    backup.restore(made, tmp_path / "elsewhere")
    restored = open_store(tmp_path / "elsewhere")
    assert restored.history(post.id) == [saved]
    assert restored.criteria() == store.criteria()


def test_a_snapshot_cut_in_half_is_refused(store: Store, tmp_path: Path) -> None:
    store.add_posts([a_post(f"text {i} " * 200, id=f"p{i}") for i in range(200)])
    made = backup.back_up(store, tmp_path / "backups")
    made.write_bytes(made.read_bytes()[: made.stat().st_size // 2])
    with pytest.raises(backup.BackupInvalid):
        backup.restore(made, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / DATABASE_NAME).exists()


def test_restoring_over_a_database_is_explicit_and_keeps_the_old_one(store: Store, tmp_path: Path) -> None:
    made = backup.back_up(store, tmp_path / "backups")
    data_dir = tmp_path / "data"
    with pytest.raises(StoreUnavailable, match="exists"):
        backup.restore(made, data_dir)
    store.close()
    backup.restore(made, data_dir, overwrite=True)
    assert list(data_dir.glob(f"{DATABASE_NAME}.before-restore-*"))


def test_only_the_newest_snapshots_are_kept(store: Store, tmp_path: Path) -> None:
    made = [backup.back_up(store, tmp_path / "backups", keep=2) for _ in range(3)]
    assert made[-1] in backup.backups(tmp_path / "backups")
    assert len(backup.backups(tmp_path / "backups")) == 2


SAVER = """
    import dataclasses, sys
    from pathlib import Path
    from storage.store import open_store
    from tests.builders import a_post, an_annotation
    store = open_store(Path(sys.argv[1]))
    post = store.post("p1")
    revision = len(store.history("p1"))
    while True:
        store.add_annotation(an_annotation(post, "cannot sleep"), expected_revision=revision)
        revision += 1
        print(revision, flush=True)
"""


@pytest.mark.slow
def test_a_process_killed_in_mid_save_loses_no_acknowledged_annotation(store: Store, tmp_path: Path) -> None:
    store.add_posts([a_post()])
    root = Path(__file__).resolve().parents[2]
    acknowledged = 0
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(SAVER), str(tmp_path / "data")],
            cwd=root,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        assert process.stdout is not None
        for _ in range(7):
            acknowledged = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        process.stdout.close()
        process.wait()
        acknowledged = max([acknowledged, *map(int, rest)])
        assert len(store.history("p1")) >= acknowledged
    with store.read() as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


@pytest.mark.parametrize("fails", [False, True])
def test_only_what_is_said_to_be_so_is_written_without_waiting_for_the_disk(store: Store, fails: bool) -> None:
    def mode() -> int:
        with store.read() as db:
            return int(db.execute("PRAGMA synchronous").fetchone()[0])

    full, normal = 2, 1
    with store.write():
        assert mode() == full
    with contextlib.suppress(ZeroDivisionError), store.write(durable=False):
        assert mode() == normal
        if fails:
            raise ZeroDivisionError
    assert mode() == full
