"""Training jobs with a tiny real model: measured, promoted or set aside, resumed, repeated, predicted anew."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.job_context import JobContext, JobMonitor
from annotator.models.registry import NotPossible, delete_version, put_in_service
from annotator.settings import Settings
from annotator.training import run as training
from annotator.training.data import NothingToTrain
from annotator.training.measure import Measured
from annotator.training.model_jobs import enqueue_evaluation
from annotator.training.promotion import PromotionRule
from annotator.training.run import (
    CANDIDATE,
    COMPARISON,
    ROWS,
    TrainingWish,
    dev_learned_in,
    enqueue_training,
    place_directory,
    resume_training,
)
from annotator.worker import Worker
from encoder.config import InvalidConfig
from encoder.simple.files import MEASURED, files_of
from storage.jobs import JobCancelled, Jobs
from storage.records import JobKind, JobStatus, ModelStatus, ModelVersion, Reviewer, Role, Split
from storage.store import Store
from tests.annotator.reviewed_project import QUICK, SPLITS, a_reviewed_project, opened

ADMIN = Reviewer("ana", Role.ADMIN)
EASY = PromotionRule(margin=1.0, min_posts=1)


@pytest.fixture(scope="module")
def trained_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which one training has run to its end."""
    data_dir = tmp_path_factory.mktemp("project") / "data"
    settings = a_reviewed_project(data_dir)
    store, jobs = opened(settings)
    enqueue_training(jobs, TrainingWish(QUICK, rule=EASY, note="first"), by="ana")
    Worker(settings).run_one()
    store.close()
    return data_dir


@pytest.fixture
def project(trained_dir: Path, tmp_path: Path) -> Iterator[tuple[Settings, Store, Jobs]]:
    """A copy of it."""
    shutil.copytree(trained_dir, tmp_path / "data")
    settings = Settings(data_dir=tmp_path / "data", device="cpu", threads=1, predict_ahead=0)
    store, jobs = opened(settings)
    yield settings, store, jobs
    store.close()


pytestmark = pytest.mark.slow


def test_a_training_makes_a_measured_version_with_its_whole_story(project: tuple[Settings, Store, Jobs]) -> None:
    settings, store, jobs = project
    job = jobs.jobs(kind=JobKind.TRAIN)[0]
    assert job.status is JobStatus.DONE, job.error
    model = store.model("v1")
    assert (model.parent, model.examples, model.note, model.created_by) == ("base", SPLITS["train"], "first", "ana")  # type: ignore[index]
    assert model.config["seed"] == QUICK.seed
    assert model.config["data"]["posts"] == {"train": 8, "dev": 5, "test": 4, "replay": 0, "replay_dev": 0}
    assert set(model.metrics) == {"dev", "test", "judged", "beside", "changes", "decision", "compared_with"}
    assert set(model.metrics["beside"]) == {"active", "refitted", "keywords", "simple"}
    assert model.metrics["test"]["posts"] == SPLITS[Split.TEST]
    rows = json.loads((settings.models_dir / "v1" / ROWS).read_text("utf-8"))
    assert (rows["sha256"], len(rows["annotations"])) == (model.data_sha256, sum(SPLITS.values()))
    assert not (settings.models_dir / ".work" / f"job-{job.id}").exists()


def test_a_version_says_how_many_dev_posts_what_answers_learned_from(tmp_path: Path) -> None:
    known, unknown = ModelVersion("v1", "v1", metrics={"dev_learned": 5}), ModelVersion("base", "base")
    assert dev_learned_in(tmp_path, {"dev_learned": True}, dev=8, base=known) == 8
    assert dev_learned_in(tmp_path, {"dev_learned": False}, dev=8, base=known) == 0
    files_of(MEASURED, tmp_path)[1].write_text("{}", "utf-8")  # it keeps what v1 learned
    assert dev_learned_in(tmp_path, {"dev_learned": False}, dev=8, base=known) == 5
    assert dev_learned_in(tmp_path, {}, dev=8, base=unknown) == 0


def test_no_file_of_a_version_holds_the_text_of_a_post(project: tuple[Settings, Store, Jobs]) -> None:
    settings, _, _ = project
    for path in (settings.models_dir / "v1").glob("*.json"):
        if path.name != "tokenizer.json":
            assert "Awake all night" not in path.read_text("utf-8"), path.name
    assert (settings.models_dir / "v1" / COMPARISON).exists()


def test_the_curves_and_the_log_are_there_to_draw(project: tuple[Settings, Store, Jobs]) -> None:
    _, _, jobs = project
    job = jobs.jobs(kind=JobKind.TRAIN)[0]
    names = {row["name"] for row in jobs.metrics(job.id)}
    assert {"loss", "learning_rate", "dev_macro_f1"} <= names
    assert any("8 train" in line for line in jobs.log_tail(job.id))


def test_the_same_config_seed_and_data_give_the_same_figures_twice(project: tuple[Settings, Store, Jobs]) -> None:
    settings, store, jobs = project
    enqueue_training(jobs, TrainingWish(QUICK, base="base", rule=EASY), by="ana")
    worker = Worker(settings)
    while worker.run_one() is not JobKind.TRAIN:
        pass
    first, second = store.model("v1"), store.model("v2")
    assert second.data_sha256 == first.data_sha256
    assert (second.metrics["dev"], second.metrics["test"]) == (first.metrics["dev"], first.metrics["test"])


def test_after_a_swap_unreviewed_posts_are_predicted_and_reviewed_ones_are_not_touched(
    project: tuple[Settings, Store, Jobs],
) -> None:
    settings, store, jobs = project
    active = store.active_model()
    assert active is not None
    if active.id != "v1":
        put_in_service(store, jobs, settings, "v1", by=ADMIN, note="for this test")
    Worker(settings).run_one()
    job = jobs.jobs(kind=JobKind.PREDICT)[0]
    assert (job.status, job.result) == (
        JobStatus.DONE,
        {"model": "v1", "posts": 3, "unreadable": [], "given_up": False},
    )
    assert set(store.predictions("open0", "v1")) == {c.id for c in store.criteria()}
    assert store.predictions("train0", "v1") == {}


def test_a_prediction_job_reads_the_posts_that_were_chosen_reviewed_or_not(
    project: tuple[Settings, Store, Jobs],
) -> None:
    settings, store, jobs = project
    for job in jobs.jobs(statuses=[JobStatus.QUEUED]):
        jobs.request_cancel(job.id)
    asked = jobs.enqueue(JobKind.PREDICT, {"model": "base", "posts": ["train1", "open1"]})
    Worker(settings).run_one()
    assert jobs.get(asked.id).result == {"model": "base", "posts": 2, "unreadable": [], "given_up": False}
    assert set(store.predictions("train1", "base")) == {c.id for c in store.criteria()}
    assert store.predictions("train2", "base") == {}


def test_a_prediction_job_gives_way_when_another_version_came_into_service(
    project: tuple[Settings, Store, Jobs],
) -> None:
    settings, store, jobs = project
    for job in jobs.jobs(statuses=[JobStatus.QUEUED]):
        jobs.request_cancel(job.id)
    waiting = jobs.enqueue(JobKind.PREDICT, {"model": "base", "after_swap": True})
    store.activate_model("v1", by=None)
    Worker(settings).run_one()
    assert jobs.get(waiting.id).result == {"model": "base", "posts": 0, "unreadable": [], "given_up": True}


def test_a_version_can_be_measured_again_on_the_gold_of_today(project: tuple[Settings, Store, Jobs]) -> None:
    settings, store, jobs = project
    for job in jobs.jobs(statuses=[JobStatus.QUEUED]):
        jobs.request_cancel(job.id)
    job = enqueue_evaluation(jobs, store, "base", by="ana")
    Worker(settings).run_one()
    assert jobs.get(job.id).status is JobStatus.DONE, jobs.get(job.id).error
    assert store.model("base").metrics["latest"]["test"]["posts"] == SPLITS[Split.TEST]


def test_a_version_is_asked_about_dev_posts_as_it_was_before_it_learned_from_them(
    project: tuple[Settings, Store, Jobs],
) -> None:
    settings, store, jobs = project
    _, measured = files_of(MEASURED, settings.models_dir / "v1")
    measured.write_text("{", "utf-8")
    store.activate_model("v1", by=None)
    for job in jobs.jobs(statuses=[JobStatus.QUEUED]):
        jobs.request_cancel(job.id)
    asked = [
        enqueue_evaluation(jobs, store, "v1", by="ana"),
        enqueue_training(jobs, TrainingWish(QUICK, base="base", rule=EASY), by="ana"),
    ]
    worker = Worker(settings)
    while worker.run_one() is not None:
        pass
    for job in asked:
        assert "simple learner" in (jobs.get(job.id).error or "")


def test_a_worse_model_is_set_aside_and_the_old_one_stays(project: tuple[Settings, Store, Jobs]) -> None:
    settings, store, jobs = project
    store.activate_model("v1", by=None)
    harmful = QUICK.changed(learning_rate=1e-9, head_learning_rate=1e-9, max_steps=1, calibrate=False)
    enqueue_training(jobs, TrainingWish(harmful, base="base", rule=PromotionRule(min_posts=1)), by="ana")
    worker = Worker(settings)
    while worker.run_one() is not JobKind.TRAIN:
        pass
    made = store.model("v2")
    decision = made.metrics["decision"]
    assert made.status is (ModelStatus.READY if decision["promote"] else ModelStatus.ASIDE)
    active = store.active_model()
    assert active is not None
    assert active.id == ("v2" if decision["promote"] else "v1")
    assert "Macro F1" in decision["reason"]


def context_of(settings: Settings, store: Store, jobs: Jobs) -> JobContext:
    job = jobs.claim("host:1:test", kinds=[JobKind.TRAIN])
    assert job is not None
    return JobContext(settings, store, jobs, job, JobMonitor(jobs, job))


def test_a_cancelled_training_is_resumed_from_its_checkpoint_with_its_own_data(
    project: tuple[Settings, Store, Jobs],
) -> None:
    settings, store, jobs = project
    first = enqueue_training(jobs, TrainingWish(QUICK, base="base", rule=EASY), by="ana")
    context = context_of(settings, store, jobs)

    class Impatient(JobMonitor):
        def metrics(self, step: int, values: object) -> None:
            if step >= 4:
                self.stop(JobCancelled("enough"))
            super().metrics(step, values)  # type: ignore[arg-type]

    impatient = JobContext(settings, store, jobs, context.job, Impatient(jobs, context.job))
    with pytest.raises(JobCancelled):
        training.run_train_job(impatient)
    jobs.acknowledge_cancel(context.job)
    again = resume_training(jobs, settings, first.id, by="ana")
    with pytest.raises(NotPossible, match="resumed already"):
        resume_training(jobs, settings, first.id, by="ana")
    worker = Worker(settings)
    while worker.run_one() is not JobKind.TRAIN:
        pass
    assert jobs.get(again.id).status is JobStatus.DONE, jobs.get(again.id).error
    steps = [row["step"] for row in jobs.metrics(again.id) if row["name"] == "loss"]
    assert min(steps) > 1
    assert store.model("v2").metrics["test"] == store.model("v1").metrics["test"]


def test_killed_between_the_rename_and_the_transaction_the_resumed_job_registers_the_directory(
    project: tuple[Settings, Store, Jobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, store, jobs = project
    enqueue_training(jobs, TrainingWish(QUICK, base="base", rule=EASY), by="ana")
    context = context_of(settings, store, jobs)

    class PowerCut(Exception):
        pass

    def place_then_die(*arguments: object) -> Path:
        place_directory(*arguments)  # type: ignore[arg-type]
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(training, "place_directory", place_then_die)
        with pytest.raises(PowerCut):
            training.run_train_job(context)
    assert [m.id for m in store.models()] == ["v1", "base"]
    trained = (settings.models_dir / "v2" / "model.safetensors").stat().st_ino
    jobs.requeue_abandoned(worker="host:1:test")
    worker = Worker(settings)
    while worker.run_one() is not JobKind.TRAIN:
        pass
    assert jobs.jobs(kind=JobKind.TRAIN)[0].status is JobStatus.DONE
    assert store.model("v2").path == "v2"
    assert (settings.models_dir / "v2" / "model.safetensors").stat().st_ino == trained  # not trained a second time


def test_killed_in_the_transaction_nothing_of_it_is_there(
    project: tuple[Settings, Store, Jobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, store, jobs = project
    before = store.active_model()
    enqueue_training(jobs, TrainingWish(QUICK, base="base", rule=EASY), by="ana")
    context = context_of(settings, store, jobs)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "finish", fail)
        with pytest.raises(OSError, match="No space"):
            training.run_train_job(context)
    assert store.active_model() == before
    assert [m.id for m in store.models()] == ["v1", "base"]
    assert jobs.get(context.job.id).status is JobStatus.RUNNING


def test_what_cannot_be_trained_is_refused_before_it_waits(
    project: tuple[Settings, Store, Jobs], tmp_path: Path
) -> None:
    settings, store, jobs = project
    with pytest.raises(InvalidConfig):
        enqueue_training(jobs, TrainingWish(dataclasses.replace(QUICK, batch_size=0)), by="ana")
    store.add_model(ModelVersion("old", "old"))
    delete_version(store, jobs, settings, "old")
    with pytest.raises(NotPossible, match="was deleted"):
        enqueue_training(jobs, TrainingWish(QUICK, base="old"), by="ana")
    empty, empty_jobs = opened(Settings(data_dir=tmp_path / "empty"))
    empty.add_model(ModelVersion("base", "base"))
    empty.activate_model("base", by=None)
    with pytest.raises(NothingToTrain):
        enqueue_training(empty_jobs, TrainingWish(QUICK), by="ana")
    empty.close()


def test_a_base_that_is_no_model_fails_the_job_with_its_reason(project: tuple[Settings, Store, Jobs]) -> None:
    settings, _store, jobs = project
    job = enqueue_training(jobs, TrainingWish(QUICK, base="/nowhere/at/all"), by="ana")
    worker = Worker(settings)
    while worker.run_one() is not JobKind.TRAIN:
        pass
    assert jobs.get(job.id).status is JobStatus.FAILED
    assert "/nowhere/at/all" in (jobs.get(job.id).error or "")


def test_measurements_survive_a_round_trip(project: tuple[Settings, Store, Jobs]) -> None:
    settings, _, _ = project
    differing = json.loads((settings.models_dir / "v1" / COMPARISON).read_text("utf-8"))["differing"]
    given = {"sets": {}, "changes": {}, "differing": differing}
    assert json.loads(json.dumps(Measured.from_dict(given).to_dict())) == given
    assert CANDIDATE not in {p.name for p in settings.models_dir.iterdir()}
