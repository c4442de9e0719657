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

from storage.store import Store, open_store
from tests.builders import MOOD, SLEEP
from tests.hub.conftest import hub, hub_environment, on_the_hub  # noqa: F401  (fixtures for every folder)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store with two criteria and the reviewers ana and ben."""
    opened = open_store(tmp_path / "data")
    opened.save_criteria([SLEEP, MOOD])
    opened.ensure_reviewer("ana")
    opened.ensure_reviewer("ben")
    yield opened
    opened.close()
