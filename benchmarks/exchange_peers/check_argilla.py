"""Argilla records through its SDK: each becomes an `argilla.Record` with its suggestions and responses.

Run with Argilla's own Python: python check_argilla.py FOLDER (made by `benchmarks.exchange_peers.make`).
"""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path

import argilla as rg


def main(folder: Path) -> None:
    settings = json.loads((folder / "argilla.settings.json").read_text("utf-8"))
    questions = {q["name"] for q in settings["questions"]}  # the SDK makes question objects only with a server at hand
    truth = {tuple(row[:4]): row[4] for row in json.loads((folder / "truth.json").read_text("utf-8"))}
    count = 0
    for line in (folder / "argilla.jsonl").read_text("utf-8").split("\n"):
        if not line:
            continue
        item = json.loads(line)
        assert {*item["responses"], *item["suggestions"]} <= questions
        record = rg.Record(
            id=item["id"],
            fields=item["fields"],
            metadata=item["metadata"],
            suggestions=[
                rg.Suggestion(question_name=name, value=s["value"], score=s["score"], agent=s["agent"])
                for name, s in item["suggestions"].items()
            ],
            responses=[
                rg.Response(question_name=name, value=r["value"], user_id=uuid.UUID(r["user_id"]))
                for name, given in item["responses"].items()
                for r in given
            ],
        )
        count += 1
        for response in record.responses:
            for span in response.value:
                quote = truth.pop((item["id"], span["label"], span["start"], span["end"]))
                assert record.fields["text"][span["start"] : span["end"]] == quote
        told = record.to_dict()
        assert (told["id"], told["fields"]) == (item["id"], item["fields"])
        assert told["suggestions"].keys() == item["suggestions"].keys()
    assert not truth, "spans are missing"
    print(json.dumps({"argilla": rg.__version__, "records": count}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
