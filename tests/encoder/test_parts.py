"""A folder of files: the same bytes on every engine, however often it was stopped, and a bad file holds up nobody."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from encoder.bulk import Reading, predict_posts, read_posts
from encoder.errors import EncoderError
from encoder.parts import PartPredictor, PartsJob, output_of, parts_of, predict_parts
from encoder.predict import Predictor
from storage.records import Criterion

CRITERIA = (Criterion("SLEEP_ISSUES", "Sleep", "The writer cannot sleep."),)
MODEL = "demo"


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
def job(tmp_path: Path) -> PartsJob:
    return PartsJob(str(tmp_path / "out"), MODEL, MODEL, CRITERIA, device="cpu", threads=1, threshold=0.2)


def outputs(job: PartsJob, folder: Path) -> list[bytes]:
    return [output_of(Path(job.output), part).read_bytes() for part in parts_of(folder)]


@pytest.fixture
def expected(folder: Path, job: PartsJob, tmp_path: Path) -> list[bytes]:
    """What predicting each file by itself gives."""
    predictor = Predictor.load(MODEL, version=MODEL, device="cpu", threads=1)
    found = []
    for part in parts_of(folder):
        predict_posts(
            read_posts(part), CRITERIA, predictor, tmp_path / "one.jsonl", reading=Reading(threshold=job.threshold)
        )
        found.append((tmp_path / "one.jsonl").read_bytes())
    assert b'"start"' in found[0]
    return found


def test_a_worker_writes_the_bytes_that_each_file_gives_by_itself_and_does_none_twice(
    folder: Path, job: PartsJob, expected: list[bytes]
) -> None:
    (Path(job.output) / ".done").mkdir(parents=True)
    worker = PartPredictor(job)
    first = worker({"part": [str(part) for part in parts_of(folder)]})
    assert (first["part"], first["posts"], first["error"]) == ([p.name for p in parts_of(folder)], [2, 2, 2], [""] * 3)
    assert outputs(job, folder) == expected
    again = PartPredictor(replace(job, model="no such model"))({"part": [str(p) for p in parts_of(folder)]})
    assert (again["resumed"], again["error"], again["posts"]) == ([True] * 3, [""] * 3, [2, 2, 2])


def test_a_part_is_done_anew_when_it_or_the_question_has_changed(folder: Path, job: PartsJob) -> None:
    (Path(job.output) / ".done").mkdir(parents=True)
    part, worker = parts_of(folder)[0], PartPredictor(job)
    worker.predict(part)
    with part.open("a", encoding="utf-8") as file:
        file.write('{"post_id": "more", "text": "Awake again."}\n')
    assert (worker.predict(part).posts, worker.predict(part).resumed) == (3, True)
    other = PartPredictor(replace(job, threshold=0.9))
    assert other.predict(part).resumed is False


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_done(folder: Path, job: PartsJob) -> None:
    (folder / "part-1.parquet").write_bytes(b"no parquet")
    (Path(job.output) / ".done").mkdir(parents=True)
    found = PartPredictor(job)({"part": [str(p) for p in parts_of(folder)]})
    assert [bool(error) for error in found["error"]] == [False, False, True, False]
    assert "part-1.parquet" in found["error"][2]


def test_a_folder_without_files_of_posts_says_so(tmp_path: Path, job: PartsJob) -> None:
    with pytest.raises(EncoderError, match="holds no file of posts"):
        list(predict_parts(tmp_path, job))


@pytest.mark.slow
def test_processes_write_the_same_bytes(folder: Path, job: PartsJob, expected: list[bytes]) -> None:
    found = list(predict_parts(folder, job, workers=2))
    assert sorted(p.part for p in found) == [p.name for p in parts_of(folder)]
    assert outputs(job, folder) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own: deprecated settings, sockets that it leaves to the garbage collector
def test_ray_writes_the_same_bytes_and_goes_on_where_a_run_ended(
    folder: Path, job: PartsJob, expected: list[bytes]
) -> None:
    pytest.importorskip("ray")
    (Path(job.output) / ".done").mkdir(parents=True)
    PartPredictor(job).predict(parts_of(folder)[0])  # what a run that was killed had done
    found = {part.part: part for part in predict_parts(folder, job, engine="ray", workers=1)}
    assert [found[p.name].resumed for p in parts_of(folder)] == [True, False, False]
    assert outputs(job, folder) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Spark's own
def test_the_recipe_for_spark_writes_the_same_bytes(folder: Path, job: PartsJob, expected: list[bytes]) -> None:
    sql = pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    text = (Path(__file__).resolve().parents[2] / "docs" / "bigger.md").read_text("utf-8")
    recipe = text.partition("<!-- spark -->\n```python\n")[2].partition("```")[0]
    (Path(job.output) / ".done").mkdir(parents=True)
    spark = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    names = {"spark": spark, "job": job, "folder": folder}
    try:
        exec(recipe, names)
    finally:
        spark.stop()
    results = names["results"]
    assert sorted((r["part"], r["posts"], r["error"]) for r in results) == [(p.name, 2, "") for p in parts_of(folder)]
    assert outputs(job, folder) == expected
