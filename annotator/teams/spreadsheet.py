"""A team's report as CSV: every figure a line of its own, so that any program can pivot it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from storage.formats.delimited import guard

COLUMNS = ("table", "of", "with", "period", "figure", "value", "low", "high", "units", "reason")
NAMES = ("person", "name", "what", "one", "other", "period", "suggestions")
Line = dict[str, Any]


def of_report(report: dict[str, Any]) -> str:
    """The report of `annotator.teams.reports` as CSV text. Cells that a spreadsheet would take for a formula are quoted."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for line in _lines(report):
        writer.writerow({key: guard(value) if isinstance(value, str) else value for key, value in line.items()})
    return text.getvalue()


def of_passages(rows: Iterable[dict[str, Any]]) -> str:
    """The passages of `annotator.teams.measuring.passages_mixed_up` as CSV text: a line for each, with what both marked."""
    text = io.StringIO()
    keys = ("person", "criterion", "start", "end", "words")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["post", *(f"{key}_{n}" for n in (1, 2) for key in keys)])
    for row in rows:
        cells = [row["post"], *(mark[key] for mark in row["marks"] for key in keys)]
        writer.writerow([guard(cell) if isinstance(cell, str) else cell for cell in cells])
    return text.getvalue()


def _lines(report: dict[str, Any]) -> Iterator[Line]:
    for row in report["people"]:
        yield from _flat({"table": "people", "of": row["person"]}, row)
    for row in report["arms"]:
        yield from _flat({"table": "with and without suggestions", "of": row["suggestions"]}, row)
    for row in report["criteria"]:
        yield from _flat({"table": "criteria", "of": row["criterion"]}, row)
    tables = report["agreement"]
    for row in tables["criteria"]:
        yield from _flat({"table": "agreement by criterion", "of": row["name"]}, row)
    for row in tables["pairs"]:
        yield from _flat({"table": "agreement by pair", "of": row["one"], "with": row["other"]}, row)
    for row in tables["rounds"]:
        yield from _flat({"table": "agreement by round", "of": row["name"]}, row)
    for row in tables["periods"]:
        yield from _flat({"table": "agreement over time", "of": row["name"], "period": row["period"]}, row)
    for row in tables["falls"]:
        yield from _flat({"table": "change of agreement", "of": row["name"]}, row)
    for row in tables["attributes"]:
        yield from _flat({"table": "agreement on what is said beside", "of": f"{row['what']} {row['name']}"}, row)
    for one, other, times in tables["confusions"]:
        yield {"table": "passages marked for two criteria", "of": one, "with": other, "figure": "times", "value": times}


def _flat(head: Line, row: dict[str, Any], path: str = "") -> Iterator[Line]:
    """Each leaf of the row; a figure (value, interval, reason) is one line."""
    for key, value in row.items():
        name = key if key == "figures" or not path else f"{path} {key}"
        if isinstance(value, dict) and "reason" in value and "value" in value:
            yield {**head, "figure": name, **value}
        elif isinstance(value, dict):
            yield from _flat(head, value, "" if key == "figures" else name)
        elif isinstance(value, (int, float, str, type(None))) and key not in NAMES:
            yield {**head, "figure": name, "value": value}
