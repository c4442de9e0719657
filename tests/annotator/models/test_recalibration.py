"""An adapter that stands on other weights than it was trained on is calibrated anew on the first reviewed posts, and says so."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from annotator.models import serving
from annotator.models.recalibration import LEAST_POSTS, Recalibration
from annotator.models.serving import ModelService
from annotator.settings import Settings
from encoder.predict import Predictor
from storage.records import ModelVersion, Post, Split
from storage.store import Store
from tests.builders import MOOD, SLEEP, a_post, a_prediction, an_annotation

PATIENCE = 60.0
HUB = {"source": "the Hub", "revision": "0" * 40, "quantization": "unquantized"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from encoder.network.checkpoints import save_encoder
    from tests.encoder.tiny import tiny_encoder

    folder = tmp_path_factory.mktemp("models") / "one"
    save_encoder(tiny_encoder(known_criteria=(SLEEP.id, MOOD.id), default_threshold=0.99), folder)
    return folder


def on_other_weights(saved: Path, found: dict[str, str] = HUB) -> Predictor:
    """The model as it is when its base comes from elsewhere."""
    predictor = Predictor.load(saved, version="one", device="cpu")
    trained_on = {"source": "a GGUF file", "sha256": "a" * 64, "quantization": "Q4_K_M"}
    predictor.encoder.config = predictor.encoder.config.changed(base="google/gemma", base_weights=trained_on)
    predictor.encoder.base_found = dict(found)
    return predictor


def review(store: Store, numbers: range, *, split: Split = Split.TRAIN) -> list[Post]:
    """Posts whose first sentence is evidence for SLEEP and not for MOOD, reviewed."""
    posts = [a_post(f"I cannot sleep, night {n}. The cat is fine.", id=f"p{n:03}", split=split) for n in numbers]
    store.add_posts(posts)
    for post in posts:
        evidence = f"I cannot sleep, night {int(post.id[1:])}."
        store.add_annotation(an_annotation(post, evidence), expected_revision=0)
        store.add_annotation(an_annotation(post, criterion=MOOD), expected_revision=0)
    return posts


@pytest.mark.slow
def test_thresholds_move_once_enough_posts_are_reviewed_and_are_kept_for_the_next_start(
    store: Store, saved: Path
) -> None:
    predictor = on_other_weights(saved)
    one = Recalibration(store, threading.Event())
    assert one.use_kept(predictor).endswith(
        f"scores may be a little off, until {LEAST_POSTS} posts are reviewed and it is calibrated anew on them"
    )
    posts = review(store, range(LEAST_POSTS - 1))
    assert not one.now_if_due(predictor, LEAST_POSTS)  # the count is about right only
    posts += review(store, range(LEAST_POSTS - 1, LEAST_POSTS + 2))
    store.add_model(ModelVersion(id="other", path="other"))
    store.add_predictions([a_prediction(posts[0], model=m) for m in ("one", "other")])
    assert one.now_if_due(predictor, LEAST_POSTS + 2)
    found = predictor.encoder.config
    assert found.threshold(SLEEP.id) < 0.99
    assert not store.predictions(posts[0].id, "one")
    assert store.predictions(posts[0].id, "other")
    assert not one.now_if_due(predictor, LEAST_POSTS + 3)

    again = on_other_weights(saved)
    note = Recalibration(store, threading.Event()).use_kept(again)
    assert note.endswith(f"though calibrated anew on {LEAST_POSTS + 2} reviewed posts")
    assert again.encoder.config == found
    elsewhere = on_other_weights(saved, {**HUB, "revision": "1" * 40})
    assert "until 20 posts" in Recalibration(store, threading.Event()).use_kept(elsewhere)
    assert elsewhere.encoder.config.thresholds == {}


@pytest.mark.slow
def test_posts_kept_for_testing_teach_nothing_and_a_stop_leaves_nothing_behind(store: Store, saved: Path) -> None:
    predictor = on_other_weights(saved)
    review(store, range(LEAST_POSTS), split=Split.TEST)
    stopping = threading.Event()
    one = Recalibration(store, stopping)
    assert not one.now_if_due(predictor, LEAST_POSTS)
    review(store, range(100, 100 + LEAST_POSTS))
    stopping.set()
    assert not one.now_if_due(predictor, 2 * LEAST_POSTS)
    assert predictor.encoder.config.thresholds == {}
    assert "until 20 posts" in Recalibration(store, stopping).use_kept(predictor)


@pytest.mark.slow
def test_a_model_on_its_own_weights_keeps_its_thresholds_and_one_on_others_is_said_to_be_calibrated(
    store: Store, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "models").mkdir(parents=True, exist_ok=True)
    (tmp_path / "data" / "models" / "one").symlink_to(saved)
    store.add_model(ModelVersion(id="one", path="one"))
    store.activate_model("one", by=None)
    review(store, range(LEAST_POSTS))
    settings = Settings(data_dir=tmp_path / "data", threads=1)
    for place, reason in (("own", ""), ("other", "though calibrated anew on 20 reviewed posts")):
        service = ModelService(store, settings, poll_seconds=0.05)
        if place == "other":
            monkeypatch.setattr(serving, "load_predictor", lambda *args, **options: on_other_weights(saved))
        service.start()
        assert service.wait_for(lambda s=service: s.caught_up, PATIENCE)  # type: ignore[misc]
        assert service.info().reason.endswith(reason)
        assert bool(service.predictor().encoder.config.thresholds) is (place == "other")
        service.stop()
