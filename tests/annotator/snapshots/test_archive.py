"""Snapshots in a directory: written whole, encrypted where there is a key, restored at start, refused where they are broken."""

from __future__ import annotations

import dataclasses
import io
import json
import os
from pathlib import Path

import pytest

from annotator.models.registry import check_directory
from annotator.project import open_project
from annotator.settings import SNAPSHOT_KEY, Settings
from annotator.snapshots.keeper import restore_if_empty
from annotator.snapshots.manifest import KeyWrong, NotOurs, SnapshotDamaged
from annotator.snapshots.seal import CHUNK_BYTES, SealBroken, Sealer
from annotator.snapshots.targets import TargetUnavailable, open_target
from storage.records import EvidenceError, Role, StoreUnavailable
from tests.annotator.snapshot_project import KEY, a_project, at, begun_again, decide, decisions, lose

WORDS = b"I cannot sleep"


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def key(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Whether there is a key, also in the environment of what starts."""
    if request.param is not None:
        monkeypatch.setenv(SNAPSHOT_KEY, request.param)
    return request.param


def files(place: Path, folder: str) -> list[Path]:
    return sorted((place / folder).iterdir())


def naming(settings: Settings, place: Path) -> Settings:
    return dataclasses.replace(settings, snapshot_to=str(place))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def test_after_the_data_directory_is_lost_a_start_brings_everything_back(tmp_path: Path, key: str | None) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    at(place, project, key=key).write(project.store, reason="test", keep=3)
    lose(project)
    again = begun_again(project, place)
    assert decisions(again) == ["p1"]
    assert again.store.reviewer("ana").role is Role.ADMIN
    assert again.store.password_hash("ana") == "x"
    active = again.store.active_model()
    assert active is not None
    assert active.id == "v2"
    check_directory(again.settings.models_dir / "v1")
    check_directory(again.settings.models_dir / "v2")


def test_a_snapshot_cut_in_half_is_refused_and_the_one_before_it_is_used(tmp_path: Path, key: str | None) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    at(place, project, key=key).write(project.store, reason="first", keep=3)
    decide(project, 2)
    at(place, project, key=key).write(project.store, reason="second", keep=3)
    cut(files(place, "databases")[-1])
    lose(project)
    restored = restore_if_empty(naming(project.settings, place), key)
    assert restored is not None
    assert restored.manifest.reason == "first"
    assert len(restored.refused) == 1
    assert decisions(begun_again(project, place)) == ["p1"]


def test_a_manifest_cut_in_half_is_passed_over_too(tmp_path: Path, key: str | None) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    for _ in range(2):
        at(place, project, key=key).write(project.store, reason="test", keep=3)
    cut(files(place, "snapshots")[-1])
    lose(project)
    assert decisions(begun_again(project, place)) == ["p1"]


def test_a_manifest_that_was_changed_is_refused(tmp_path: Path, key: str | None) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    at(place, project, key=key).write(project.store, reason="test", keep=3)
    [path] = files(place, "snapshots")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"active": "v1"}))
    lose(project)
    with pytest.raises(SnapshotDamaged, match="manifest was changed"):
        begun_again(project, place)


def test_when_no_snapshot_is_whole_nothing_is_begun(tmp_path: Path, key: str | None) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    at(place, project, key=key).write(project.store, reason="test", keep=3)
    cut(files(place, "databases")[0])
    lose(project)
    with pytest.raises(SnapshotDamaged, match="None of the 1 snapshots"):
        begun_again(project, place)
    assert not (project.settings.data_dir / "evidence.db").exists()
    assert len(files(place, "snapshots")) == 1


def test_a_model_whose_file_is_damaged_does_not_hold_the_decisions_back(tmp_path: Path, key: str | None) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    manifest = at(place, project, key=key).write(project.store, reason="test", keep=3)
    weights = next(f for f in manifest.models["v2"]["files"] if f["name"] == "model.safetensors")
    cut(place / weights["blob"])
    lose(project)
    restored = restore_if_empty(naming(project.settings, place), key)
    assert restored is not None
    assert restored.missing == ["v2"]
    assert decisions(begun_again(project, place)) == ["p1"]


@pytest.mark.parametrize("wrong", ["another long passphrase", None])
def test_the_wrong_key_or_none_begins_nothing_and_overwrites_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str | None
) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    at(place, project, key=KEY).write(project.store, reason="test", keep=3)
    before = {p: p.read_bytes() for p in place.rglob("*") if p.is_file()}
    lose(project)
    if wrong is not None:
        monkeypatch.setenv(SNAPSHOT_KEY, wrong)
    with pytest.raises(KeyWrong, match="EVIDENCE_SNAPSHOT_KEY"):
        begun_again(project, place)
    assert not (project.settings.data_dir / "evidence.db").exists()
    assert {p: p.read_bytes() for p in place.rglob("*") if p.is_file()} == before


def test_with_a_key_no_word_of_a_post_can_be_read_at_the_place(tmp_path: Path) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    at(place, project, key=KEY).write(project.store, reason="test", keep=3)
    stored = b"".join(p.read_bytes() for p in place.rglob("*") if p.is_file())
    assert WORDS not in stored
    assert KEY.encode() not in stored


def test_models_are_stored_once_and_go_with_the_last_snapshot_that_needs_them(tmp_path: Path, key: str | None) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    first = at(place, project, key=key).write(project.store, reason="1", keep=2)
    blobs = {p: p.stat().st_mtime_ns for p in files(place, "blobs")}
    second = at(place, project, key=key).write(project.store, reason="2", keep=2)
    assert {p: p.stat().st_mtime_ns for p in files(place, "blobs")} == blobs
    assert len(blobs) == len(first.blobs) == 5  # the two versions share all but their weights
    for path in (project.settings.models_dir / "v1").iterdir():
        path.unlink()
    (project.settings.models_dir / "v1").rmdir()
    for n in (3, 4):
        last = at(place, project, key=key).write(project.store, reason=str(n), keep=2)
    assert second.blobs > last.blobs
    assert {f"blobs/{p.name}" for p in files(place, "blobs")} == last.blobs
    assert [len(files(place, folder)) for folder in ("snapshots", "databases")] == [2, 2]


def test_a_project_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    at(place, project).write(project.store, reason="test", keep=3)
    decide(project, 2)
    assert decisions(begun_again(project, place)) == ["p1", "p2"]
    with pytest.raises(StoreUnavailable, match="never overwritten"):
        at(place, project).restore_newest()


def test_two_projects_are_never_mixed_at_one_place(tmp_path: Path) -> None:
    one, other, place = a_project(tmp_path / "one"), a_project(tmp_path / "other"), tmp_path / "place"
    at(place, one).write(one.store, reason="test", keep=3)
    with pytest.raises(NotOurs, match="another project"):
        at(place, other).write(other.store, reason="test", keep=3)


def test_plain_snapshots_are_not_put_beside_encrypted_ones(tmp_path: Path) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    at(place, project, key=KEY).write(project.store, reason="test", keep=3)
    with pytest.raises(KeyWrong, match="are encrypted"):
        at(place, project).write(project.store, reason="test", keep=3)


def test_after_a_change_of_key_the_new_one_opens_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    at(place, project, key=KEY).write(project.store, reason="test", keep=3)
    at(place, project, key="a new passphrase of ours").write(project.store, reason="test", keep=3)
    lose(project)
    monkeypatch.setenv(SNAPSHOT_KEY, "a new passphrase of ours")
    again = begun_again(project, place)
    check_directory(again.settings.models_dir / "v2")


def test_a_snapshot_of_a_newer_release_is_not_gone_behind(tmp_path: Path) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    with project.store.write() as db:
        db.conn.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('evidence', 'm999_later')")
    at(place, project).write(project.store, reason="test", keep=3)
    lose(project)
    with pytest.raises(NotOurs, match="newer release"):
        begun_again(project, place)


def test_a_manifest_in_a_newer_form_is_not_gone_behind(tmp_path: Path) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    for _ in range(2):
        manifest = at(place, project).write(project.store, reason="test", keep=3)
    listing = place / "snapshots" / f"{manifest.name}.json"
    listing.write_text(json.dumps({**json.loads(listing.read_text("utf-8")), "format": 2, "more": 1}), "utf-8")
    lose(project)
    with pytest.raises(NotOurs, match="newer release"):
        begun_again(project, place)


def test_a_place_that_is_not_mounted_stops_the_start(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", snapshot_to=str(tmp_path / "mount" / "bucket"))
    with pytest.raises(TargetUnavailable, match="mounted"):
        open_project(settings)
    assert not (settings.data_dir / "evidence.db").exists()


def test_an_empty_place_begins_a_new_project(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", empty=True, snapshot_to=str(tmp_path / "place"))
    assert open_project(settings).store.count_posts() == 0


@pytest.mark.parametrize("path", ["..", "../../elsewhere", ".lock", ""])
def test_a_manifest_cannot_name_a_directory_outside_the_project(tmp_path: Path, path: str) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    snapshots = at(place, project)
    manifest = snapshots.write(project.store, reason="test", keep=3)
    manifest.models["v1"]["path"] = path
    (place / "snapshots" / f"{manifest.name}.json").write_bytes(manifest.signed(None).to_bytes())
    lose(project)
    with pytest.raises(SnapshotDamaged):
        begun_again(project, place)


def test_what_another_program_left_at_the_place_is_left_alone(tmp_path: Path) -> None:
    project, place = a_project(tmp_path / "data"), tmp_path / "place"
    for name in ("snapshots/notes.json", "snapshots/.20260101T000000.000000Z.json.1.partial", "readme.txt"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("{")
    at(place, project).write(project.store, reason="test", keep=1)
    at(place, project).write(project.store, reason="test", keep=1)
    assert len(at(place, project).names()) == 1
    assert (place / "snapshots/notes.json").read_text() == "{"


@pytest.mark.parametrize("place", ["hf://datasets/only", "hf://buckets/a/b", "hf://a/b"])
def test_a_place_that_cannot_be_meant_is_named(place: str) -> None:
    with pytest.raises(TargetUnavailable, match="hf://datasets/owner/name"):
        open_target(place)


def test_a_short_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SNAPSHOT_KEY, "short")
    with pytest.raises(EvidenceError, match="at least 16"):
        open_project(Settings(data_dir=tmp_path / "data", snapshot_to=str(tmp_path)))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
def test_what_is_sealed_opens_whole_or_not_at_all(size: int) -> None:
    sealer, plain = Sealer.fresh(KEY), os.urandom(size)
    sealed = io.BytesIO()
    sealer.seal(io.BytesIO(plain), sealed)
    opened = io.BytesIO()
    sealer.unseal(io.BytesIO(sealed.getvalue()), opened)
    assert opened.getvalue() == plain
    content = sealed.getvalue()
    swapped = content[:40] + bytes([content[40] ^ 1]) + content[41:]
    for broken in (content[:-1], content[: len(content) // 2], content + b"x", swapped, b""):
        with pytest.raises(SealBroken):
            sealer.unseal(io.BytesIO(broken), io.BytesIO())


def test_a_file_cut_between_two_chunks_does_not_open() -> None:
    sealer, sealed = Sealer.fresh(KEY), io.BytesIO()
    sealer.seal(io.BytesIO(b"x" * (2 * CHUNK_BYTES)), sealed)
    whole = sealed.getvalue()
    header = len(whole) - 2 * (CHUNK_BYTES + 16)
    with pytest.raises(SealBroken):
        sealer.unseal(io.BytesIO(whole[: header + CHUNK_BYTES + 16]), io.BytesIO())
