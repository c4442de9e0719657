"""A folder of files: the same bytes on every engine, however often it was stopped, and a bad file holds up nobody."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from encoder.bulk import Reading, predict_posts, read_posts
from encoder.errors import EncoderError
from encoder.folders import folder_at
from encoder.parts import DONE, PartPredictor, PartsJob, output_of, parts_of, predict_parts
from encoder.predict import Predictor
from storage.records import Criterion

CRITERIA = (Criterion("SLEEP_ISSUES", "Sleep", "The writer cannot sleep."),)
MODEL = "demo"


class Store(MemoryFileSystem):
    """A store in memory that can refuse a file (denied: a part of its path), and whose user can end in the middle of sending."""

    denied = ""
    ends_in = 0

    def _open(self, path: str, *arguments: Any, **more: Any) -> Any:
        self._refuse(path)
        return super()._open(path, *arguments, **more)

    def ls(self, path: str, detail: bool = True, **more: Any) -> Any:
        self._refuse(path)
        return super().ls(path, detail, **more)

    def put_file(self, lpath: str, rpath: str, *arguments: Any, **more: Any) -> None:
        type(self).ends_in -= 1
        if self.ends_in == 0:
            self.pipe_file(rpath, Path(lpath).read_bytes()[:20])
            raise KeyboardInterrupt
        super().put_file(lpath, rpath, *arguments, **more)

    def _refuse(self, path: str) -> None:
        if self.denied and self.denied in path:
            raise PermissionError(f"403 for {path}, key=hush")


@pytest.fixture
def store() -> Iterator[type[Store]]:
    """The addresses memory://, which hold nothing."""
    fsspec.register_implementation("memory", Store, clobber=True)
    Store.store.clear()
    yield Store
    Store.denied, Store.ends_in = "", 0
    Store.store.clear()
    fsspec.register_implementation("memory", MemoryFileSystem, clobber=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files of two posts each."""
    made = tmp_path / "posts"
    made.mkdir()
    for number in range(3):
        rows = [
            {"post_id": f"p{number}-{n}", "text": f"I lie awake all night. The dog is well. {number} {n}"}
            for n in range(2)
        ]
        (made / f"part-{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return made


@pytest.fixture
def job(folder: Path, tmp_path: Path) -> PartsJob:
    return PartsJob(str(folder), str(tmp_path / "out"), MODEL, MODEL, CRITERIA, device="cpu", threads=1, threshold=0.2)


def outputs(job: PartsJob) -> list[bytes]:
    place = folder_at(job.output)
    found = []
    for part in parts_of(job.folder):
        with place.reading(output_of(part)) as path:
            found.append(path.read_bytes())
    return found


@pytest.fixture
def expected(folder: Path, job: PartsJob, tmp_path: Path) -> list[bytes]:
    """What predicting each file by itself gives."""
    predictor = Predictor.load(MODEL, version=MODEL, device="cpu", threads=1)
    found = []
    for part in parts_of(job.folder):
        predict_posts(
            read_posts(folder / part),
            CRITERIA,
            predictor,
            tmp_path / "one.jsonl",
            reading=Reading(threshold=job.threshold),
        )
        found.append((tmp_path / "one.jsonl").read_bytes())
    assert b'"start"' in found[0]
    return found


def test_a_worker_writes_the_bytes_that_each_file_gives_by_itself_and_does_none_twice(
    job: PartsJob, expected: list[bytes]
) -> None:
    folder_at(job.output).begin(DONE)
    parts = parts_of(job.folder)
    first = PartPredictor(job)({"part": parts})
    assert (first["part"], first["posts"], first["error"]) == (parts, [2, 2, 2], [""] * 3)
    assert outputs(job) == expected
    again = PartPredictor(replace(job, model="no such model"))({"part": parts})
    assert (again["resumed"], again["error"], again["posts"]) == ([True] * 3, [""] * 3, [2, 2, 2])


def test_a_part_is_done_anew_when_it_or_the_question_has_changed(folder: Path, job: PartsJob) -> None:
    folder_at(job.output).begin(DONE)
    part, worker = parts_of(job.folder)[0], PartPredictor(job)
    worker.predict(part)
    with (folder / part).open("a", encoding="utf-8") as file:
        file.write('{"post_id": "more", "text": "Awake again."}\n')
    assert (worker.predict(part).posts, worker.predict(part).resumed) == (3, True)
    other = PartPredictor(replace(job, threshold=0.9))
    assert other.predict(part).resumed is False


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_done(folder: Path, job: PartsJob) -> None:
    (folder / "part-1.parquet").write_bytes(b"no parquet")
    folder_at(job.output).begin(DONE)
    found = PartPredictor(job)({"part": parts_of(job.folder)})
    assert [bool(error) for error in found["error"]] == [False, False, True, False]
    assert "part-1.parquet" in found["error"][2]


def test_a_folder_without_files_of_posts_says_so(tmp_path: Path, job: PartsJob) -> None:
    (tmp_path / "empty").mkdir()
    for place in (str(tmp_path / "empty"), (tmp_path / "empty").as_uri()):
        with pytest.raises(EncoderError, match="holds no file of posts"):
            list(predict_parts(replace(job, folder=place)))


def test_a_run_that_ends_while_it_sends_a_part_to_an_address_leaves_no_half_one_and_is_gone_on_with(
    folder: Path, job: PartsJob, expected: list[bytes], store: type[Store]
) -> None:
    (folder / "part-2.jsonl").rename(folder / "part [2].jsonl")  # no pattern, a name
    expected = [expected[2], *expected[:2]]
    there = replace(job, folder="memory://posts", output="memory://made/here")
    store().put(f"{folder}/", "/posts/", recursive=True)
    folder_at(there.output).begin(DONE)
    parts = parts_of(there.folder)
    store.ends_in = 3  # the mark of the first part, then the second part
    with pytest.raises(KeyboardInterrupt):
        PartPredictor(there)({"part": parts})
    assert output_of(parts[1]) not in folder_at(there.output).names()
    found = PartPredictor(there)({"part": parts})
    assert (found["resumed"], found["error"]) == ([True, False, False], [""] * 3)
    assert outputs(there) == expected
    marks = [f"/made/here/{DONE}/{part}.json" for part in parts]
    assert store().find("/made") == sorted([*marks, *(f"/made/here/{output_of(part)}" for part in parts)])


def test_what_a_store_refuses_is_told_for_that_part_without_any_secret(
    folder: Path, job: PartsJob, store: type[Store]
) -> None:
    there = replace(job, folder="memory://me:hush@posts")
    store().put(f"{folder}/", "/me:hush@posts/", recursive=True)
    folder_at(job.output).begin(DONE)
    store.denied = "part-1"
    first, second, third = PartPredictor(there)({"part": parts_of(there.folder)})["error"]
    assert (first, third) == ("", "")
    assert second.startswith("memory://posts/part-1.jsonl cannot be read: access is denied; look at the credentials")


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({"folder": "nowhere://b/x"}, "nowhere://b/x cannot be reached: no package knows nowhere://."),
        ({"folder": "absent://b"}, "absent://b cannot be reached: a package is missing. Install absentfs to use this."),
        ({"folder": "memory://none"}, "memory://none cannot be read: it is not there, or not for the credentials that"),
        ({"folder": "memory://posts/*"}, "memory://posts/* is a pattern: name the folder in which the files lie."),
        ({"folder": "memory://posts/a.jsonl"}, "memory://posts/a.jsonl is a file: name the folder in which it lies."),
        ({"folder": "memory://me:hush@locked"}, "memory://locked cannot be read: access is denied; look at the"),
        ({"output": "memory://me:hush@locked"}, "memory://locked cannot be written: access is denied; look at the"),
    ],
)
def test_an_address_that_is_no_good_is_told_in_one_line_before_any_model_is_loaded(
    job: PartsJob, store: type[Store], places: dict[str, str], said: str
) -> None:
    store().pipe_file("/posts/a.jsonl", b"{}")
    store.denied = "locked"
    fsspec.register_implementation("absent", "absentfs.Files", errtxt="Install absentfs to use this", clobber=True)
    with pytest.raises(EncoderError) as told:
        list(predict_parts(replace(job, **places)))
    assert str(told.value).startswith(said)
    assert "hush" not in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.slow
def test_processes_write_the_same_bytes_and_to_an_address(job: PartsJob, expected: list[bytes]) -> None:
    there = replace(job, output=Path(job.output).as_uri())
    found = list(predict_parts(there, workers=2))
    assert sorted(p.part for p in found) == parts_of(job.folder)
    assert outputs(job) == expected


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (None, "Ray cannot be started on this machine: too slow"),
        ("auto", "The Ray cluster auto cannot be reached: too"),
    ],
)
def test_a_ray_that_does_not_start_is_told_in_one_line(
    job: PartsJob, monkeypatch: pytest.MonkeyPatch, address: str | None, said: str
) -> None:
    def init(**settings: object) -> None:
        raise Exception("too slow")  # as Ray does

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))
    with pytest.raises(EncoderError, match=said):
        list(predict_parts(job, engine="ray", address=address))


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_a_cluster_that_nobody_answers_for_is_told_before_ray_is_asked(
    job: PartsJob, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())  # asked for anything, it fails otherwise
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = form.format(closed.getsockname()[1])
        with pytest.raises(EncoderError, match=rf"The Ray cluster {address} cannot be reached .*: see that it runs"):
            list(predict_parts(job, engine="ray", address=address))


@pytest.mark.parametrize("address", ["ray://there:70000", "::1:6379", "ray://::1:10001"])
def test_an_address_of_ray_with_a_wrong_port_is_told(
    job: PartsJob, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    with pytest.raises(EncoderError, match=r"is no address of a Ray cluster .*write host:port, .*\[::1\]:6379\.$"):
        list(predict_parts(job, engine="ray", address=address))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own: deprecated settings, sockets that it leaves to the garbage collector
def test_ray_writes_the_same_bytes_and_goes_on_where_a_run_ended(job: PartsJob, expected: list[bytes]) -> None:
    pytest.importorskip("ray")
    there = replace(job, folder=Path(job.folder).as_uri())
    folder_at(job.output).begin(DONE)
    parts = parts_of(there.folder)
    PartPredictor(there).predict(parts[0])  # what a run that was killed had done
    found = {part.part: part for part in predict_parts(there, engine="ray", workers=1)}
    assert [found[part].resumed for part in parts] == [True, False, False]
    assert outputs(job) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Spark's own
def test_the_recipe_for_spark_writes_the_same_bytes(
    job: PartsJob, expected: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = pytest.importorskip("pyspark.sql")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)  # not whichever python3 comes first on the path
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    text = (Path(__file__).resolve().parents[2] / "docs" / "bigger.md").read_text("utf-8")
    recipe = text.partition("<!-- spark -->\n```python\n")[2].partition("```")[0]
    folder_at(job.output).begin(DONE)
    spark = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    names = {"spark": spark, "job": job}
    try:
        exec(recipe, names)
    finally:
        spark.stop()
    results = names["results"]
    assert sorted((r["part"], r["posts"], r["error"]) for r in results) == [
        (part, 2, "") for part in parts_of(job.folder)
    ]
    assert outputs(job) == expected
