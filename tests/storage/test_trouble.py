"""What the disk refuses becomes one line that says what to do; nothing that was saved before is lost."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import threading
from pathlib import Path

import pytest

from storage import connection
from storage.records import Post, Role
from storage.store import Store, open_store
from storage.trouble import StorageTrouble, Trouble, trouble_of
from tests.disks import fill, may_mount, small_disk


@may_mount
def test_on_a_full_disk_a_write_says_so_and_goes_through_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        store = open_store(disk)
        store.ensure_reviewer("ana")
        fill(disk)
        with pytest.raises(StorageTrouble, match="disk is full") as refused:
            for n in range(200):
                store.add_posts([Post(id=f"p{n}", text=f"post {n} " * 500)])
        assert refused.value.kind is Trouble.FULL
        before = store.count_posts()
        (disk / "filler").unlink()
        store.add_posts([Post(id="later", text="there is room again")])
        assert store.count_posts() == before + 1
        store.close()


def test_another_program_that_holds_the_database_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_SECONDS", 0.05)
    impatient = Store(store.path)
    holder = sqlite3.connect(store.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageTrouble, match="Another program holds the database") as refused:
        impatient.add_reviewer("eva", Role.REVIEWER)
    assert refused.value.kind is Trouble.LOCKED
    holder.execute("COMMIT")
    holder.close()
    assert impatient.add_reviewer("eva", Role.REVIEWER).name == "eva"
    impatient.close()


def test_who_comes_behind_one_that_waits_for_another_program_does_not_wait_as_long(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their threads answer everybody: forty saves that wait for a minute are an app that is gone for a minute."""
    monkeypatch.setattr(connection, "STUCK_SECONDS", 0.05)
    monkeypatch.setattr(connection, "TURN_SECONDS", 0.01)
    holder = sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    refused: list[StorageTrouble] = []

    def save(name: str) -> None:
        try:
            store.add_reviewer(name, Role.REVIEWER)
        except StorageTrouble as trouble:
            refused.append(trouble)
            if len(refused) == 7:  # the eighth is in front, and would wait for half a minute
                holder.execute("COMMIT")
        finally:
            store.close()

    threads = [threading.Thread(target=save, args=[f"r{n}"]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    holder.close()
    assert [trouble.kind for trouble in refused] == [Trouble.LOCKED] * 7
    assert len([r for r in store.reviewers() if r.name.startswith("r")]) == 1


def test_damage_that_is_met_while_reading_is_named_and_not_a_trace(store: Store) -> None:
    store.add_posts([Post(id=f"p{n}", text=f"post {n} " * 500) for n in range(300)])
    store.close()
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    whole = bytearray(store.path.read_bytes())
    whole[-50 * 4096 :] = b"\xa5" * (50 * 4096)
    store.path.write_bytes(bytes(whole))
    with pytest.raises(StorageTrouble, match="evidence restore") as refused:
        list(Store(store.path).iter_posts())
    assert refused.value.kind is Trouble.DAMAGED


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), Trouble.FULL),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), Trouble.FULL),
        (OSError(errno.EROFS, "Read-only file system"), Trouble.READ_ONLY),
        (PermissionError(errno.EACCES, "Permission denied"), Trouble.READ_ONLY),
        (OSError(errno.EIO, "Input/output error"), Trouble.BROKEN),
    ],
)
def test_what_the_system_says_has_the_same_names(error: OSError, kind: Trouble) -> None:
    found = trouble_of(error)
    assert found is not None
    assert found.kind is kind


def test_a_wrong_statement_is_no_trouble_of_the_storage(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError) as refused, store.read() as db:
        db.execute("SELECT nothing FROM nowhere")
    assert not isinstance(refused.value, StorageTrouble)
    assert trouble_of(ValueError("x")) is None
