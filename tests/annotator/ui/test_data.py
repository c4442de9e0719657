"""Imports started from the page, import jobs of the worker, and downloads over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from annotator.exchange.downloads import prepare_export, remove_old_exports
from annotator.exchange.import_runs import ImportRuns
from annotator.exchange.masking import mask
from annotator.exchange.options import ImportOptions
from annotator.exchange.uploads import keep_copy, sweep_uploads
from annotator.exchange.use_cases import import_file, run_import_job
from annotator.job_context import JobContext, JobMonitor, WorkerStopping
from annotator.settings import Settings
from annotator.web.export_routes import export_routes
from annotator.web.gate import PERSON
from storage.exports import ExportFilter
from storage.formats.rows import FormatError
from storage.jobs import JobCancelled, JobLost, Jobs
from storage.records import EvidenceError, InvalidRecord, JobKind, JobStatus, Reviewer, Role
from storage.store import Store
from tests.builders import a_post, an_annotation


@pytest.fixture
def settings(store: Store) -> Settings:
    found = Settings(data_dir=store.path.parent)
    found.uploads_dir.mkdir()
    return found


def a_file(folder: Path, count: int = 3) -> Path:
    path = folder / "posts.jsonl"
    path.write_text("".join(json.dumps({"id": str(n), "text": f"Post {n}."}) + "\n" for n in range(count)), "utf-8")
    return path


# --- from the page


def test_an_import_from_the_page_runs_to_its_report(settings: Settings, store: Store, tmp_path: Path) -> None:
    runs = ImportRuns(settings, store, Jobs(store))
    run = runs.start(a_file(tmp_path), ImportOptions(), by="ana", file_name="posts.jsonl", dry_run=False)
    assert run.finished.wait(30)
    assert run.error is None
    assert run.report is not None
    assert (run.report.imported, store.imports()[0]["created_by"]) == (3, "ana")
    assert runs.current("ana") is run


def test_what_goes_wrong_is_told_in_one_line(settings: Settings, store: Store, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"")
    run = ImportRuns(settings, store, Jobs(store)).start(
        tmp_path / "x.csv", ImportOptions(), by="ana", file_name="x.csv", dry_run=True
    )
    assert run.finished.wait(30)
    assert run.error == "x.csv is empty."


def test_an_upload_that_is_gone_does_not_hinder_the_next_import(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    runs = ImportRuns(settings, store, Jobs(store))
    with pytest.raises(FileNotFoundError):
        runs.start(tmp_path / "gone.csv", ImportOptions(), by="ana", file_name="gone.csv", dry_run=False)
    run = runs.start(a_file(tmp_path), ImportOptions(), by="ana", file_name="posts.jsonl", dry_run=False)
    assert run.finished.wait(30)
    assert run.error is None


def test_a_large_file_becomes_a_job_and_a_person_has_one_import_at_a_time(
    settings: Settings, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotator.exchange.import_runs.JOB_FROM_BYTES", 1)
    jobs = Jobs(store)
    runs = ImportRuns(settings, store, jobs)
    run = runs.start(a_file(tmp_path), ImportOptions(), by="ana", file_name="posts.jsonl", dry_run=False)
    assert run.job_id is not None
    with pytest.raises(InvalidRecord, match="still running"):
        runs.start(a_file(tmp_path), ImportOptions(), by="ana", file_name="posts.jsonl", dry_run=False)
    runs.cancel("ana")
    assert run.finished.wait(30)
    assert run.error == "The import was cancelled. Nothing was imported."
    assert store.count_posts() == 0
    assert list(settings.uploads_dir.iterdir()) == []


# --- as a job


def test_an_import_job_and_its_end_are_one_transaction(settings: Settings, store: Store, tmp_path: Path) -> None:
    jobs = Jobs(store)
    payload = {"path": str(a_file(tmp_path)), "file_name": "mine.jsonl", "options": {"source": "forum"}, "remove": True}
    jobs.enqueue(JobKind.IMPORT, payload, by="ana")
    job = jobs.claim("w1")
    assert job is not None
    run_import_job(JobContext(settings, store, jobs, job, JobMonitor(jobs, job)))
    done = jobs.get(job.id)
    assert (done.status, (done.result or {})["imported"]) == (JobStatus.DONE, 3)
    assert [(i["file_name"], i["created_by"]) for i in store.imports()] == [("mine.jsonl", "ana")]
    assert {p.source for p in store.iter_posts()} == {"forum"}
    assert not (tmp_path / "posts.jsonl").exists()


def test_an_import_job_that_was_taken_away_stores_nothing(settings: Settings, store: Store, tmp_path: Path) -> None:
    jobs = Jobs(store)
    jobs.enqueue(JobKind.IMPORT, {"path": str(a_file(tmp_path))})
    job = jobs.claim("w1")
    assert job is not None
    jobs.requeue_abandoned(worker="w1")
    with pytest.raises(Exception, match="no longer run"):
        run_import_job(JobContext(settings, store, jobs, job, JobMonitor(jobs, job)))
    assert (store.count_posts(), store.imports()) == (0, [])


def a_claimed_job(settings: Settings, store: Store, file: Path) -> JobContext:
    jobs = Jobs(store)
    jobs.enqueue(JobKind.IMPORT, {"path": str(file), "remove": True})
    job = jobs.claim("w1")
    assert job is not None
    return JobContext(settings, store, jobs, job, JobMonitor(jobs, job))


@pytest.mark.parametrize("reason", [None, JobCancelled("stop"), ValueError("a fault of ours")])
def test_an_import_job_that_fails_or_is_cancelled_leaves_no_upload(
    settings: Settings, store: Store, reason: Exception | None
) -> None:
    kept = keep_copy(settings, a_file(settings.data_dir))
    context = a_claimed_job(settings, store, kept)
    if reason is None:
        kept.write_text("", "utf-8")
    else:
        context.monitor.stop(reason)  # type: ignore[arg-type]
    with pytest.raises(type(reason) if reason else FormatError):
        run_import_job(context)
    assert (list(settings.uploads_dir.iterdir()), store.count_posts()) == ([], 0)


@pytest.mark.parametrize("reason", [WorkerStopping("The app was stopped."), JobLost("another worker has it")])
def test_an_import_job_that_goes_on_later_keeps_its_upload(
    settings: Settings, store: Store, reason: EvidenceError
) -> None:
    kept = keep_copy(settings, a_file(settings.data_dir))
    context = a_claimed_job(settings, store, kept)
    context.monitor.stop(reason)
    with pytest.raises(type(reason)):
        run_import_job(context)
    assert list(settings.uploads_dir.iterdir()) == [kept]


def test_a_start_sweeps_every_upload_that_no_job_waits_for(settings: Settings, store: Store) -> None:
    waiting, running, old = (keep_copy(settings, a_file(settings.data_dir)) for _ in range(3))
    jobs = Jobs(store)
    for path in (running, waiting):
        jobs.enqueue(JobKind.IMPORT, {"path": str(path), "remove": True})
    jobs.claim("w1")
    over = jobs.enqueue(JobKind.IMPORT, {"path": str(old), "remove": True})
    jobs.request_cancel(over.id)
    (settings.uploads_dir / "pasted").mkdir()
    (settings.uploads_dir / "pasted" / "tmp.txt").write_text("words of somebody", "utf-8")
    assert sweep_uploads(settings, jobs) == 2
    assert set(settings.uploads_dir.iterdir()) == {waiting, running}


# --- downloads


@pytest.fixture
def person() -> dict[str, Reviewer | None]:
    return {"now": Reviewer("root", Role.ADMIN)}


@pytest.fixture
def client(settings: Settings, store: Store, person: dict[str, Reviewer | None]) -> Iterator[TestClient]:
    inner = Starlette(routes=export_routes(settings, store))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope[PERSON] = person["now"]
        await inner(scope, receive, send)

    with TestClient(app) as found:
        yield found


def test_a_prepared_export_is_downloaded_with_its_manifest(
    settings: Settings, store: Store, client: TestClient
) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_annotation(an_annotation(post, "cannot sleep"), expected_revision=0)
    export_id, manifest = prepare_export(settings, store, "gold", ExportFilter())
    answer = client.get(f"/export/{export_id}")
    assert json.loads(answer.text)["annotations"][0]["spans"][0]["text"] == "cannot sleep"
    assert answer.headers["content-disposition"] == 'attachment; filename="evidence-gold.jsonl"'
    assert client.get(f"/export/{export_id}/manifest").json() == {k: v for k, v in manifest.items() if k != "output"}
    tasks, _ = prepare_export(settings, store, "label-studio", ExportFilter())
    assert client.get(f"/export/{tasks}").headers["content-disposition"].endswith('.zip"')
    remove_old_exports(settings, older_than=-1)
    assert client.get(f"/export/{export_id}").json() == {"error": "This download is gone. Prepare the export again."}


def test_downloads_are_for_those_who_may(client: TestClient, store: Store, person: dict[str, Reviewer | None]) -> None:
    store.add_posts([a_post()])
    assert client.get("/export/..%2F..%2Fevidence.db").status_code == 404
    assert client.get("/imports/7/report").status_code == 404
    for nobody in (None, Reviewer("ana", Role.REVIEWER)):
        person["now"] = nobody
        for path in ("/export/aaaaaaaaaaaaaaaaaaaaaaaa", "/imports/1/report"):
            assert client.get(path).status_code == 403


def test_a_report_is_downloaded(client: TestClient, store: Store, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id,text\n1,Fine.\n2,\n", "utf-8")
    import_file(store, tmp_path / "x.csv")
    assert client.get("/imports/1/report").text.splitlines()[1] == "3,2,rejected,has no text,"


# --- masking


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail me: a.b@c.org!", "mail me: [MAIL]___!"),
        ("see https://x.org/a, ok", "see [URL]__________, ok"),
        ("thanks @kind_soul and u/other-one", "thanks [USER]____ and [USER]_____"),
        ("call +44 20 7946 0958 now", "call [PHONE]_________ now"),
        ("on 2023-01-15 I took 100/200 mg at 10:30", "on 2023-01-15 I took 100/200 mg at 10:30"),
        ("price 3@5 and 50% off", "price 3@5 and 50% off"),
    ],
)
def test_masks_are_as_long_as_what_they_hide(text: str, shown: str) -> None:
    assert mask(text).text == shown
    assert len(shown) == len(text)
