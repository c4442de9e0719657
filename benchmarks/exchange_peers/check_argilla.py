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
    questions = {
        q["name"]: rg.SpanQuestion(
            name=q["name"],
            field=q["field"],
            labels=q["labels"],
            title=q["title"],
            allow_overlapping=True,
            required=q["required"],
        )
        for q in settings["questions"]
    }
    truth = {tuple(row[:4]): row[4] for row in json.loads((folder / "truth.json").read_text("utf-8"))}
    count = 0
    for line in (folder / "argilla.jsonl").read_text("utf-8").split("\n"):
        if not line:
            continue
        item = json.loads(line)
        assert {*item["responses"], *item["suggestions"]} <= questions.keys()
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
        model = record.api_model()
        count += 1
        for response in model.responses or []:
            for value in response.values.values():
                for span in value["value"]:
                    quote = truth.pop((item["id"], span["label"], span["start"], span["end"]))
                    assert record.fields["text"][span["start"] : span["end"]] == quote
    assert not truth, "spans are missing"
    print(json.dumps({"argilla": rg.__version__, "records": count}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
