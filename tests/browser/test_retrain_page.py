"""The Retrain page in a real browser, with a real worker: plan, start, reload, cancel, a finished training, roll back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator.training.promotion import PromotionRule
from annotator.training.run import TrainingWish, enqueue_training
from storage.jobs import Jobs
from storage.records import JobKind, JobStatus
from storage.store import Store, open_store
from tests.annotator.reviewed_project import QUICK, a_reviewed_project
from tests.browser.conftest import Pages, running_app

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE_MS = 240_000  # a training starts a process, which loads torch beside another browser test
RULE = PromotionRule(margin=1.0, min_posts=1)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[tuple[Store, Any]]:
    """A small reviewed project with a tiny model, the app with its worker, and the Retrain page."""
    folder: Path = tmp_path_factory.mktemp("retrain-page") / "data"
    a_reviewed_project(folder)
    store = open_store(folder)
    with running_app(folder, worker=True) as url:
        pages = Pages(chromium, url)
        page = pages.open("/?tab=retrain")
        page.set_default_timeout(PATIENCE_MS)
        page.wait_for_selector("#retrain-plan .rt-details")
        yield store, page
        pages.close()
        assert pages.problems == []
    store.close()


def test_the_plan_says_what_would_be_trained_on(project: tuple[Store, Any]) -> None:
    _, page = project
    assert "Answers by criterion: 17, those of held-out posts too" in page.inner_text("#retrain-plan")


def test_a_training_is_watched_survives_a_reload_and_stops_when_asked(project: tuple[Store, Any]) -> None:
    store, page = project
    page.click("#retrain-settings button")
    page.get_by_label("Steps (instead of epochs)").fill("100000")
    page.click("#retrain-start")
    page.wait_for_selector("#retrain-job .rt-badge.running")
    page.reload()
    page.wait_for_selector("#retrain-job .rt-badge.running")
    page.wait_for_selector("#retrain-job [role=progressbar]")
    page.click("#retrain-cancel")
    page.wait_for_selector("#retrain-job .rt-badge.cancelled")
    [job] = Jobs(store).jobs(kind=JobKind.TRAIN)
    assert job.status is JobStatus.CANCELLED
    assert store.active_model().id == "base"


def test_a_finished_training_is_shown_beside_the_model_before_it_and_can_be_rolled_back(
    project: tuple[Store, Any],
) -> None:
    store, page = project
    job = enqueue_training(Jobs(store), TrainingWish(QUICK, base="base", rule=RULE), by="ana")
    page.reload()
    until = time.monotonic() + PATIENCE_MS / 1000
    while (now := Jobs(store).get(job.id)).status in (JobStatus.QUEUED, JobStatus.RUNNING):
        assert time.monotonic() < until, (now.status, now.stage, now.message, now.attempt)
        time.sleep(1.0)
    assert now.status is JobStatus.DONE, now.error
    page.wait_for_selector("#retrain-job .rt-badge.done")
    page.wait_for_selector("#retrain-models >> text=v1")
    page.reload()  # whoever comes now sees the newest version's result
    if store.active_model().id != "v1":  # as the rule decided; the page puts it in service all the same
        page.get_by_label("Note").last.fill("for this test")
        page.click("#retrain-serve")
    page.wait_for_selector("#retrain-models tr:has-text('v1') >> text=in service")
    page.wait_for_selector("#retrain-result .rt-set")
    assert "base" in page.inner_text("#retrain-result")
    page.wait_for_selector("text=Roll back to base")
    page.click("#retrain-back")
    page.wait_for_selector("text=base is back in service.")
    assert store.active_model().id == "base"
