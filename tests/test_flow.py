"""The whole story with real parts: predict → review → train in the worker → a new version in service → export."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

from annotator.exchange import exporting as exchange_export
from annotator.review import decisions
from annotator.server import App
from annotator.training.promotion import PromotionRule
from annotator.training.run import TrainingWish, enqueue_training
from storage.queue import QueueFilter
from storage.records import JobStatus, Reviewer, Role
from tests.annotator.processes import wait_for
from tests.annotator.reviewed_project import QUICK, a_reviewed_project
from tests.annotator.running import running_app

ANA = Reviewer("ana", Role.ADMIN)


def decide(app: App, post_id: str) -> dict[str, bool]:
    """Review a post as the page does: accept the nights, reject the rest, say where there is nothing. True where a span stands."""
    item = decisions.load_item(app.project.store, app.models, post_id, ANA)
    text = item["post"]["text"]
    found = {}
    for criterion in item["criteria"]:
        nights = [s for s in item["sentences"] if "sleep" in text[s[0] : s[1]] or "Awake" in text[s[0] : s[1]]]
        wanted = nights if criterion["id"] == "SLEEP_ISSUES" else []
        saved = decisions.save(
            app.project.store,
            ANA,
            {
                "post_id": post_id,
                "criterion_id": criterion["id"],
                "criterion_version": criterion["version"],
                "verdict": "evidence" if wanted else "no_evidence",
                "spans": [[start, end, "added", None] for start, end in wanted],
                "rejected": [s for s in criterion["undecided"] if s[:2] not in wanted],
                "undecided": [],
                "model_version": criterion["model_version"],
                "expected_revision": criterion["revision"],
                "op_id": f"{post_id}-{criterion['id']}",
            },
        )
        assert saved["ok"], saved
        found[criterion["id"]] = bool(wanted)
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # gradio leaves sockets behind
def test_corrections_become_a_better_served_model_and_a_dataset(tmp_path: Path) -> None:
    a_reviewed_project(tmp_path / "data", unreviewed=3)
    with running_app(tmp_path / "data", worker=True, device="cpu", threads=1, empty=False) as app:
        store, jobs = app.project.store, app.project.jobs

        # predict: the model in service reads the posts
        assert app.models.wait_until_settled(120).version == "base"

        # review: the queue gives the unreviewed posts, one after the other
        reviewed: dict[str, dict[str, bool]] = {}
        while len(reviewed) < 2:
            post_id = decisions.next_post(store, app.models, ANA, QueueFilter(), exclude=tuple(reviewed))
            assert post_id is not None
            reviewed[post_id] = decide(app, post_id)
        assert all(store.predictions(post_id, "base") for post_id in reviewed)

        # train: in the supervised worker, while the app goes on serving
        job = enqueue_training(jobs, TrainingWish(QUICK, rule=PromotionRule(margin=1.0, min_posts=1)), by="ana")
        wait_for(lambda: jobs.get(job.id).status not in (JobStatus.QUEUED, JobStatus.RUNNING))
        done = jobs.get(job.id)
        assert done.status is JobStatus.DONE, done.error
        assert done.result is not None
        version = store.model(done.result["model"])

        # in service: by the rule, else by an admin with a note; swapped without a restart
        if not done.result["promoted"]:
            from annotator.models.registry import put_in_service

            put_in_service(store, jobs, app.settings, version.id, by=ANA, note="to see the swap")
        wait_for(lambda: app.models.version == version.id and app.models.status() == "ready")

        # the unreviewed posts are predicted anew, the reviewed ones are left alone
        left = {p.id for p in store.iter_posts()} - {g.post_id for g in store.gold()}
        wait_for(lambda: all(store.predictions(post_id, version.id) for post_id in left))
        assert left
        assert not any(store.predictions(post_id, version.id) for post_id in reviewed)

        # export: the corrected dataset says what was decided
        output = tmp_path / "gold.jsonl"
        exchange_export.export_file(store, "jsonl", output)
        rows = {row["post_id"]: row for row in map(json.loads, output.read_text("utf-8").splitlines())}
        for post_id, answers in reviewed.items():
            verdicts = {a["criterion"]: a["verdict"] == "evidence" for a in rows[post_id]["annotations"]}
            assert verdicts == answers
    gc.collect()  # here, where the warnings about them are ignored
