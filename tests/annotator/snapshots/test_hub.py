"""Snapshots in a private dataset repository, over HTTP against the stand-in Hub; also when the Hub refuses, breaks or cuts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from annotator.hub.client import Hub, Retry
from annotator.models.registry import check_directory
from annotator.settings import SNAPSHOT_KEY, Settings
from annotator.snapshots.archive import Snapshots
from annotator.snapshots.manifest import SnapshotDamaged
from annotator.snapshots.targets import HubTarget, TargetUnavailable
from tests.annotator.snapshot_project import KEY, a_project, begun_again, decide, decisions, lose
from tests.hub.large_files import add_large_files
from tests.hub.repos import StoredFile
from tests.hub.standin import StandIn

REPOSITORY = "ana/backups"
PLACE = f"hf://datasets/{REPOSITORY}"


@pytest.fixture
def hub(on_the_hub: StandIn) -> StandIn:
    add_large_files(on_the_hub)
    return on_the_hub


def there(settings: Settings, *, key: str | None = KEY) -> Snapshots:
    hub = Hub(retry=Retry(first_wait_seconds=0.01))
    return Snapshots(HubTarget(REPOSITORY, hub=hub), settings, passphrase=key)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SNAPSHOT_KEY, KEY)


def test_a_private_repository_is_made_and_brings_everything_back(hub: StandIn, tmp_path: Path) -> None:
    project = a_project(tmp_path / "data")
    there(project.settings).write(project.store, reason="test", keep=3)
    repo = hub.repo("dataset", REPOSITORY)
    assert repo.private
    assert b"I cannot sleep" not in b"".join(repo.files.values())
    lose(project)
    again = begun_again(project, PLACE)
    assert decisions(again) == ["p1"]
    check_directory(again.settings.models_dir / "v2")


def test_a_second_snapshot_uploads_no_model_again(hub: StandIn, tmp_path: Path) -> None:
    project = a_project(tmp_path / "data")
    snapshots = there(project.settings)
    snapshots.write(project.store, reason="first", keep=3)
    commits = len(hub.repo("dataset", REPOSITORY).commits)
    decide(project, 2)
    snapshots.write(project.store, reason="second", keep=3)
    new = hub.repo("dataset", REPOSITORY).commits[commits:]
    assert [c.summary.split(": ")[1] for c in new] == ["second"]


def test_older_ones_go_for_good_from_the_history_too(hub: StandIn, tmp_path: Path) -> None:
    project = a_project(tmp_path / "data")
    snapshots = there(project.settings)
    for reason in "abc":
        snapshots.write(project.store, reason=reason, keep=1)
    repo = hub.repo("dataset", REPOSITORY)
    assert [m.reason for m in snapshots.manifests()] == ["c"]
    databases = {p for commit in repo.commits for p in commit.files if p.startswith("databases/")}
    assert len(databases) == 1


def test_a_snapshot_cut_in_half_on_the_hub_is_refused_and_the_one_before_it_used(hub: StandIn, tmp_path: Path) -> None:
    project = a_project(tmp_path / "data")
    there(project.settings).write(project.store, reason="first", keep=3)
    decide(project, 2)
    last = there(project.settings).write(project.store, reason="second", keep=3)
    repo = hub.repo("dataset", REPOSITORY)
    whole = repo.files[last.database_name]
    repo.commit({**repo.head.files, last.database_name: StoredFile(whole[: len(whole) // 2], large=True)}, "cut")
    lose(project)
    assert decisions(begun_again(project, PLACE)) == ["p1"]


def test_a_public_repository_is_never_filled(hub: StandIn, tmp_path: Path) -> None:
    project = a_project(tmp_path / "data")
    repo = hub.add("dataset", REPOSITORY)
    with pytest.raises(TargetUnavailable, match="public"):
        there(project.settings).write(project.store, reason="test", keep=3)
    assert repo.files == {}


def test_a_repository_that_was_made_public_meanwhile_gets_nothing_more(hub: StandIn, tmp_path: Path) -> None:
    project = a_project(tmp_path / "data")
    place = there(project.settings)
    place.write(project.store, reason="test", keep=3)
    repo = hub.repo("dataset", REPOSITORY)
    before, repo.private = set(repo.files), False
    with pytest.raises(TargetUnavailable, match="public"):
        place.write(project.store, reason="test", keep=3)
    assert set(repo.files) == before


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_fails_in_passing_is_tried_again(hub: StandIn, tmp_path: Path, status: int) -> None:
    project = a_project(tmp_path / "data")
    hub.fail("POST", r"/api/datasets/.*/commit/", status, times=2)
    hub.cut("POST", r"/api/repos/create")
    there(project.settings).write(project.store, reason="test", keep=3)
    assert len(there(project.settings).names()) == 1


@pytest.mark.parametrize(("status", "words"), [(401, "token"), (403, "write permission"), (500, "trouble")])
def test_what_keeps_failing_is_said_in_one_line(hub: StandIn, tmp_path: Path, status: int, words: str) -> None:
    project = a_project(tmp_path / "data")
    hub.fail("POST", r"/api/datasets/.*/commit/", status, message="Invalid credentials", times=9)
    with pytest.raises(TargetUnavailable, match=words) as refused:
        there(project.settings).write(project.store, reason="test", keep=3)
    assert "\n" not in str(refused.value)
    assert there(project.settings).names() == []


def test_where_nobody_is_logged_in_nothing_is_begun(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = a_project(tmp_path / "data")
    there(project.settings).write(project.store, reason="test", keep=3)
    lose(project)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(TargetUnavailable, match="logged in"):
        begun_again(project, PLACE)
    assert not (project.settings.data_dir / "evidence.db").exists()


def test_a_hub_that_is_down_at_the_start_begins_nothing_and_passes_over_nothing(hub: StandIn, tmp_path: Path) -> None:
    project = a_project(tmp_path / "data")
    there(project.settings).write(project.store, reason="first", keep=3)
    there(project.settings).write(project.store, reason="second", keep=3)
    lose(project)
    hub.fail("GET", re.escape("/resolve/main/databases"), 503, times=99)
    with pytest.raises(TargetUnavailable, match="trouble"):
        there(project.settings).restore_newest()
    assert not (project.settings.data_dir / "evidence.db").exists()


def test_a_download_that_is_cut_is_made_again(hub: StandIn, tmp_path: Path) -> None:
    project = a_project(tmp_path / "data")
    there(project.settings).write(project.store, reason="first", keep=3)
    lose(project)
    hub.cut("GET", r"/resolve/.*databases", after_bytes=100)
    restored = there(project.settings).restore_newest()
    assert restored is not None
    assert restored.refused == []


def test_an_older_one_can_be_named(hub: StandIn, tmp_path: Path) -> None:
    project = a_project(tmp_path / "data")
    first = there(project.settings).write(project.store, reason="first", keep=3)
    decide(project, 2)
    there(project.settings).write(project.store, reason="second", keep=3)
    lose(project)
    with pytest.raises(SnapshotDamaged, match="no snapshot"):
        there(project.settings).restore_newest(name="20260101T000000.000000Z")
    there(project.settings).restore_newest(name=first.name)
    assert decisions(begun_again(project, PLACE)) == ["p1"]
