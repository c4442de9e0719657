"""The model service on real, tiny, random models."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from annotator.models.loading import model_source, named_model
from annotator.models.serving import ModelService, ServingState
from annotator.settings import Settings
from encoder.errors import ModelUnusable, StillReading
from storage.records import Criterion, ModelVersion
from storage.store import Store
from tests.builders import MOOD, SLEEP, a_post, an_annotation

PATIENCE = 60.0
NEW = Criterion("HOPE", "Hope", "The writer hopes.", position=2)


@pytest.fixture(scope="module")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories `one` and `two`, each with a random model that knows SLEEP and MOOD."""
    from encoder.network.checkpoints import save_encoder
    from tests.encoder.tiny import tiny_encoder

    folder = tmp_path_factory.mktemp("models")
    for name in ("one", "two"):
        save_encoder(tiny_encoder(known_criteria=(SLEEP.id, MOOD.id), default_threshold=0.0), folder / name)
    return folder


@pytest.fixture
def settings(store: Store, tiny_models: Path, tmp_path: Path) -> Settings:
    """Settings of the store's project, whose models are the tiny ones."""
    (tmp_path / "data" / "models").symlink_to(tiny_models)
    for name in ("one", "two"):
        store.add_model(ModelVersion(id=name, path=name))
    store.activate_model("one", by=None)
    return Settings(data_dir=tmp_path / "data", threads=1)


@pytest.fixture
def service(store: Store, settings: Settings) -> Iterator[ModelService]:
    made = ModelService(store, settings, poll_seconds=0.05)
    yield made
    made.stop()


def until(condition: Callable[[], bool], service: ModelService) -> None:
    assert service.wait_for(condition, PATIENCE)


def test_before_the_model_is_loaded_stored_predictions_are_shown_and_new_ones_are_refused(
    store: Store, service: ModelService
) -> None:
    post = a_post()
    store.add_posts([post])
    assert (service.status(), service.version) == ("loading", "one")
    assert service.predictions(post) == {}
    with pytest.raises(ModelUnusable, match="still loading"):
        service.predict_post(post)


@pytest.mark.slow
def test_a_post_is_predicted_once_and_stored(store: Store, service: ModelService) -> None:
    post = a_post()
    store.add_posts([post])
    service.start()
    assert service.wait_until_settled(PATIENCE).state is ServingState.READY
    found = service.predict_post(post)
    assert list(found) == [SLEEP.id, MOOD.id]
    assert store.predictions(post.id, "one") == found
    assert service.predict_post(post) == found


@pytest.mark.slow
def test_posts_are_read_before_anybody_opens_them_and_reviewed_ones_are_left(
    store: Store, service: ModelService
) -> None:
    posts = [a_post(f"Post number {n} cannot sleep.", id=f"p{n}") for n in range(6)]
    store.add_posts(posts)
    store.add_annotation(an_annotation(posts[0]), expected_revision=0)
    service.start()
    until(lambda: store.count_predicted_posts("one") == 5, service)
    assert store.predictions("p0", "one") == {}


@pytest.mark.slow
def test_posts_that_are_asked_for_are_read_even_if_reviewed(store: Store, service: ModelService) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_annotation(an_annotation(post), expected_revision=0)
    service.prefetch([post.id])
    service.start()
    until(lambda: len(store.predictions(post.id, "one")) == 2, service)


@pytest.mark.slow
def test_a_long_post_is_read_in_the_background_and_others_go_first(
    store: Store, service: ModelService, monkeypatch: pytest.MonkeyPatch
) -> None:
    long, short = a_post("\U0001f61e" * 40_000, id="long"), a_post("The nights are short.", id="short")
    store.add_posts([long])
    service.start()
    service.wait_until_settled(PATIENCE)
    fractions: list[float] = []
    begun, gone_on = threading.Event(), threading.Event()
    following = service.readings.following

    def watched(post_id: str, stopping: threading.Event) -> Callable[[float], None]:
        note = following(post_id, stopping)

        def told(fraction: float) -> None:
            note(fraction)
            fractions.append(fraction)
            begun.set()
            gone_on.wait(PATIENCE)  # the long post stays where it is until the short one is there

        return told

    monkeypatch.setattr(service.readings, "following", watched)
    with pytest.raises(StillReading):
        service.predict_post(long)
    assert begun.wait(PATIENCE)
    assert len(service.predict([short], store.criteria())) == 2
    with pytest.raises(StillReading) as reading:
        service.predict_post(long)
    assert reading.value.fraction == fractions[0] < 0.1
    gone_on.set()
    until(lambda: len(store.predictions("long", "one")) == 2, service)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert set(service.predict_post(long)) == {SLEEP.id, MOOD.id}


@pytest.mark.slow
def test_another_model_put_in_service_is_swapped_in_without_a_restart(store: Store, service: ModelService) -> None:
    post = a_post()
    store.add_posts([post])
    service.start()
    until(lambda: len(store.predictions(post.id, "one")) == 2, service)
    store.activate_model("two", by="ana")
    service.reload()
    until(lambda: service.info().version == "two", service)
    assert {p.model_version for p in service.predict_post(post).values()} == {"two"}


@pytest.mark.slow
def test_a_version_that_cannot_be_loaded_leaves_the_one_before_it_in_service(
    store: Store, service: ModelService
) -> None:
    service.start()
    service.wait_until_settled(PATIENCE)
    store.add_model(ModelVersion(id="gone", path="gone"))
    store.activate_model("gone", by="ana")
    service.reload()
    until(lambda: service.info().wanted == "gone", service)
    serving = service.info()
    assert (serving.state, serving.version) == (ServingState.READY, "one")
    assert "gone cannot be loaded" in serving.reason
    assert service.predictor().version == "one"


@pytest.mark.slow
def test_without_any_usable_model_the_reason_is_told(store: Store, settings: Settings, service: ModelService) -> None:
    store.add_model(ModelVersion(id="gone", path="gone"))
    store.activate_model("gone", by="ana")
    service.start()
    serving = service.wait_until_settled(PATIENCE)
    assert serving.state is ServingState.FAILED
    assert service.status().startswith("failed: Model gone cannot be loaded")
    with pytest.raises(ModelUnusable, match="gone"):
        service.predictor()


@pytest.mark.slow
def test_new_criteria_are_predicted_and_reworded_ones_predicted_again(store: Store, service: ModelService) -> None:
    post = a_post()
    store.add_posts([post])
    service.start()
    until(lambda: len(store.predictions(post.id, "one")) == 2, service)
    store.save_criteria([NEW])
    service.reload()
    until(lambda: NEW.id in store.predictions(post.id, "one"), service)
    assert store.predictions(post.id, "one")[NEW.id].known is False
    before = store.predictions(post.id, "one")[SLEEP.id]
    store.save_criteria([Criterion(SLEEP.id, SLEEP.name, "Nights without any sleep.", position=0)])
    service.reload()
    until(lambda: store.predictions(post.id, "one").get(SLEEP.id, before) != before, service)


@pytest.mark.slow
def test_background_reading_stops_at_its_limit(store: Store, settings: Settings) -> None:
    import dataclasses

    service = ModelService(store, dataclasses.replace(settings, predict_ahead=4), poll_seconds=0.05)
    store.add_posts([a_post(f"Post {n}.", id=f"p{n}") for n in range(20)])
    service.start()
    until(lambda: service.caught_up, service)
    service.stop()
    assert 4 <= store.count_predicted_posts("one") < 20


def test_what_is_loaded_is_found_from_the_version(settings: Settings, tmp_path: Path) -> None:
    assert model_source(ModelVersion(id="demo", path="bundled"), settings) == "bundled"
    assert model_source(ModelVersion(id="one", path="one"), settings) == str(settings.models_dir / "one")
    assert model_source(ModelVersion(id="v9", path="google/gemma-3-270m"), settings) == "google/gemma-3-270m"
    assert named_model(str(tmp_path)) == ModelVersion(id=tmp_path.name, path=str(tmp_path))
    assert named_model("google/gemma-3-270m").id == "google/gemma-3-270m"
