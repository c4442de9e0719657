"""What is left lying goes while the app runs, and nothing goes that somebody still needs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from annotator import housekeeping
from annotator.exchange.downloads import KEEP_SECONDS
from annotator.housekeeping import LEFT_SECONDS, UPLOADS_KEPT_SECONDS, Housekeeper, clear_up
from annotator.settings import Settings
from storage.jobs import Jobs
from storage.records import JobKind
from storage.staging import NEW_SECONDS, import_folder
from storage.store import Store
from tests.annotator.processes import wait_for


@pytest.fixture
def settings(store: Store) -> Settings:
    settings = Settings(data_dir=store.path.parent)
    for folder in (settings.data_dir / "exports", settings.uploads_dir, settings.models_dir):
        folder.mkdir(mode=0o700, exist_ok=True)
    return settings


def aged(path: Path, seconds: float, *, folder: bool = False) -> Path:
    """A file, or a folder with one, last written so many seconds ago."""
    inside = path / "file.txt" if folder else path
    inside.parent.mkdir(exist_ok=True)
    inside.write_text("I cannot sleep.", encoding="utf-8")
    then = time.time() - seconds
    for each in {inside, path}:
        os.utime(each, (then, then))
    return path


def test_what_is_over_its_time_goes_and_what_is_young_stays(settings: Settings, store: Store) -> None:
    uploads, models, exports = settings.uploads_dir, settings.models_dir, settings.data_dir / "exports"
    gone = [
        aged(exports / "old", KEEP_SECONDS + 60, folder=True),
        aged(uploads / "sha-of-it", UPLOADS_KEPT_SECONDS + 60, folder=True),
        aged(uploads / "import-of-a-job-that-ended.csv", UPLOADS_KEPT_SECONDS + 60),
        aged(models / ".download-old", LEFT_SECONDS + 60, folder=True),
        aged(models / ".pull-old.zip", LEFT_SECONDS + 60),
    ]
    stays = [
        aged(exports / "new", KEEP_SECONDS - 600, folder=True),
        aged(uploads / "new-one", UPLOADS_KEPT_SECONDS - 600, folder=True),
        aged(models / ".push-under-way", LEFT_SECONDS - 600, folder=True),
        aged(models / "v1", 90 * 86400, folder=True),
        aged(uploads / "import-needed.csv", 90 * 86400),
    ]
    jobs = Jobs(store)
    jobs.enqueue(JobKind.IMPORT, {"path": str(uploads / "import-needed.csv")})
    clear_up(settings, jobs)
    assert [path.name for path in gone if path.exists()] == []
    assert [path.name for path in stays if not path.exists()] == []


def test_the_folder_of_an_import_that_was_killed_goes_and_that_of_one_that_runs_stays(
    settings: Settings, store: Store
) -> None:
    killed = settings.data_dir / ".import-killed"
    aged(killed, NEW_SECONDS + 5, folder=True)
    with import_folder(settings.data_dir) as running:
        clear_up(settings, Jobs(store))
        assert not killed.exists()
        assert running.is_dir()
    assert list(settings.data_dir.glob(".import-*")) == []


def test_the_thread_goes_on_after_trouble_and_ends_when_it_is_told(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "EVERY_SECONDS", 0.01)
    calls: list[int] = []

    def failing_once(*given: object) -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise OSError("the disk does not answer")

    monkeypatch.setattr(housekeeping, "clear_up", failing_once)
    keeper = Housekeeper(settings, Jobs(store))
    keeper.start()
    wait_for(lambda: len(calls) >= 3)
    keeper.stop()
    assert len(calls) >= 3
