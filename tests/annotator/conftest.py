"""Fixtures for trainings that are real: a small reviewed project, and a supervisor with its worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.settings import Settings
from annotator.supervisor import Supervisor
from storage.jobs import Jobs
from storage.store import Store


@pytest.fixture
def project(tmp_path: Path) -> Iterator[tuple[Settings, Store, Jobs]]:
    """A reviewed project with a tiny model in service."""
    from tests.annotator.reviewed_project import a_reviewed_project, opened  # loads torch

    settings = a_reviewed_project(tmp_path / "data")
    store, jobs = opened(settings)
    yield settings, store, jobs
    store.close()


@pytest.fixture
def supervisor(project: tuple[Settings, Store, Jobs]) -> Iterator[Supervisor]:
    """The project's supervisor, started."""
    settings, _, jobs = project
    supervisor = Supervisor(settings, jobs, poll_seconds=0.1)
    supervisor.start()
    yield supervisor
    supervisor.stop()
