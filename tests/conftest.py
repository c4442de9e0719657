"""Fixtures for every test: a fresh store, and an environment in which nothing can reach a network by accident."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads that wait for each other double what small tensors cost
os.environ.setdefault("EVIDENCE_FIRST_MODEL", "bundled")  # apps that a test starts as a process load in a second

from annotator.models import bundled
from storage.store import Store, open_store
from tests.browsers import chromium  # noqa: F401  (one per process)
from tests.builders import MOOD, SLEEP
from tests.durations import pytest_terminal_summary  # noqa: F401  (a hook)
from tests.hub.conftest import hub, hub_environment, on_the_hub  # noqa: F401  (fixtures for every folder)
from tests.order import pytest_collection_modifyitems, pytest_configure  # noqa: F401  (hooks)


@pytest.fixture(scope="session", autouse=True)
def _small_model_first() -> Iterator[None]:
    """The real Gemma takes part only in tests that ask for it: loading it for every app would take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundled, "gemma_is_bundled", lambda: False)
        yield


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store with two criteria and the reviewers ana and ben."""
    opened = open_store(tmp_path / "data")
    opened.save_criteria([SLEEP, MOOD])
    opened.ensure_reviewer("ana")
    opened.ensure_reviewer("ben")
    yield opened
    opened.close()
