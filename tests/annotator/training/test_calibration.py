"""An adapter that stands on other weights than it was trained on is calibrated anew on the first reviewed posts, as a version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotator.models.loading import CALIBRATED_AT
from annotator.models.registry import roll_back
from annotator.models.serving import ModelService
from annotator.settings import Settings
from annotator.training.auto import AUTHOR
from annotator.training.calibration import CALIBRATE, enqueue_calibration_if_due
from annotator.ui.retrain_views import job_value, models_value, result_value
from annotator.worker import Worker
from encoder.config import EncoderConfig
from encoder.network import bases
from encoder.network.checkpoints import load_encoder, save_encoder
from encoder.predict import Predictor
from encoder.training.recalibrate import CALIBRATION_FILE
from storage.jobs import Jobs
from storage.records import JobKind, JobStatus, ModelVersion, Post, Split
from storage.store import Store
from tests.builders import MOOD, SLEEP, a_post, an_annotation
from tests.encoder.network.gguf_writer import write_gguf
from tests.encoder.tiny import tiny_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]

MARKS = tuple(f"<0x{n:02X}>" for n in range(6))  # tokens that the vocabulary has


@pytest.fixture
def settings(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A project whose model in service is an adapter for sleep and mood, on a base that has become another one since."""
    peft = pytest.importorskip("peft")
    folder = tmp_path / "bases"
    folder.mkdir()
    monkeypatch.setattr(bases, "bases_directory", lambda: folder)
    settings = Settings(data_dir=tmp_path / "data", device="cpu", threads=1)
    base = tmp_path / "tiny.gguf"
    write_gguf("gemma3", base)
    config = tiny_config(prompt_tokens=MARKS, known_criteria=(SLEEP.id, MOOD.id), default_threshold=0.99)
    encoder = load_encoder(base, config=config)
    encoder.backbone = peft.get_peft_model(encoder.backbone, peft.LoraConfig(r=2, target_modules=["q_proj"]))
    settings.models_dir.mkdir(parents=True)
    save_encoder(encoder, settings.models_dir / "adapter")
    store.add_model(ModelVersion("adapter", "adapter"))
    store.activate_model("adapter", by=None)
    return settings


def become_another(store: Store, settings: Settings, base: Path) -> None:
    """Other weights under the same name: what the adapter was trained on is not here any more, as the app finds when it loads it."""
    for provenance in bases.bases_directory().glob(f"*/{bases.PROVENANCE_FILE}"):
        provenance.unlink()
    write_gguf("gemma3", base, seed=1)
    service = ModelService(store, settings, poll_seconds=0.05)
    service.start()
    assert service.wait_for(lambda: service.info().version == "adapter", 60.0), service.info()
    reason = service.info().reason
    service.stop()
    assert reason.endswith(
        f"scores may be a little off. They are calibrated anew once {CALIBRATED_AT} posts are reviewed, if that makes them better"
    )


def review(store: Store, numbers: range, *, split: Split = Split.TRAIN) -> list[Post]:
    """Posts whose first sentence is evidence of sleep problems and none of a low mood, reviewed."""
    posts = [a_post(f"I cannot sleep, night {n}. The cat is fine.", id=f"p{n:03}", split=split) for n in numbers]
    store.add_posts(posts)
    for post, n in zip(posts, numbers, strict=True):
        store.add_annotation(an_annotation(post, f"I cannot sleep, night {n}."), expected_revision=0)
        store.add_annotation(an_annotation(post, criterion=MOOD), expected_revision=0)
    return posts


def worked(settings: Settings, jobs: Jobs) -> None:
    while Worker(settings).run_one() is not None:
        pass
    assert not jobs.jobs(statuses=[JobStatus.QUEUED, JobStatus.RUNNING])


def test_a_version_is_made_put_in_service_and_can_be_rolled_back(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    jobs = Jobs(store)
    review(store, range(CALIBRATED_AT))
    assert enqueue_calibration_if_due(store, jobs) is None  # it stands on its own weights
    become_another(store, settings, tmp_path / "tiny.gguf")
    job = enqueue_calibration_if_due(store, jobs)
    assert job is not None
    assert (job.kind, job.created_by, job.payload[CALIBRATE]) == (JobKind.EVALUATE, AUTHOR, CALIBRATED_AT)
    assert job_value(jobs, job)["job"]["title"] == f"Calibration (job {job.id})"
    assert enqueue_calibration_if_due(store, jobs) is None  # it waits
    worked(settings, jobs)

    done = jobs.get(job.id)
    assert done.status is JobStatus.DONE, done.error
    assert done.result is not None
    active = store.active_model()
    assert active is not None
    assert (active.id, active.parent, done.result["model"]) == ("v1", "adapter", "v1")
    assert f"calibrated anew on {CALIBRATED_AT} reviewed posts" in active.note
    shown = result_value(store, settings, "v1")
    assert shown["sets"][0]["posts"] == CALIBRATED_AT
    assert [row["name"] for row in shown["sets"][0]["rows"]] == ["This version", "Model before"]
    row = next(r for r in models_value(store, jobs, str)["rows"] if r["id"] == "v1")
    assert (row["measured"]["set"], row["measured"]["posts"]) == ("reviewed", CALIBRATED_AT)
    config = EncoderConfig.load(settings.models_dir / "v1")
    assert config.threshold(SLEEP.id) < 0.99
    assert config.base_weights["sha256"] != EncoderConfig.load(settings.models_dir / "adapter").base_weights["sha256"]
    record = json.loads((settings.models_dir / "v1" / CALIBRATION_FILE).read_text("utf-8"))
    assert record["stands_on"] == config.base_weights
    assert Predictor.load(settings.models_dir / "v1", device="cpu").encoder.other_base == ""
    assert enqueue_calibration_if_due(store, jobs) is None

    roll_back(store, jobs, settings, by=store.ensure_reviewer("ana"))
    review(store, range(100, 100 + CALIBRATED_AT))
    assert enqueue_calibration_if_due(store, jobs) is None  # who went back wants it so


def test_too_few_posts_or_a_model_that_left_service_make_none_and_it_is_tried_again_with_twice_as_many(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    jobs = Jobs(store)
    become_another(store, settings, tmp_path / "tiny.gguf")
    review(store, range(CALIBRATED_AT - 1))
    assert enqueue_calibration_if_due(store, jobs) is None
    review(store, range(50, 52), split=Split.TEST)
    job = enqueue_calibration_if_due(store, jobs)
    assert job is not None
    worked(settings, jobs)
    result = jobs.get(job.id).result
    assert result is not None
    assert result["reason"] == f"19 reviewed posts of {CALIBRATED_AT} that it can be calibrated on."
    assert [m.id for m in store.models()] == ["adapter"]

    review(store, range(100, 110))
    assert enqueue_calibration_if_due(store, jobs) is None
    review(store, range(110, 100 + 2 * CALIBRATED_AT))
    job = enqueue_calibration_if_due(store, jobs)
    assert job is not None
    store.add_model(ModelVersion("other", "adapter"))
    store.activate_model("other", by=None)
    worked(settings, jobs)
    result = jobs.get(job.id).result
    assert result is not None
    assert result["reason"] == "adapter is no longer in service."
    assert not (settings.models_dir / "v1").exists()
