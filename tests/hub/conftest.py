"""The stand-in Hub as fixtures; `tests/conftest.py` hands them on to every folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.standin import TOKEN, StandIn


@pytest.fixture
def hub() -> Iterator[StandIn]:
    """A Hub of its own for the test, on a free loopback port."""
    server = StandIn()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def hub_environment(hub: StandIn, tmp_path: Path) -> dict[str, str]:
    """The environment of a process that takes the stand-in for the Hub, signed in as ana. Take HF_TOKEN out to sign out."""
    home = tmp_path / "hf-home"
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING_FACE_"))},
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(home),
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }


@pytest.fixture
def on_the_hub(hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The stand-in taken for the Hub by this very process, which has read its environment long ago; signed in as ana."""
    from huggingface_hub import constants

    home = tmp_path / "hf-home"
    changes = {
        "ENDPOINT": hub.endpoint,
        "HUGGINGFACE_CO_URL_TEMPLATE": hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_TOKEN_PATH": str(home / "token"),
    }
    for name, value in changes.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return hub
