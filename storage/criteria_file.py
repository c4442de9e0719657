"""Criteria sets from files: YAML, JSON, JSON Lines and CSV, with errors that name the row. Also writes YAML."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.records import Criterion, EvidenceError, InvalidRecord

FIELDS = ("id", "name", "text", "guideline")


class CriteriaInvalid(EvidenceError, ValueError):
    """A criteria file that cannot be used; the text names the file and the row."""


def read_criteria(path: Path) -> list[Criterion]:
    """The criteria of a file, in its order. Raises CriteriaInvalid.

    YAML and JSON: a list of {id, name, text, guideline}, or {"criteria": [...]}. JSONL: one such object a line.
    CSV: these columns, with a header. `name` and `guideline` may be missing.
    """
    name = path.name
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise CriteriaInvalid(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise CriteriaInvalid(f"{name} is not UTF-8 text. Save it as UTF-8 and try again.") from error
    parse = {
        ".yaml": _parse_yaml,
        ".yml": _parse_yaml,
        ".json": _parse_json,
        ".jsonl": _parse_jsonl,
        ".csv": _parse_csv,
    }
    if path.suffix.lower() not in parse:
        raise CriteriaInvalid(f"{name}: criteria are read from .yaml, .json, .jsonl and .csv files.")
    return _criteria_from(parse[path.suffix.lower()](text, name), name)


def criteria_of_text(text: str, name: str) -> list[Criterion]:
    """The criteria of YAML text; `name` stands for the file in errors. Raises CriteriaInvalid."""
    return _criteria_from(_parse_yaml(text, name), name)


def write_criteria(criteria: Sequence[Criterion]) -> str:
    """The criteria as YAML that `read_criteria` reads back."""
    import yaml

    rows = [{"id": c.id, "name": c.name, "text": c.text, "guideline": c.guideline} for c in criteria]
    return str(yaml.safe_dump(rows, sort_keys=False, allow_unicode=True, width=120))


def _criteria_from(rows: Any, name: str) -> list[Criterion]:
    if isinstance(rows, Mapping):
        rows = rows.get("criteria")
    if not isinstance(rows, list) or not rows:
        raise CriteriaInvalid(f"{name} holds no list of criteria; each needs at least an id and a text.")
    criteria = [_criterion(row, position, f"{name}, criterion {position + 1}") for position, row in enumerate(rows)]
    seen: set[str] = set()
    for criterion in criteria:
        if criterion.id in seen:
            raise CriteriaInvalid(f"{name}: the id {criterion.id} stands there twice.")
        seen.add(criterion.id)
    return criteria


def _criterion(row: Any, position: int, where: str) -> Criterion:
    if not isinstance(row, Mapping):
        raise CriteriaInvalid(f"{where}: expected fields {', '.join(FIELDS)}, found {type(row).__name__}.")
    given = {key: _text(row.get(key), f"{where}, {key}") for key in FIELDS}
    if not given["id"] or not given["text"]:
        raise CriteriaInvalid(f"{where} lacks its {'text' if given['id'] else 'id'}.")
    try:
        return Criterion(
            given["id"], given["name"] or given["id"], given["text"], given["guideline"], position=position
        )
    except InvalidRecord as error:
        raise CriteriaInvalid(f"{where}: {error}") from error


def _text(value: Any, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise CriteriaInvalid(f"{where} must be text, not {type(value).__name__}.")
    text = str(value).strip()
    if "\x00" in text:
        raise CriteriaInvalid(f"{where} holds a NUL character.")
    return text


def _parse_yaml(text: str, name: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark is not None else ""
        raise CriteriaInvalid(f"{name} is not valid YAML{line}.") from error


def _parse_json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise CriteriaInvalid(f"{name} is not valid JSON: {error.msg} in line {error.lineno}.") from error


def _parse_jsonl(text: str, name: str) -> Any:
    return [_parse_json(line, f"{name}, line {n}") for n, line in enumerate(text.splitlines(), 1) if line.strip()]


def _parse_csv(text: str, name: str) -> Any:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    missing = {"id", "text"} - set(rows.fieldnames or ())
    if missing:
        raise CriteriaInvalid(
            f"{name} lacks the column {', '.join(sorted(missing))}; its columns are {', '.join(rows.fieldnames or ()) or 'none'}."
        )
    return list(rows)
