"""The keeper: when it writes, what it says when it cannot, and the last snapshot of a stop."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from annotator.project import Project
from annotator.settings import Settings
from annotator.snapshots.keeper import SnapshotKeeper, snapshot_shown_to
from annotator.snapshots.targets import FolderTarget
from storage.backup import backups
from storage.jobs import Jobs
from storage.records import JobKind, Reviewer, Role
from storage.store import Store, open_store
from tests.annotator.processes import wait_for
from tests.annotator.snapshot_project import a_project, at, begun_again, decide, decisions, lose
from tests.clock import Clock

ADMIN, REVIEWER = Reviewer("ana", Role.ADMIN), Reviewer("ben", Role.REVIEWER)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "mount" / "place"


@pytest.fixture
def project(tmp_path: Path, place: Path) -> Iterator[Project]:
    place.parent.mkdir()
    made = a_project(tmp_path / "data", snapshot_to=str(place), snapshot_minutes=10.0, snapshot_keep=3)
    yield made
    made.store.close()


def keeper_of(project: Project, clock: Callable[[], float]) -> tuple[SnapshotKeeper, Store]:
    """A keeper with a connection of its own, as its thread has; the tests write through the project's."""
    own = open_store(project.settings.data_dir)
    return SnapshotKeeper(project.settings, own, Jobs(own), passphrase=None, clock=clock), own


def count(place: Path) -> int:
    folder = place / "snapshots"
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_changes_are_in_a_snapshot_before_the_promised_time_is_over(
    project: Project, place: Path, clock: Clock
) -> None:
    keeper, _ = keeper_of(project, clock)
    keeper.look()
    clock.now += 60 * 9
    keeper.look()
    assert count(place) == 0
    clock.now += 60 * 0.97
    keeper.look()
    assert count(place) == 1
    assert keeper.state.failing == ""


def test_without_changes_nothing_is_written(project: Project, place: Path, clock: Clock) -> None:
    keeper, _ = keeper_of(project, clock)
    for _ in range(5):
        keeper.look()
        clock.now += 60 * 10
    assert count(place) == 1
    decide(project, 2)
    keeper.look()
    clock.now += 60 * 10
    keeper.look()
    assert count(place) == 2


def test_the_end_of_a_training_is_secured_at_once(project: Project, place: Path, clock: Clock) -> None:
    keeper, _ = keeper_of(project, clock)
    keeper.look()
    project.jobs.enqueue(JobKind.TRAIN, {})
    job = project.jobs.claim("w")
    assert job is not None
    project.jobs.finish(job, {})
    keeper.look()
    assert count(place) == 1
    assert at(place, project).manifests()[0].reason == "a training ended"


def test_a_failing_place_is_said_to_admins_and_tried_again_until_it_works(
    project: Project, place: Path, clock: Clock
) -> None:
    keeper, _ = keeper_of(project, clock)
    place.parent.rmdir()
    keeper.look()
    clock.now += 60 * 12
    keeper.look()
    shown = snapshot_shown_to(ADMIN, project.settings, keeper)
    assert shown is not None
    assert "mounted" in shown["failing"]
    assert shown["late"]
    assert snapshot_shown_to(REVIEWER, project.settings, keeper) is None
    place.parent.mkdir()
    keeper.look()
    assert count(place) == 0  # it waits a little before it tries again
    clock.now += 60 * 1
    keeper.look()
    assert count(place) == 1
    assert (keeper.state.failing, keeper.state.late) == ("", False)


def test_the_age_counts_from_the_newest_snapshot_also_after_a_restart(project: Project, place: Path) -> None:
    manifest = at(place, project).write(project.store, reason="before", keep=3)
    keeper = SnapshotKeeper(project.settings, project.store, project.jobs, passphrase=None, poll_seconds=0.01)
    keeper.start()
    wait_for(lambda: keeper.state.at is not None)
    assert keeper.state.at == manifest.at
    shown = snapshot_shown_to(ADMIN, project.settings, keeper)
    assert keeper.finish(60)
    assert shown is not None
    assert 0 <= shown["age_seconds"] < 600


def test_a_stop_takes_a_last_snapshot_of_what_changed(project: Project, place: Path) -> None:
    keeper = SnapshotKeeper(project.settings, project.store, project.jobs, passphrase=None, poll_seconds=0.01)
    keeper.start()
    decide(project, 2)
    assert keeper.finish(60)
    lose(project)
    assert decisions(begun_again(project, place)) == ["p1", "p2"]


def test_a_stop_does_not_wait_for_ever_for_a_place_that_hangs(
    project: Project, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, release = threading.Event(), threading.Event()

    class Hanging(FolderTarget):
        def names(self, folder: str) -> list[str]:
            hangs.set()
            release.wait(60)
            return super().names(folder)

    monkeypatch.setattr("annotator.snapshots.keeper.open_target", lambda name: Hanging(Path(name)))
    keeper = SnapshotKeeper(project.settings, project.store, project.jobs, passphrase=None, poll_seconds=0.01)
    keeper.start()
    assert hangs.wait(60)
    assert not keeper.finish(0.1)
    release.set()
    assert keeper.finish(60)


def test_scheduled_backups_come_at_their_hours_and_leave_those_made_by_hand(tmp_path: Path, clock: Clock) -> None:
    project = a_project(tmp_path / "data", backup_hours=6.0, backup_keep=2)
    folder = project.settings.backups_dir
    by_hand = folder / "evidence-2026-01-01T000000Z.db"
    by_hand.write_bytes(b"")
    keeper, _ = keeper_of(project, clock)
    keeper.look()
    assert backups(folder, "scheduled") == []
    for number in range(2, 6):
        decide(project, number)
        for old in backups(folder, "scheduled"):
            _set_time(old, clock.now)
        clock.now += 60 * 361
        keeper.look()
    assert len(backups(folder, "scheduled")) == 2
    assert backups(folder) == [by_hand]
    clock.now += 60 * 361
    before = backups(folder, "scheduled")
    keeper.look()
    assert backups(folder, "scheduled") == before  # nothing has changed since
    project.store.close()


@pytest.mark.parametrize("changes", [{"backup_hours": 0.0}, {"demo": True}])
def test_a_demo_or_zero_hours_mean_no_scheduled_backup(
    tmp_path: Path, changes: dict[str, object], clock: Clock
) -> None:
    project = a_project(tmp_path / "data", **changes)
    keeper, _ = keeper_of(project, clock)
    clock.now += 60 * 10_000
    keeper.look()
    assert backups(Settings(data_dir=tmp_path / "data").backups_dir, "scheduled") == []


def _set_time(path: Path, at: float) -> None:
    os.utime(path, (at, at))
