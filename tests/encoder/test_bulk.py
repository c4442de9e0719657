"""Predicting a whole file: the same output however often it was stopped and however many processes took part."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from encoder.bulk import BulkResult, Reading, RejectedRow, Share, predict_posts, read_posts
from encoder.errors import EncoderError
from encoder.predict import Predictor
from storage.records import Criterion, Post
from tests.encoder.tiny import CRITERIA, tiny_encoder
from tests.encoder.training_data import SENTENCES, Stop

PART = 4
COUNT = 2 * PART + 3


def predict(posts: Iterable[Post], criteria: Sequence[Criterion], *rest: Any, **options: Any) -> BulkResult:
    how = {name: options.pop(name) for name in ("threshold", "on_part") if name in options}
    return predict_posts(posts, criteria, *rest, reading=Reading(part_posts=PART, **how), **options)


def posts() -> Iterator[Post]:
    for n in range(COUNT):
        yield Post(f"p{n}", f"{SENTENCES[n % 5]} 😴 {SENTENCES[(n * 3) % 5]}")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(tiny_encoder(default_threshold=0.3), "tiny")


@pytest.fixture(scope="module")
def whole(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> str:
    output = tmp_path_factory.mktemp("whole") / "out.jsonl"
    predict(posts(), CRITERIA, predictor, output)
    return output.read_text()


def test_every_post_has_a_line_for_every_criterion_in_order_with_its_quotes(whole: str) -> None:
    rows = [json.loads(line) for line in whole.splitlines()]

    assert [(r["post_id"], r["criterion"]) for r in rows] == [(p.id, c.id) for p in posts() for c in CRITERIA]
    texts = {p.id: p.text for p in posts()}
    spans = [(texts[r["post_id"]][s["start"] : s["end"]], s["text"]) for r in rows for s in r["spans"]]
    assert spans
    assert all(cut == quoted for cut, quoted in spans)


def test_a_stopped_run_goes_on_without_repeating_or_losing_a_post(
    predictor: Predictor, whole: str, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"

    def stop(done: int) -> None:
        raise Stop

    for _ in range(2):
        with pytest.raises(Stop):
            predict(posts(), CRITERIA, predictor, output, on_part=lambda n: stop(n) if n > PART else None)
        assert not output.exists()
    result = predict(posts(), CRITERIA, predictor, output)

    assert output.read_text() == whole
    assert (result.posts, result.resumed) == (COUNT, 2 * PART)
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]


def test_three_processes_write_what_one_does(predictor: Predictor, whole: str, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"

    for process in (2, 1, 0):  # the first one joins the parts, so here it comes last
        predict(posts(), CRITERIA, predictor, output, share=Share(process, 3))

    assert output.read_text() == whole


def test_parts_of_another_run_are_not_mixed_in(predictor: Predictor, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    predict(posts(), CRITERIA, predictor, output, share=Share(1, 2))

    with pytest.raises(EncoderError, match="another model, other criteria or another threshold"):
        predict(posts(), CRITERIA[:1], predictor, output)


def test_posts_that_changed_since_are_predicted_anew(predictor: Predictor, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    predict(posts(), CRITERIA, predictor, output, share=Share(1, 3))

    changed = (Post(p.id, p.text + " New.") for p in posts())
    result = predict(changed, CRITERIA, predictor, output)

    assert result.resumed == 0


def test_rows_that_are_no_posts_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    rows = [{"post_id": "a", "text": "One."}, {"post_id": "a", "text": "Two."}, {"post_id": "b", "text": " "}]
    path.write_text("\n".join(json.dumps(r) for r in rows))

    found = list(read_posts(path))

    assert [type(f) for f in found] == [Post, RejectedRow, RejectedRow]
