"""The real Gemma with the adapter that comes with the program, as a new project meets it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from annotator.models import bundled
from annotator.models.bundled import GEMMA_ID
from annotator.models.loading import load_predictor
from annotator.project import open_project
from annotator.settings import Settings
from encoder.network.bases import INSTALL, PACKAGED
from encoder.network.hub import GEMMA_DIRECTORY
from storage.records import Post

TEXT = (
    "I planted the beans on Sunday and the weather held. Most nights I lie awake until four and get up more tired than"
    " I was. My sister visits on Fridays. I keep thinking that everyone would be better off if I were dead."
)


@pytest.mark.gemma
@pytest.mark.slow
def test_a_new_project_is_served_by_gemma_and_its_passages_are_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not PACKAGED[bundled.GEMMA_BASE].installed:
        words = f"The real Gemma is not installed: {INSTALL}"
        pytest.fail(words) if os.environ.get("CI") else pytest.skip(words)
    monkeypatch.setattr(bundled, "gemma_is_bundled", lambda: (GEMMA_DIRECTORY / "evidence_config.json").is_file())
    settings = Settings(data_dir=tmp_path / "data", empty=True, device="cpu", threads=1, dtype="float32")
    project = open_project(settings)
    active = project.store.active_model()
    assert active is not None
    assert active.id == GEMMA_ID
    predictor = load_predictor(settings, active)
    found = {
        (p.criterion_id, TEXT[s.start : s.end])
        for p in predictor.predict([Post(id="p", text=TEXT)], project.store.criteria())
        for s in p.spans
    }
    project.store.close()
    assert {c for c, _ in found} >= {"SLEEP_ISSUES", "SUICIDAL_THOUGHTS"}
    assert ("SUICIDAL_THOUGHTS", "I keep thinking that everyone would be better off if I were dead.") in found
    assert not [passage for _, passage in found if "beans" in passage or "sister" in passage]
