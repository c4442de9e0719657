"""Serving while a training runs on the same machine: the model stays, moves or pauses, and the worker waits for it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from annotator.job_context import JobContext, JobMonitor
from annotator.models.serving import ModelService, ServingState
from annotator.models.sharing import SERVED_ON, WhileTraining, await_room, place_while_training, say_where
from annotator.settings import Settings, SettingsInvalid, checked
from encoder.errors import ModelUnusable
from storage.jobs import Jobs
from storage.records import Job, JobKind
from storage.store import Store
from tests.annotator.running import running_app
from tests.encoder.training_data import an_example

PATIENCE = 60.0


@pytest.fixture
def service_that(project: tuple[Settings, Store, Jobs]) -> Iterator[Callable[[str], ModelService]]:
    """A started, loaded service with the setting given."""
    settings, store, _ = project
    made: list[ModelService] = []

    def start(choice: str) -> ModelService:
        chosen = dataclasses.replace(settings, serving_while_training=choice)
        service = ModelService(store, chosen, poll_seconds=0.05)
        made.append(service)
        service.start()
        assert service.wait_until_settled(PATIENCE).state is ServingState.READY
        return service

    yield start
    for service in made:
        service.stop()


def a_running_training(jobs: Jobs) -> Job:
    jobs.enqueue(JobKind.TRAIN, {})
    job = jobs.claim("here:1:x")
    assert job is not None
    return job


@pytest.mark.parametrize(
    ("choice", "device", "place"),
    [
        ("auto", "cpu", "cpu"),
        ("auto", "cuda", "cpu"),
        ("auto", "mps", "cpu"),
        ("keep", "cuda", "cuda"),
        ("cpu", "cuda:1", "cpu"),
        ("pause", "cuda", None),
        ("pause", "cpu", None),
    ],
)
def test_the_setting_says_where_the_served_model_goes(choice: str, device: str, place: str | None) -> None:
    assert place_while_training(WhileTraining(choice), device) == place


def test_another_word_for_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="auto, keep, cpu or pause"):
        checked(Settings(data_dir=tmp_path, serving_while_training="stop"))


def test_a_paused_model_says_so_shows_what_is_stored_and_comes_back_after_the_training(
    project: tuple[Settings, Store, Jobs], service_that: Callable[[str], ModelService]
) -> None:
    _, store, jobs = project
    service = service_that("pause")
    read, unread = store.post("open0"), an_example(0, "late").post
    stored = service.predict_post(read)
    job = a_running_training(jobs)
    assert service.wait_for(lambda: service.info().state is ServingState.PAUSED, PATIENCE)
    assert service.status().startswith("paused: Suggestions pause while a model is being trained")
    assert service.predict_post(read) == stored
    store.add_posts([unread])
    with pytest.raises(ModelUnusable, match="being trained"):
        service.predict_post(unread)
    jobs.finish(job, {})
    assert service.wait_for(lambda: service.info().state is ServingState.READY, PATIENCE)
    assert service.predict_post(unread)


@pytest.mark.parametrize("choice", ["auto", "keep", "cpu"])
def test_a_model_on_the_cpu_stays_loaded_while_a_training_runs(
    project: tuple[Settings, Store, Jobs], service_that: Callable[[str], ModelService], choice: str
) -> None:
    _, store, jobs = project
    service = service_that(choice)
    before = service.predictor()
    a_running_training(jobs)
    store.add_posts([])
    looks = iter(range(4))
    service.wait_for(lambda: next(looks) == 3, PATIENCE)  # several rounds of the service's thread
    assert service.predictor() is before
    assert store.setting(SERVED_ON, None) is None


@pytest.fixture
def context(project: tuple[Settings, Store, Jobs]) -> JobContext:
    settings, store, jobs = project
    job = a_running_training(jobs)
    return JobContext(settings, store, jobs, job, JobMonitor(jobs, job))


@pytest.fixture
def an_app() -> Iterator[int]:
    """The id of another living process."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid


def test_the_worker_waits_until_the_served_model_has_left_the_gpu(context: JobContext, an_app: int) -> None:
    context.store.set_setting(SERVED_ON, {"device": "cuda:0", "pid": an_app})
    waiting = threading.Thread(target=await_room, args=(context,))
    waiting.start()
    while "left cuda:0" not in context.jobs.get(context.job.id).message:
        assert waiting.is_alive()
    say_where(context.store, "cpu")
    waiting.join(PATIENCE)
    assert not waiting.is_alive()
    assert context.jobs.log_tail(context.job.id) == []


def test_it_does_not_wait_for_ever(context: JobContext, an_app: int) -> None:
    context.store.set_setting(SERVED_ON, {"device": "cuda:0", "pid": an_app})
    await_room(context, wait_seconds=0.0)
    assert "still on cuda:0" in context.jobs.log_tail(context.job.id)[0]


@pytest.mark.parametrize("case", ["kept", "gone", "own"])
def test_it_waits_for_no_model_that_stays_or_is_gone(context: JobContext, an_app: int, case: str) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    pid = {"kept": an_app, "gone": dead.pid, "own": os.getpid()}[case]
    context.store.set_setting(SERVED_ON, {"device": "cuda:0", "pid": pid})
    choice = "keep" if case == "kept" else "auto"
    settings = dataclasses.replace(context.settings, serving_while_training=choice)
    await_room(dataclasses.replace(context, settings=settings), wait_seconds=0.0)
    assert context.jobs.log_tail(context.job.id) == []


def test_the_page_says_that_suggestions_pause(project: tuple[Settings, Store, Jobs]) -> None:
    settings, _, jobs = project
    a_running_training(jobs)
    with running_app(settings.data_dir, serving_while_training="pause", device="cpu") as app:
        app.models.wait_until_settled(PATIENCE)
        with httpx.Client(base_url=app.url) as visitor:
            visitor.get("/")
            shown = visitor.get("/status").json()
    assert shown["state"] == "paused"
    assert "Reviewing goes on" in shown["reason"]
