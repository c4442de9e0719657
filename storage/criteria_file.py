"""Criteria sets from files: YAML, JSON, JSON Lines and CSV, with errors that name the row. Also writes YAML.

YAML and JSON may hold an `about` and an `attributes` part beside the `criteria`: see `storage.records.About`, `storage.attributes`.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.attributes import Attributes, CriteriaSet, attributes_from, attributes_wire
from storage.records import About, Criterion, EvidenceError, InvalidRecord, has_unpaired_surrogate

FIELDS = ("id", "name", "text", "guideline", "examples", "counterexamples")
PASSAGE_FIELDS = ("examples", "counterexamples")
LARGEST_BYTES = 4 << 20
ABOUT_FIELDS = tuple(field.name for field in dataclasses.fields(About))


class CriteriaInvalid(EvidenceError, ValueError):
    """A criteria file that cannot be used; the text names the file and the row."""


def read_criteria(path: Path) -> list[Criterion]:
    """The criteria of a file, in its order. Raises CriteriaInvalid."""
    return list(read_criteria_set(path).criteria)


def read_criteria_set(path: Path) -> CriteriaSet:
    """The criteria of a file, in its order, and what it says of them. Raises CriteriaInvalid.

    YAML and JSON: a list of {id, name, text, guideline, examples, counterexamples}, or {"about": {...}, "attributes": {...}, "criteria":
    [...]}. JSONL: one such object a line. CSV: these columns, with a header. Only `id` and `text` must be there. `examples` and
    `counterexamples` are lists of passages, or text with one passage a line.
    """
    name = path.name
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise CriteriaInvalid(f"{name} is larger than {LARGEST_BYTES >> 20} MB: it is no file of criteria.")
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
    return _set_from(parse[path.suffix.lower()](text, name), name)


def criteria_set_of_text(text: str, name: str) -> CriteriaSet:
    """The criteria set of YAML text; `name` stands for the file in errors. Raises CriteriaInvalid."""
    return _set_from(_parse_yaml(text, name), name)


def write_criteria(
    criteria: Sequence[Criterion], about: About | None = None, attributes: Attributes | None = None
) -> str:
    """The criteria as YAML that `read_criteria_set` reads back."""
    import yaml

    rows: Any = [wording_wire(c) for c in criteria]
    said = {key: value for key, value in about_wire(about).items() if value} if about else {}
    beside = {"about": said, "attributes": attributes_wire(attributes) if attributes else {}}
    if any(beside.values()):
        rows = {**{key: value for key, value in beside.items() if value}, "criteria": rows}
    return str(yaml.safe_dump(rows, sort_keys=False, allow_unicode=True, width=120))


def wording_wire(criterion: Criterion) -> dict[str, Any]:
    """What a criterion says, as it stands in a file; its examples only where it has some."""
    said = {key: getattr(criterion, key) for key in ("id", "name", "text", "guideline")}
    return said | {key: list(passages) for key in PASSAGE_FIELDS if (passages := getattr(criterion, key))}


def passages_from(given: Any, where: str) -> tuple[str, ...]:
    """Passages given as a list of texts or as text with one a line, each once. Raises CriteriaInvalid."""
    lines = given.splitlines() if isinstance(given, str) else given or ()
    if not isinstance(lines, list | tuple):
        raise CriteriaInvalid(f"{where} must be a list of passages, not {type(given).__name__}.")
    found = [" ".join(_text(line, where).split()) for line in lines]
    return tuple(dict.fromkeys(passage for passage in found if passage))


def about_wire(about: About) -> dict[str, Any]:
    """As it stands in a file and in the store."""
    return {**dataclasses.asdict(about), "one_by_one": list(about.one_by_one)}


def about_from(given: Any, where: str) -> About:
    """What an `about` part says; nothing of a file that has none. Raises CriteriaInvalid."""
    if given is None:
        return About()
    if not isinstance(given, Mapping) or (unknown := set(given) - set(ABOUT_FIELDS)):
        what = type(given).__name__ if not isinstance(given, Mapping) else ", ".join(sorted(map(str, unknown)))
        raise CriteriaInvalid(f"{where}: about holds {', '.join(ABOUT_FIELDS)}; found {what}.")
    ids = given.get("one_by_one") or ()
    if not isinstance(ids, list | tuple) or not all(isinstance(found, str) for found in ids):
        raise CriteriaInvalid(f"{where}: one_by_one in about is a list of criterion ids.")
    texts = {key: _text(given.get(key), f"{where}, about, {key}") for key in ABOUT_FIELDS if key != "one_by_one"}
    if texts["crisis_url"] and not texts["crisis_url"].startswith(("https://", "http://")):
        raise CriteriaInvalid(f"{where}: crisis_url in about is not a web address.")
    return About(**texts, one_by_one=tuple(ids))


def _set_from(rows: Any, name: str) -> CriteriaSet:
    about = about_from(rows.get("about") if isinstance(rows, Mapping) else None, name)
    criteria = _criteria_from(rows, name)
    if unknown := set(about.one_by_one) - {c.id for c in criteria}:
        raise CriteriaInvalid(f"{name}: one_by_one in about names {', '.join(sorted(unknown))}, which is no criterion.")
    try:
        given = (
            attributes_from(rows["attributes"], name) if isinstance(rows, Mapping) and "attributes" in rows else None
        )
    except InvalidRecord as error:
        raise CriteriaInvalid(str(error)) from error
    return CriteriaSet(tuple(criteria), about, given)


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
    given = {key: _text(row.get(key), f"{where}, {key}") for key in FIELDS if key not in PASSAGE_FIELDS}
    examples, counterexamples = (passages_from(row.get(key), f"{where}, {key}") for key in PASSAGE_FIELDS)
    if not given["id"] or not given["text"]:
        raise CriteriaInvalid(f"{where} lacks its {'text' if given['id'] else 'id'}.")
    try:
        return Criterion(
            given["id"],
            given["name"] or given["id"],
            given["text"],
            given["guideline"],
            position=position,
            examples=examples,
            counterexamples=counterexamples,
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
    if has_unpaired_surrogate(text):
        raise CriteriaInvalid(f"{where} holds half a character (an unpaired surrogate).")
    return text


def _parse_yaml(text: str, name: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark is not None else ""
        raise CriteriaInvalid(f"{name} is not valid YAML{line}.") from error
    except (RecursionError, ValueError) as error:  # nested too deeply; a date or a number that there is not
        raise CriteriaInvalid(f"{name} cannot be read as YAML ({type(error).__name__}).") from error


def _parse_json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise CriteriaInvalid(f"{name} is not valid JSON: {error.msg} in line {error.lineno}.") from error
    except (RecursionError, ValueError) as error:
        raise CriteriaInvalid(f"{name} cannot be read as JSON ({type(error).__name__}).") from error


def _parse_jsonl(text: str, name: str) -> Any:
    return [_parse_json(line, f"{name}, line {n}") for n, line in enumerate(text.splitlines(), 1) if line.strip()]


def _parse_csv(text: str, name: str) -> Any:
    try:
        return _csv_rows(text, name)
    except csv.Error as error:  # a field beyond any length, as an open quote makes one
        raise CriteriaInvalid(f"{name} is not valid CSV: {error}.") from error


def _csv_rows(text: str, name: str) -> list[dict[str, Any]]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    missing = {"id", "text"} - set(rows.fieldnames or ())
    if missing:
        raise CriteriaInvalid(
            f"{name} lacks the column {', '.join(sorted(missing))}; its columns are {', '.join(rows.fieldnames or ()) or 'none'}."
        )
    return list(rows)
