"""Automatic retraining: when enough posts have been reviewed since the last model, at most once per period. Off by default."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from annotator.models.registry import UNFINISHED
from annotator.settings import Settings
from annotator.training.plan import PRESETS, preset_config, trained_up_to
from annotator.training.run import TrainingWish, enqueue_training
from storage.jobs import Jobs
from storage.records import EvidenceError, Job, JobKind
from storage.store import Store

SETTING = "automatic_training"
AUTHOR = "automatic"


class InvalidSchedule(EvidenceError, ValueError):
    """Settings of automatic retraining that make no sense."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """posts: newly reviewed posts that make a training worth it. hours: the least time between two starts."""

    enabled: bool = False
    posts: int = 50
    hours: float = 24.0
    preset: str = "quick"

    def __post_init__(self) -> None:
        if self.posts < 1:
            raise InvalidSchedule(f"Automatic training after {self.posts} posts makes no sense; choose 1 or more.")
        if not 0.0 < self.hours <= 8784:
            raise InvalidSchedule(
                f"{self.hours} hours between trainings makes no sense; choose more than 0, at most a year."
            )
        if self.preset not in {p.id for p in PRESETS}:
            raise InvalidSchedule(f"There is no preset {self.preset!r}.")


def schedule_of(store: Store) -> Schedule:
    values: Mapping[str, Any] = store.setting(SETTING, {})
    return Schedule(**values)


def set_schedule(store: Store, schedule: Schedule) -> None:
    store.set_setting(SETTING, asdict(schedule))


def enqueue_if_due(store: Store, jobs: Jobs, settings: Settings, *, now: dt.datetime | None = None) -> Job | None:
    """Queue a training if the schedule asks for one now. Returns it, or None."""
    schedule = schedule_of(store)
    if not schedule.enabled or jobs.jobs(kind=JobKind.TRAIN, statuses=UNFINISHED, limit=1):
        return None
    latest = next(iter(jobs.jobs(kind=JobKind.TRAIN, limit=1)), None)
    if latest is not None and hours_since(latest.created_at, now) < schedule.hours:
        return None
    if store.count_reviewed_since(max(trained_up_to(store), _tried_up_to(latest))) < schedule.posts:
        return None
    config = preset_config(schedule.preset, settings, store.active_model())
    with store.write():
        if jobs.jobs(kind=JobKind.TRAIN, statuses=UNFINISHED, limit=1):
            return None
        return enqueue_training(jobs, TrainingWish(config, note="Started automatically"), by=AUTHOR)


def hours_since(moment: str | None, now: dt.datetime | None = None) -> float:
    """Hours from a stored time to `now`."""
    if moment is None:
        return float("inf")
    return ((now or dt.datetime.now(dt.UTC)) - dt.datetime.fromisoformat(moment)).total_seconds() / 3600


def _tried_up_to(job: Job | None) -> int:
    """The newest annotation that the last training saw, also if its model was set aside."""
    return 0 if job is None or not job.result else int(job.result.get("last_annotation") or 0)
