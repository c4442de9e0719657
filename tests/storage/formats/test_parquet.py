"""Parquet: numbers of classes become their names wherever they stand, lists beside each other become labels."""

from __future__ import annotations

from pathlib import Path

from tests.storage.formats.reading import (
    FOOD,
    SLEEP,
    TEXT,
    one,
    said,
)


def test_class_names_deep_in_the_features(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, List, Value

    span = {"start": Value("int64"), "end": Value("int64"), "label": ClassLabel(names=["ANHEDONIA", "SLEEP_ISSUES"])}
    features = Features({"text": Value("string"), "spans": List(span), "tags": List(ClassLabel(names=["joy", "fear"]))})
    made = {"text": [TEXT], "spans": [[{"start": 0, "end": 23, "label": 1}]], "tags": [[1, 0]]}
    Dataset.from_dict(made, features=features).to_parquet(str(tmp_path / "in.parquet"))
    row = one(tmp_path / "in.parquet")
    assert said(row) == {"SLEEP_ISSUES": ("evidence", [SLEEP])}
    assert dict(row.meta) == {"tags": ["fear", "joy"]}


def test_lists_beside_each_other_are_labels(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = pa.struct([("start", pa.list_(pa.int64())), ("end", pa.list_(pa.int64())), ("label", pa.list_(pa.string()))])
    spans = pa.array([{"start": [0, 24], "end": [23, 42], "label": ["SLEEP_ISSUES", "ANHEDONIA"]}], kind)
    pq.write_table(pa.table({"id": ["1"], "text": [TEXT], "entities": spans}), tmp_path / "in.parquet")
    assert said(one(tmp_path / "in.parquet")) == {
        "SLEEP_ISSUES": ("evidence", [SLEEP]),
        "ANHEDONIA": ("evidence", [FOOD]),
    }
