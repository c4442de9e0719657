"""Dataset folders as the Hugging Face library writes them."""

from __future__ import annotations

import json
from pathlib import Path

from storage.formats.rows import ImportRow
from tests.storage.formats.reading import FOOD, SLEEP, rows


def test_splits_of_a_dataset_folder_keep_their_ids_apart(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = {"info": {"features": {"label": {"names": ["fine", "low"], "_type": "ClassLabel"}}}}
    for split, text in (("train", SLEEP), ("test", FOOD)):
        table = pa.table({"id": [0], "text": [text], "label": [1]}).replace_schema_metadata(
            {"huggingface": json.dumps(names)}
        )
        pq.write_table(table, tmp_path / f"{split}.parquet")
    found = [(r.post_id, r.part, r.split, r.meta) for r in rows(tmp_path) if isinstance(r, ImportRow)]
    assert found == [("0", "test", "test", {"label": "low"}), ("0", "train", "train", {"label": "low"})]
