"""Argilla's records, nested and flattened, of version 2 and 1: each label its own, only what was submitted, each person's and model's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from storage.formats.rows import ImportRow, LabelKind
from tests.storage.formats.reading import FOOD, SLEEP, TEXT, left_out, one, said, write_lines

S, F = "SLEEP_ISSUES", "ANHEDONIA"
BOTH = {S: ("evidence", [SLEEP]), F: ("evidence", [FOOD])}
ANA, BEN = "6d8c6a30-5d8e-5a3e-9a53-1c5f3a1c7e10", "6d8c6a30-5d8e-5a3e-9a53-1c5f3a1c7e11"


def span(words: str, label: str) -> dict[str, Any]:
    return {"start": TEXT.index(words), "end": TEXT.index(words) + len(words), "label": label}


def whose(row: ImportRow) -> list[tuple[str, str | None, LabelKind]]:
    """(label, person or model, kind) of what is taken."""
    return [(la.criterion, la.annotator or la.model_version, la.kind) for la in row.labels if not la.left_out]


WANTED = [("SLEEP_ISSUES", ANA, LabelKind.ANSWER), ("ANHEDONIA", "m1", LabelKind.PREDICTION)]


def flattened() -> dict[str, Any]:
    return {
        "id": "r1", "status": "completed", "text": TEXT,
        "q.responses": [[span(SLEEP, "SLEEP_ISSUES")], [span(FOOD, "ANHEDONIA")]],
        "q.responses.users": [ANA, BEN], "q.responses.status": ["submitted", "discarded"],
        "q.suggestion": [span(FOOD, "ANHEDONIA")], "q.suggestion.agent": "m1", "q.suggestion.score": [0.8],
        "rating.responses": [3], "rating.responses.users": [ANA], "rating.responses.status": ["submitted"],
    }  # fmt: skip


def test_records_in_columns_of_a_dataset(tmp_path: Path) -> None:
    row = one(write_lines(tmp_path / "in.jsonl", flattened()))
    assert whose(row) == WANTED
    assert left_out(row)["ANHEDONIA"] == "its response was not submitted (status: discarded)"
    assert row.meta == {"status": "completed", "rating": [{"value": 3, "by": ANA}]}


def test_records_in_columns_of_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([flattened()]), tmp_path / "in.parquet")
    assert whose(one(tmp_path / "in.parquet")) == WANTED


def test_a_feedback_dataset_of_version_1(tmp_path: Path) -> None:
    responses = [{"user_id": ANA, "value": [span(SLEEP, "SLEEP_ISSUES")], "status": "submitted"},
                 {"user_id": BEN, "value": [span(FOOD, "ANHEDONIA")], "status": "draft"}]  # fmt: skip
    about = {"type": None, "score": 0.9, "agent": "m1"}
    item = {"text": TEXT, "q": responses, "q-suggestion": [span(FOOD, "ANHEDONIA")], "q-suggestion-metadata": about}
    row = one(write_lines(tmp_path / "in.jsonl", item))
    assert whose(row) == WANTED
    assert "draft" in left_out(row)["ANHEDONIA"]


def test_token_classification_of_version_1(tmp_path: Path) -> None:
    item = {"id": "1", "text": TEXT, "annotation": [["SLEEP_ISSUES", 0, 23]], "annotation_agent": ANA, "status": "Validated",
            "prediction": [["ANHEDONIA", 24, 42, 0.9]], "prediction_agent": "m1"}  # fmt: skip
    assert whose(one(write_lines(tmp_path / "in.jsonl", item))) == WANTED
    row = one(write_lines(tmp_path / "in.jsonl", item | {"status": "Discarded"}))
    assert whose(row) == WANTED[1:]
    assert left_out(row) == {"SLEEP_ISSUES": "marked status: Discarded"}


@pytest.mark.parametrize("flat", [False, True])
def test_as_argillas_own_code_writes_its_records(flat: bool, tmp_path: Path) -> None:
    argilla = pytest.importorskip("argilla")
    from argilla.records._io import GenericIO

    response = argilla.Response("q", [span(SLEEP, "SLEEP_ISSUES")], user_id=ANA, status="submitted")
    suggestion = argilla.Suggestion("q", [span(FOOD, "ANHEDONIA")], score=[0.5], agent="m1")
    record = argilla.Record(
        fields={"text": TEXT}, metadata={"origin": "x"}, responses=[response], suggestions=[suggestion], id="r1"
    )
    items = GenericIO.to_list([record], flatten=flat)
    row = one(write_lines(tmp_path / "in.jsonl", *json.loads(json.dumps(items, default=str))))
    assert (row.post_id, row.text, whose(row)) == ("r1", TEXT, WANTED)
    assert row.meta["origin"] == "x"


@pytest.mark.parametrize("version", [1, 2])
def test_argilla_takes_each_label_and_keeps_other_answers(version: int, tmp_path: Path) -> None:
    spans = [{"start": 0, "end": 23, "label": S}, {"start": 24, "end": 42, "label": F}]
    answers: Any = {"marks": spans, "severity": 3, "remark": "look again"}
    if version == 2:
        responses: Any = {q: [{"value": v, "user_id": "u1", "status": "submitted"}] for q, v in answers.items()}
        responses["later"] = [{"value": spans[:1], "user_id": "u2", "status": "draft"}]
        responses["none"] = [{"value": [], "user_id": "u2", "status": "submitted"}]
    else:
        responses = [{"user_id": "u1", "status": "submitted", "values": {q: {"value": v} for q, v in answers.items()}}]
    row = one(write_lines(tmp_path / "in.jsonl", {"id": "a", "fields": {"text": TEXT}, "responses": responses}))
    assert said(row) == BOTH
    assert row.meta == {"severity": [{"value": 3, "by": "u1"}], "remark": [{"value": "look again", "by": "u1"}]}
    if version == 2:
        assert left_out(row)["none"] == "an empty response says nothing of a label"
        assert left_out(row)[S] == "its response was not submitted (status: draft)"


@pytest.mark.parametrize("beside", [True, False])
def test_of_several_fields_the_spans_field_is_the_text_and_vectors_cost_nothing(beside: bool, tmp_path: Path) -> None:
    fields = {
        "post": TEXT,
        "reply": "Have you tried reading for a very long while, until at last you fall asleep on it?",
    }
    value = [span(FOOD, F)] if not beside else [{"start": 0, "end": 1, "label": F}]
    item = {
        "id": "r1",
        "fields": fields,
        "vectors": {"v": [0.1, 0.2]},
        "responses": {"q": [{"value": value, "user_id": ANA}]},
    }
    if beside:
        question = {"name": "q", "settings": {"type": "span", "field": "post"}}
        (tmp_path / "settings.json").write_text(json.dumps({"questions": [question]}), "utf-8")
    row = one(write_lines(tmp_path / "in.jsonl", item))
    assert (row.text, row.meta) == (TEXT, {"reply": fields["reply"], "vectors": {"v": [0.1, 0.2]}})
