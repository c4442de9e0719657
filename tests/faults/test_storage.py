"""A full, read-only or locked disk under a running app: 507 or 503, a line that says what to do, an unhealthy /healthz, nothing lost."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from annotator.server import App
from annotator.web import health
from storage import connection, probe
from storage.records import Role
from storage.store import open_store
from storage.trouble import StorageTrouble, Trouble
from tests.annotator.running import running_app
from tests.builders import a_post
from tests.disks import fill, make_room, may_mount, remount, small_disk

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are waited for, and health is remembered, for a moment only."""
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(probe, "LOCK_SECONDS", 0.2)
    monkeypatch.setattr(health, "LOOK_EVERY_SECONDS", 0.0)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[App, Path]]:
    with small_disk(tmp_path / "disk", "24m") as disk, running_app(disk / "data", backup_hours=0.0) as app:
        app.accounts.add("eva", Role.ADMIN, PASSWORD)
        app.project.store.add_posts([a_post("I cannot sleep.", id=f"p{n}") for n in range(40)])
        yield app, disk


@contextlib.contextmanager
def signed_in(app: App) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app.url, timeout=120) as client:
        assert client.post("/login", data={"name": "eva", "password": PASSWORD}).status_code == 303
        yield client


def annotate(client: httpx.Client, post_id: str, note: str = "") -> httpx.Response:
    body = {"post_id": post_id, "criterion": "SLEEP_ISSUES", "verdict": "unsure", "expected_revision": 0, "note": note}
    return client.post("/api/v1/annotate", json=body)


def until_refused(client: httpx.Client) -> tuple[httpx.Response, list[str]]:
    """(the first refusal, the posts whose saves were acknowledged before)."""
    saved = []
    for n in range(1, 40):
        answer = annotate(client, f"p{n}", "x" * 3000)
        if answer.status_code != 200:
            return answer, saved
        saved.append(f"p{n}")
    raise AssertionError("the disk was never full")


@may_mount
def test_a_full_disk_is_507_until_there_is_room_and_takes_no_acknowledged_save(served: tuple[App, Path]) -> None:
    app, disk = served
    with signed_in(app) as client:
        assert annotate(client, "p0").status_code == 200
        fill(disk)
        refused, saved = until_refused(client)
        assert refused.status_code == 507
        assert refused.json()["error"]["code"] == "storage_full"
        assert "disk is full" in refused.json()["error"]["message"]
        assert int(refused.headers["retry-after"]) > 0
        unhealthy = client.get("/healthz")
        assert (unhealthy.status_code, unhealthy.json()["status"]) == (507, "unhealthy")
        assert "disk is full" in unhealthy.json()["reason"]
        assert client.get("/api/v1/posts").status_code == 200  # what is there can be read
        export = client.get("/api/v1/export")
        assert (export.status_code, export.json()["error"]["code"]) == (507, "storage_full")
        assert str(disk) not in export.text
        make_room(disk)
        assert annotate(client, "p39").status_code == 200
        assert client.get("/healthz").json()["status"] == "ok"
        store = app.project.store
        assert {a.post_id for a in store.iter_annotations()} == {"p0", "p39", *saved}


@may_mount
def test_a_disk_that_can_only_be_read_is_named_until_it_can_be_written(tmp_path: Path) -> None:
    """Without an app, whose open files keep a disk from being mounted anew; the gate makes 503 of this trouble as of a lock."""
    with small_disk(tmp_path / "disk", "24m") as disk:
        store = open_store(disk / "data")
        store.add_posts([a_post("I cannot sleep.", id="p1")])
        store.close()
        remount(disk, "ro")
        with pytest.raises(StorageTrouble, match="can only be read") as refused:
            store.add_posts([a_post("I sleep.", id="p2")])
        assert refused.value.kind is Trouble.READ_ONLY
        found = probe.trouble_now(store.path)
        assert found is not None
        assert found.kind is Trouble.READ_ONLY
        store.close()
        remount(disk, "rw")
        assert probe.trouble_now(store.path) is None
        store.add_posts([a_post("I sleep.", id="p2")])
        assert store.post("p1").text == "I cannot sleep."
        store.close()


DECISION = {
    **{"post_id": "p2", "criterion_id": "SLEEP_ISSUES", "criterion_version": 1, "verdict": "unsure", "spans": []},
    **{"rejected": [], "undecided": [], "note": "", "expected_revision": 0, "op_id": "a-key.0"},
    **{"model_version": None, "seconds": 1.0},
}


def test_a_database_that_another_program_holds_is_503_and_what_a_page_sends_again_is_stored_once(
    tmp_path: Path,
) -> None:
    """The page keeps what is answered without `ok`, and sends it again; what a result refuses, it puts aside."""
    with running_app(tmp_path, backup_hours=0.0) as app:
        app.accounts.add("eva", Role.ADMIN, PASSWORD)
        app.project.store.add_posts([a_post("I cannot sleep.", id=f"p{n}") for n in (1, 2)])
        with signed_in(app) as client:
            holder = sqlite3.connect(tmp_path / "evidence.db", isolation_level=None)
            holder.execute("BEGIN EXCLUSIVE")
            refused = annotate(client, "p1")
            assert refused.status_code == 503, refused.text
            assert "Another program holds the database" in refused.text
            sent = client.post("/ask/review_save", json={"decisions": [DECISION]})
            assert (sent.status_code, int(sent.headers["retry-after"]) > 0, sent.json()["ok"]) == (503, True, False)
            assert "Another program holds the database" in sent.json()["error"]
            assert client.get("/healthz").status_code == 503
            page = client.post("/login", data={"name": "eva", "password": "wrong"})
            assert (page.status_code, "Another program" in page.text) == (503, True)
            holder.execute("COMMIT")
            holder.close()
            assert annotate(client, "p1").status_code == 200
            again = [client.post("/ask/review_save", json={"decisions": [DECISION]}).json() for _ in range(2)]
            assert [a["results"][0]["revision"] for a in again] == [1, 1]
            assert len(app.project.store.history("p2")) == 1
            assert client.get("/healthz").json()["status"] == "ok"
