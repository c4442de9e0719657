"""UIMA CAS, as XMI and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storage.formats.rows import FormatError
from tests.storage.formats.reading import FOOD, SLEEP, TEXT, one, rows, said

S, F = "SLEEP_ISSUES", "ANHEDONIA"
BOTH = {S: ("evidence", [SLEEP]), F: ("evidence", [FOOD])}


def cas_document() -> Any:
    import cassis

    types = cassis.TypeSystem()
    kind = types.create_type("custom.Evidence", supertypeName="uima.tcas.Annotation")
    types.create_feature(domainType=kind, name="label", rangeType="uima.cas.String")
    cas = cassis.Cas(types)
    cas.sofa_string = f"😭 {TEXT}"
    cas.sofa_mime = "text/plain"
    for start, end, label in ((2, 25, S), (26, 44, F)):
        cas.add(kind(begin=start, end=end, label=label))
    return cas, types


def test_a_cas_that_the_library_writes_is_read_back(tmp_path: Path) -> None:
    cas, types = cas_document()
    cas.to_json(tmp_path / "doc.json")
    (tmp_path / "xmi").mkdir()
    cas.to_xmi(tmp_path / "xmi" / "doc.xmi")
    types.to_xml(tmp_path / "xmi" / "TypeSystem.xml")
    for path in (tmp_path / "doc.json", tmp_path / "xmi", tmp_path / "xmi" / "doc.xmi"):
        row = one(path)
        assert (row.text, said(row)) == (f"😭 {TEXT}", BOTH)


def test_a_cas_without_its_types_or_with_entities_is_refused(tmp_path: Path) -> None:
    cas, _ = cas_document()
    cas.to_xmi(tmp_path / "doc.xmi")
    with pytest.raises(FormatError, match="needs its type system"):
        rows(tmp_path / "doc.xmi")
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    (tmp_path / "TypeSystem.xml").write_text(bomb, "utf-8")
    with pytest.raises(FormatError, match="defines XML entities"):
        rows(tmp_path / "doc.xmi")
