"""The model registry: in service, rolled back, deleted, pruned, exported and imported."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from annotator.models.archives import VERSION_FILE, ArchiveInvalid, export_version, import_version
from annotator.models.registry import (
    KEEP_SETTING,
    MADE_BY,
    DirectoryBroken,
    NotPossible,
    check_directory,
    delete_version,
    prune,
    put_in_service,
    roll_back,
    rollback_target,
    sweep,
)
from annotator.models.trial import TrialFailed
from annotator.settings import Settings
from storage.jobs import Jobs
from storage.records import JobKind, JobStatus, ModelStatus, ModelVersion, Reviewer, Role
from storage.store import Store
from tests.annotator.model_directories import a_model_directory
from tests.builders import a_post, a_prediction
from tests.encoder.training_data import a_base

ADMIN = Reviewer("ana", Role.ADMIN)


@pytest.fixture
def settings(store: Store) -> Settings:
    return Settings(data_dir=store.path.parent)


@pytest.fixture
def jobs(store: Store) -> Jobs:
    return Jobs(store)


@pytest.fixture
def versions(store: Store, settings: Settings) -> list[str]:
    """v1, v2 and v3 with their files; v1 is in service, v3 was set aside."""
    for number, status in ((1, ModelStatus.READY), (2, ModelStatus.READY), (3, ModelStatus.ASIDE)):
        a_model_directory(settings.models_dir / f"v{number}")
        metrics = {"dev": {"macro": {"f1": number / 10}}}
        store.add_model(ModelVersion(f"v{number}", f"v{number}", status, metrics=metrics, created_by="who trained it"))
    store.activate_model("v1", by=None)
    return ["v1", "v2", "v3"]


def active(store: Store) -> str | None:
    model = store.active_model()
    return model and model.id


@pytest.mark.usefixtures("versions")
def test_a_version_is_put_in_service_and_the_unreviewed_posts_wait_for_it(
    store: Store, jobs: Jobs, settings: Settings
) -> None:
    put_in_service(store, jobs, settings, "v2", by=ADMIN)
    assert active(store) == "v2"
    job = jobs.jobs()[0]
    assert (job.kind, job.status, job.payload["model"]) == (JobKind.PREDICT, JobStatus.QUEUED, "v2")
    assert store.activations()[0]["activated_by"] == "ana"


@pytest.mark.usefixtures("versions")
def test_a_second_swap_takes_the_waiting_predictions_of_the_first_off_the_queue(
    store: Store, jobs: Jobs, settings: Settings
) -> None:
    put_in_service(store, jobs, settings, "v2", by=ADMIN)
    put_in_service(store, jobs, settings, "v1", by=ADMIN)
    assert [(j.payload["model"], j.status) for j in jobs.jobs()] == [
        ("v1", JobStatus.QUEUED),
        ("v2", JobStatus.CANCELLED),
    ]


@pytest.mark.usefixtures("versions")
def test_a_version_that_was_set_aside_needs_a_note_and_then_is_ready(
    store: Store, jobs: Jobs, settings: Settings
) -> None:
    with pytest.raises(NotPossible, match="did not prove better"):
        put_in_service(store, jobs, settings, "v3", by=ADMIN)
    put_in_service(store, jobs, settings, "v3", by=ADMIN, note="Better on my own posts")
    assert store.model("v3").status is ModelStatus.READY
    assert store.model("v3").note == "Put in service against the rule by ana: Better on my own posts"


@pytest.mark.usefixtures("versions")
def test_a_version_with_damaged_weights_is_not_put_in_service(store: Store, jobs: Jobs, settings: Settings) -> None:
    weights = settings.models_dir / "v2" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(DirectoryBroken, match="cut off"):
        put_in_service(store, jobs, settings, "v2", by=ADMIN)
    assert active(store) == "v1"


@pytest.mark.usefixtures("versions")
def test_rolling_back_twice_goes_back_two_steps_and_not_forth_again(
    store: Store, jobs: Jobs, settings: Settings
) -> None:
    for version in ("v2", "v3"):
        put_in_service(store, jobs, settings, version, by=ADMIN, note="try")
    assert roll_back(store, jobs, settings, by=ADMIN).id == "v2"
    assert roll_back(store, jobs, settings, by=ADMIN).id == "v1"
    assert rollback_target(store) is None
    with pytest.raises(NotPossible, match="no earlier version"):
        roll_back(store, jobs, settings, by=ADMIN)


@pytest.mark.usefixtures("versions")
def test_deleting_removes_files_and_predictions_and_keeps_the_row(store: Store, jobs: Jobs, settings: Settings) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_predictions([a_prediction(post, "I cannot sleep.", model="v2")])
    delete_version(store, jobs, settings, "v2")
    assert store.model("v2").status is ModelStatus.DELETED
    assert not (settings.models_dir / "v2").exists()
    assert store.predictions(post.id, "v2") == {}
    assert store.next_model_id() == "v4"


@pytest.mark.usefixtures("versions")
def test_versions_that_are_needed_are_protected(store: Store, jobs: Jobs, settings: Settings) -> None:
    with pytest.raises(NotPossible, match="in service"):
        delete_version(store, jobs, settings, "v1")
    jobs.enqueue(JobKind.TRAIN, {"base": "v2"})
    with pytest.raises(NotPossible, match="Job 1 uses model v2"):
        delete_version(store, jobs, settings, "v2")
    store.add_model(ModelVersion("demo", "bundled"))
    with pytest.raises(NotPossible, match="bundled"):
        delete_version(store, jobs, settings, "demo")


def test_a_model_outside_the_project_is_forgotten_and_its_files_stay(
    store: Store, jobs: Jobs, settings: Settings, tmp_path: Path
) -> None:
    outside = a_model_directory(tmp_path / "mine")
    store.add_model(ModelVersion("mine", str(outside)))
    delete_version(store, jobs, settings, "mine")
    assert outside.is_dir()


@pytest.mark.usefixtures("versions")
def test_pruning_keeps_the_newest_the_active_the_previous_and_the_best(
    store: Store, jobs: Jobs, settings: Settings
) -> None:
    put_in_service(store, jobs, settings, "v2", by=ADMIN)
    for number, f1 in ((4, 0.9), (5, 0.1), (6, 0.2)):
        a_model_directory(settings.models_dir / f"v{number}")
        metrics = {"dev": {"macro": {"f1": f1}}}
        store.add_model(ModelVersion(f"v{number}", f"v{number}", metrics=metrics))
    assert prune(store, jobs, settings) == []
    store.set_setting(KEEP_SETTING, 1)
    assert sorted(prune(store, jobs, settings)) == ["v3", "v5"]
    assert sorted(m.id for m in store.models()) == ["v1", "v2", "v4", "v6"]


@pytest.mark.usefixtures("versions")
def test_what_a_crash_left_is_swept_and_nothing_else(store: Store, jobs: Jobs, settings: Settings) -> None:
    left = a_model_directory(settings.models_dir / "v9")
    (left / MADE_BY).write_text("{}", "utf-8")
    somebodys = a_model_directory(settings.models_dir / "my-model")
    work = settings.models_dir / ".work" / "job-77"
    work.mkdir(parents=True)
    assert sorted(sweep(store, jobs, settings)) == [".work/job-77", "v9"]
    assert somebodys.is_dir()
    assert all((settings.models_dir / v).is_dir() for v in ("v1", "v2", "v3"))


def test_the_folder_of_a_stopped_training_is_kept_for_resuming(store: Store, jobs: Jobs, settings: Settings) -> None:
    job = jobs.enqueue(JobKind.TRAIN, {})
    jobs.request_cancel(job.id)
    (settings.models_dir / ".work" / f"job-{job.id}").mkdir(parents=True)
    assert sweep(store, jobs, settings) == []


@pytest.mark.usefixtures("versions")
def test_an_exported_version_comes_back_as_a_new_one(store: Store, settings: Settings, tmp_path: Path) -> None:
    shutil.rmtree(settings.models_dir / "v2")
    a_base(tmp_path).rename(settings.models_dir / "v2")
    archive = export_version(store, settings, "v2", tmp_path / "v2.zip")
    taken_in = import_version(store, settings, archive, by=ADMIN)
    assert taken_in.id == "v4"
    assert taken_in.metrics == store.model("v2").metrics
    assert "was called v2" in taken_in.note
    assert (store.model("v2").created_by, taken_in.created_by) == ("who trained it", ADMIN.name)
    with zipfile.ZipFile(archive) as packed:
        assert "who trained it" not in packed.read(VERSION_FILE).decode()
    check_directory(settings.models_dir / "v4")
    assert active(store) == "v1"


def test_a_directory_is_taken_in_without_what_does_not_belong_to_a_model(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    source = a_base(tmp_path)
    (source / "notes.exe").write_text("x", "utf-8")
    taken_in = import_version(store, settings, source, by=ADMIN)
    taken = {p.name for p in (settings.models_dir / taken_in.path).iterdir()}
    assert taken == {p.name for p in source.iterdir()} - {"notes.exe"}


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["../evil.json"], "one model directory and no others"),
        (["/etc/evil.json"], "one model directory and no others"),
        (["a/config.json", "b/config.json"], "one model directory and no others"),
        (["pytorch_model.bin"], "may run code"),
        (["script.sh"], "no part of a model"),
        ([], "holds 0 files"),
    ],
)
def test_an_archive_that_is_no_model_is_refused_and_leaves_nothing(
    store: Store, settings: Settings, tmp_path: Path, names: list[str], reason: str
) -> None:
    archive = tmp_path / "model.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for name in names:
            out.writestr(name, "{}")
    with pytest.raises(ArchiveInvalid, match=reason):
        import_version(store, settings, archive, by=ADMIN)
    assert [p.name for p in settings.models_dir.iterdir() if p.name != ".lock"] == []


def packed(directory: Path, archive: Path, **row: Any) -> Path:
    with zipfile.ZipFile(archive, "w") as out:
        for path in directory.iterdir():
            out.write(path, path.name)
        out.writestr(VERSION_FILE, json.dumps(row))
    return archive


@pytest.mark.parametrize(
    ("row", "where"),
    [
        ({"metrics": {"dev": {"macro": {"f1": "high"}}}}, "metrics.dev.macro.f1"),
        ({"metrics": {"dev": {"macro": {"f1": 7.0}}}}, "metrics.dev.macro.f1"),
        ({"metrics": {"test": []}}, "metrics.test"),
        ({"metrics": {"dev": {"criteria": {"SLEEP_ISSUES": 3}}}}, "metrics.dev.criteria"),
        ({"metrics": {"decision": "promoted"}}, "metrics.decision"),
        ({"metrics": {"mine": float("nan")}}, "a number that is none"),
        ({"metrics": 5}, "metrics"),
        ({"config": [1]}, "config"),
        ({"examples": -1}, "examples"),
        ({"examples": "many"}, "examples"),
        ({"note": {"a": 1}}, "note"),
        ({"note": "a\x00b"}, "NUL"),
        ({"base": "x" * 100_000}, "base"),
        ({"metrics": json.loads('{"a":' * 40 + "1" + "}" * 40)}, "nested"),
    ],
)
def test_figures_that_no_page_could_draw_are_refused_before_the_model_is_listed(
    store: Store, settings: Settings, tmp_path: Path, row: dict[str, Any], where: str
) -> None:
    archive = packed(a_model_directory(tmp_path / "model"), tmp_path / "model.zip", **row)
    with pytest.raises(ArchiveInvalid, match=where):
        import_version(store, settings, archive, by=ADMIN)
    assert store.models() == []
    assert [p.name for p in settings.models_dir.iterdir() if p.name != ".lock"] == []


def test_a_model_that_does_not_load_is_never_listed(store: Store, settings: Settings, tmp_path: Path) -> None:
    archive = packed(a_model_directory(tmp_path / "model"), tmp_path / "model.zip")
    with pytest.raises(TrialFailed, match="cannot be loaded") as refused:
        import_version(store, settings, archive, by=ADMIN)
    assert str(settings.models_dir) not in str(refused.value)
    assert store.models() == []


def test_a_model_that_predicts_no_numbers_is_never_listed(store: Store, settings: Settings, tmp_path: Path) -> None:
    base = a_base(tmp_path)
    weights = load_file(base / "model.safetensors")
    broken = {name: torch.full_like(value, float("nan")) for name, value in weights.items()}
    save_file(broken, base / "model.safetensors")
    with pytest.raises(TrialFailed):
        import_version(store, settings, base, by=ADMIN)
    assert store.models() == []


def test_a_file_that_is_no_archive_is_refused(store: Store, settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    path.write_text("no zip", "utf-8")
    with pytest.raises(ArchiveInvalid, match="not a zip archive"):
        import_version(store, settings, path, by=ADMIN)
