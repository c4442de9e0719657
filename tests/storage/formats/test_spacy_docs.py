"""spaCy's binary documents and training pairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.storage.formats.reading import FOOD, SLEEP, TEXT, one, said, write_json, write_lines

S, F = "SLEEP_ISSUES", "ANHEDONIA"
BOTH = {S: ("evidence", [SLEEP]), F: ("evidence", [FOOD])}


def test_docbins_and_training_pairs_are_read(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import DocBin

    doc = spacy.blank("en")(TEXT)
    doc.ents = [doc.char_span(0, 23, S)]
    doc.spans["sc"] = [doc.char_span(24, 42, F)]
    DocBin(docs=[doc]).to_disk(tmp_path / "in.spacy")
    assert said(one(tmp_path / "in.spacy")) == BOTH
    pairs = [[TEXT, {"entities": [[0, 23, S], [24, 42, F]]}]]
    assert said(one(write_json(tmp_path / "in.json", pairs))) == BOTH
    assert said(one(write_lines(tmp_path / "in.jsonl", *pairs))) == BOTH


# --- Reddit, folders, packed files
