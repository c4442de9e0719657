"""A large model comes in beside the one that answers, and takes over with the next posts read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator.models import arriving, loading, serving
from annotator.models.bundled import bundled_model
from annotator.models.serving import ModelService, ServingState
from annotator.settings import Settings
from storage.records import ModelVersion
from storage.store import Store
from tests.builders import MOOD, SLEEP, a_post

pytestmark = pytest.mark.slow
PATIENCE = 60.0


@pytest.fixture
def let_it_come(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Holds the large model back until it is set; the one that stands in comes at once."""
    gate = threading.Event()
    load = loading.load_predictor

    def held_back(settings: Settings, version: ModelVersion, **options: Any) -> Any:
        options["on_progress"](0.4, "converting")
        assert gate.wait(PATIENCE)
        return load(settings, version, **options)

    monkeypatch.setattr(arriving, "load_predictor", held_back)
    monkeypatch.setattr(serving, "is_large", lambda version, settings: version.path.startswith("large"))
    return gate


@pytest.fixture
def service(store: Store, tmp_path: Path, let_it_come: threading.Event) -> Iterator[ModelService]:
    """A project whose model in service is a large one, beside the small bundled one; four posts are waiting."""
    from encoder.network.checkpoints import save_encoder
    from tests.encoder.tiny import tiny_encoder

    models = tmp_path / "data" / "models"
    save_encoder(tiny_encoder(known_criteria=(SLEEP.id, MOOD.id), default_threshold=0.0), models / "large")
    for model in (bundled_model(), ModelVersion("large", "large"), ModelVersion("large-gone", "large-gone")):
        store.add_model(model)
    store.activate_model("large", by=None)
    store.add_posts([a_post(f"Post number {n} cannot sleep.", id=f"p{n}") for n in range(4)])
    made = ModelService(store, Settings(data_dir=tmp_path / "data", threads=1), poll_seconds=0.05)
    made.start()
    yield made
    let_it_come.set()
    made.stop()


def until(condition: Any, service: ModelService) -> None:
    assert service.wait_for(condition, PATIENCE)


def test_in_a_new_project_the_small_model_answers_until_the_large_one_has_read_the_next_posts(
    store: Store, service: ModelService, let_it_come: threading.Event
) -> None:
    until(lambda: store.count_predicted_posts("bundled") == 4, service)
    now = service.info()
    assert (now.state, now.version, now.wanted) == (ServingState.READY, "bundled", "large")
    assert now.coming == "converting, 40%"
    assert {p.model_version for p in service.predict_post(store.posts(["p0"])[0]).values()} == {"bundled"}
    assert store.count_predicted_posts("large") == 0

    let_it_come.set()
    until(lambda: service.info().version == "large", service)

    assert store.count_predicted_posts("large") == 4  # before it took over
    assert (service.info().coming, service.info().reason) == ("", "")
    assert set(service.predictions(store.posts(["p0"])[0])) == {SLEEP.id, MOOD.id}


def test_a_large_model_that_cannot_be_loaded_leaves_the_small_one_and_says_why(
    store: Store, service: ModelService, let_it_come: threading.Event
) -> None:
    until(lambda: service.info().version == "bundled", service)
    store.activate_model("large-gone", by=None)
    let_it_come.set()
    service.reload()
    until(lambda: service.info().wanted == "large-gone" and service.info().reason, service)
    assert (service.info().state, service.info().version) == (ServingState.READY, "bundled")
    assert "Model large-gone cannot be loaded" in service.info().reason


def test_another_choice_while_it_comes_wins(store: Store, service: ModelService, let_it_come: threading.Event) -> None:
    until(lambda: service.info().version == "bundled", service)
    store.activate_model("bundled", by=None)
    service.reload()
    let_it_come.set()
    until(lambda: service.info().wanted == "bundled" and not service.info().coming, service)
    assert service.predictor().version == "bundled"
