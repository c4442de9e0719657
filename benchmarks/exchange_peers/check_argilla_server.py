"""Argilla records through the server's own validators: dataset, questions, and each record with its suggestions and responses.

Run with the server's own Python: python check_argilla_server.py FOLDER (made by `benchmarks.exchange_peers.make`). No server runs:
the validators get a database in memory that holds the dataset and its users.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HOME = tempfile.mkdtemp()
os.environ.setdefault("ARGILLA_HOME_PATH", _HOME)

from argilla_server._version import __version__  # noqa: E402
from argilla_server.api.schemas.v1.questions import QuestionCreate  # noqa: E402
from argilla_server.api.schemas.v1.records import RecordCreate  # noqa: E402
from argilla_server.contexts import accounts, questions  # noqa: E402
from argilla_server.models import Dataset, Field, Question, User  # noqa: E402
from argilla_server.models.base import DatabaseModel  # noqa: E402
from argilla_server.validators.records import RecordCreateValidator  # noqa: E402
from sqlalchemy import select  # noqa: E402
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine  # noqa: E402
from sqlalchemy.orm import selectinload  # noqa: E402


async def a_dataset(db: AsyncSession, settings: dict[str, Any], people: dict[str, str]) -> Dataset:
    """The dataset that the settings beside the records describe, and the people who answered."""
    workspace = await accounts.create_workspace(db, {"name": "check"})
    for user_id, name in people.items():
        attributes = {"username": name, "first_name": name, "password": "for this check", "role": "annotator"}
        await User.create(
            db, id=uuid.UUID(user_id), password_hash="-", api_key=name, **_without(attributes, "password")
        )
    made = await Dataset.create(
        db,
        name="check",
        workspace_id=workspace.id,
        allow_extra_metadata=True,
        status="draft",
        distribution={"strategy": "overlap", "min_submitted": 1},
    )
    for field in settings["fields"]:
        await Field.create(
            db,
            name=field["name"],
            title=field["name"],
            required=True,
            settings={"type": field["type"], "use_markdown": False},
            dataset_id=made.id,
        )
    made = await loaded(db, made.id)
    for question in settings["questions"]:
        await questions.create_question(db, made, QuestionCreate.model_validate(created(question)))
    return await loaded(db, made.id)


def created(question: dict[str, Any]) -> dict[str, Any]:
    """A question of our settings file as the server's API takes it (the SDK makes the same of it)."""
    options = [{"value": label, "text": label} for label in question["labels"]]
    settings = {"type": question["type"], "field": question["field"], "options": options}
    settings["allow_overlapping"] = question["allow_overlapping"]
    return {
        "name": question["name"],
        "title": question["title"],
        "required": question["required"],
        "settings": settings,
    }


async def loaded(db: AsyncSession, dataset_id: uuid.UUID) -> Dataset:
    wanted = (Dataset.fields, Dataset.questions, Dataset.metadata_properties, Dataset.vectors_settings)
    query = select(Dataset).filter_by(id=dataset_id).options(*map(selectinload, wanted))
    found: Dataset = (await db.execute(query.execution_options(populate_existing=True))).scalar_one()
    return found


def record_of(item: dict[str, Any], by_name: dict[str, Question]) -> RecordCreate:
    """One of our lines as the server's API takes it: suggestions name a question's id, each person has one response."""
    values: dict[str, dict[str, Any]] = {}
    for name, given in item["responses"].items():
        for response in given:
            values.setdefault(response["user_id"], {})[name] = {"value": response["value"]}
    return RecordCreate.model_validate(
        {
            "external_id": item["id"],
            "fields": item["fields"],
            "metadata": item["metadata"],
            "suggestions": [{"question_id": by_name[n].id, **s} for n, s in item["suggestions"].items()],
            "responses": [{"user_id": u, "values": v, "status": "submitted"} for u, v in values.items()],
        }
    )


def spans_of(record: RecordCreate) -> Iterator[tuple[str, str, int, int, str]]:
    text = record.fields["text"]
    for response in record.responses or []:
        for answer in (response.values or {}).values():
            for span in answer.value:
                yield record.external_id, span.label, span.start, span.end, text[span.start : span.end]


async def main(folder: Path) -> None:
    settings = json.loads((folder / "argilla.settings.json").read_text("utf-8"))
    items = [json.loads(line) for line in (folder / "argilla.jsonl").read_text("utf-8").split("\n") if line]
    people = {u: n for item in items for u, n in json.loads(item["metadata"].get("reviewers", "{}")).items()}
    truth = {tuple(row) for row in json.loads((folder / "truth.json").read_text("utf-8"))}
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.begin() as connection:
        await connection.run_sync(DatabaseModel.metadata.create_all)
    async with AsyncSession(engine, expire_on_commit=False) as db:
        dataset = await a_dataset(db, settings, people)
        by_name = {q.name: q for q in dataset.questions}
        for item in items:
            record = record_of(item, by_name)
            await RecordCreateValidator.validate(record, dataset)
            truth -= set(spans_of(record))
    assert not truth, "spans are missing"
    await engine.dispose()
    print(json.dumps({"argilla-server": __version__, "records": len(items), "questions": len(by_name)}))


def _without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in values.items() if k != name}


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
