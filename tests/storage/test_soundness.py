"""A database that is empty, cut, overwritten, damaged or gone is refused with the way back, and never taken for a new project."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from storage.backup import back_up
from storage.connection import DATABASE_NAME
from storage.records import Post, Role, StoreUnavailable
from storage.soundness import refuse_lost
from storage.store import Store, open_store


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """The database of a project with an account, 300 posts and a backup, which nobody has open."""
    store = open_store(tmp_path)
    store.add_reviewer("eva", Role.ADMIN, password_hash="x")
    store.add_posts([Post(id=f"p{n}", text=f"I cannot sleep, night {n}. " * 40) for n in range(300)])
    back_up(store, tmp_path / "backups")
    fold(store)
    return store.path


def fold(store: Store) -> None:
    """Bring the journal into the file, so that the file alone is the database."""
    store.close()
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def test_an_empty_file_is_no_new_project_and_the_backup_that_it_names_brings_the_people_back(closed: Path) -> None:
    closed.write_bytes(b"")
    with pytest.raises(StoreUnavailable, match=r"is empty.*evidence restore .*backups/evidence-.*\.db --data-dir"):
        open_store(closed.parent)
    assert closed.read_bytes() == b""


@pytest.mark.parametrize("kept", [0.99, 0.5, 0.01])
def test_a_file_without_its_last_pages_is_refused_before_it_is_opened(closed: Path, kept: float) -> None:
    whole = closed.read_bytes()
    closed.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(StoreUnavailable, match=r"is cut off.*evidence restore"):
        open_store(closed.parent)


def test_a_beginning_that_was_overwritten_is_named(closed: Path) -> None:
    whole = closed.read_bytes()
    closed.write_bytes(b"\x00" * 512 + whole[512:])
    with pytest.raises(StoreUnavailable, match=r"is no database.*evidence restore"):
        open_store(closed.parent)


def test_pages_that_were_overwritten_are_found_by_the_check(closed: Path) -> None:
    whole = bytearray(closed.read_bytes())
    for page in range(3, len(whole) // 4096, 2):
        whole[page * 4096 : page * 4096 + 2048] = b"\xa5" * 2048
    closed.write_bytes(bytes(whole))
    with pytest.raises(StoreUnavailable, match=r"damaged.*evidence restore"):
        open_store(closed.parent).check_whole()


def test_a_table_that_is_missing_is_found_by_the_check(closed: Path) -> None:
    with sqlite3.connect(closed) as db:
        db.execute("DROP TABLE session")
    db.close()
    with pytest.raises(StoreUnavailable, match=r"session is missing.*evidence restore"):
        open_store(closed.parent).check_whole()


def test_a_whole_database_passes_the_check(closed: Path) -> None:
    open_store(closed.parent).check_whole()


def test_a_project_that_is_gone_is_not_begun_anew_while_its_backups_lie_there(closed: Path) -> None:
    closed.unlink()
    with pytest.raises(StoreUnavailable, match=r"is missing.*evidence restore"):
        refuse_lost(closed)
    shutil.rmtree(closed.parent / "backups")
    refuse_lost(closed)


def test_only_the_owner_can_read_a_new_project(tmp_path: Path) -> None:
    store = open_store(tmp_path / "data")
    store.ensure_reviewer("ana")
    files = sorted(p for p in (tmp_path / "data").iterdir())
    assert DATABASE_NAME in {f.name for f in files}
    assert [stat.S_IMODE(f.stat().st_mode) for f in files] == [0o600] * len(files)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_several_programs_that_begin_a_project_at_once_begin_the_same_one(tmp_path: Path) -> None:
    ready, failed = threading.Barrier(6), []

    def begin(n: int) -> None:
        ready.wait()
        try:
            store = open_store(tmp_path / "data")
            store.add_reviewer(f"person {n}", Role.REVIEWER)
            store.close()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=begin, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(open_store(tmp_path / "data").reviewers()) == 6
    assert [p.name for p in (tmp_path / "data").iterdir() if p.name.endswith(".partial")] == []
