"""Rows and files for the tests of imports and exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from storage.store import Store


def jsonl(path: Path, *rows: Any) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def gold(post_id: str, text: str, *annotations: dict[str, Any]) -> dict[str, Any]:
    return {"post_id": post_id, "text": text, "annotations": list(annotations)}


def evidence(start: int, end: int, criterion: str = "SLEEP_ISSUES") -> dict[str, Any]:
    return {"criterion": criterion, "verdict": "evidence", "spans": [{"start": start, "end": end}]}


def post_ids(store: Store) -> list[str]:
    return [p.id for p in store.iter_posts()]
