"""A clock that is set back, or leaps: nothing that was stored is taken for older or newer than it is, and nobody is locked out."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from annotator.exchange.downloads import remove_old_exports
from annotator.people.throttle import LONGEST_WAIT_SECONDS, Throttle, TooManyAttempts
from annotator.settings import Settings
from annotator.snapshots.manifest import new_name, newest_first
from storage import annotations, backup
from storage.backup import back_up, backups
from storage.files import is_over
from storage.store import Store
from tests.builders import a_post, an_annotation
from tests.clock import Clock

TIMES = ["2026-11-29T18:00:00Z", "2026-11-29T18:00:00Z", "2024-01-01T00:00:00Z", "2026-11-29T19:00:00Z"]


def test_a_backup_made_after_the_clock_was_set_back_is_the_newest_and_is_kept(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for at in TIMES:
        monkeypatch.setattr(backup, "utc_now", lambda at=at: at)
        made.append(back_up(store, tmp_path / "backups", keep=2))
        assert backups(tmp_path / "backups")[0] == made[-1]
    assert [path.exists() for path in made] == [False, False, True, True]
    assert len({path.name for path in made}) == len(TIMES)


def test_a_snapshot_made_after_the_clock_was_set_back_is_the_newest() -> None:
    ahead = "20990101T000000.000000Z"
    later = new_name(ahead)
    assert newest_first([f"{ahead}.json", f"{later}.json"]) == [later, ahead]


def test_what_is_kept_for_an_hour_goes_although_it_comes_from_ahead(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    for name, hours in (("just-made", 0.5), ("over", -2.0), ("made-before-the-clock-was-set-back", 70.0)):
        folder = tmp_path / "exports" / name
        folder.mkdir(parents=True)
        os.utime(folder, times=(time.time() + hours * 3600,) * 2)
    remove_old_exports(settings)
    assert [folder.name for folder in (tmp_path / "exports").iterdir()] == ["just-made"]
    assert [is_over(100.0, 50.0, now=now) for now in (40.0, 60.0, 149.0, 151.0)] == [True, False, False, True]


def test_the_last_answer_is_the_last_whatever_the_clock_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    post = a_post("I cannot sleep.", id="p1")
    store.add_posts([post])
    for number, at in enumerate(TIMES[:3]):
        monkeypatch.setattr(annotations, "utc_now", lambda at=at: at)
        store.add_annotation(an_annotation(post, "I cannot sleep.", note=str(number)), expected_revision=number)
    assert store.annotations_of("p1", "ana")["SLEEP_ISSUES"].note == "2"
    assert [a.note for a in store.history("p1")] == ["2", "1", "0"]


def test_nobody_waits_longer_because_the_clock_was_set_back(store: Store) -> None:
    clock = Clock()
    throttle = Throttle(store, clock=clock)
    for _ in range(5):
        throttle.take("eva", address="203.0.113.9")
    clock.now -= 365 * 86400.0
    with pytest.raises(TooManyAttempts) as refused:
        throttle.take("eva", address="203.0.113.9")
    assert refused.value.retry_after <= LONGEST_WAIT_SECONDS
    clock.now += 2 * 365 * 86400.0
    throttle.take("eva", address="203.0.113.9")
