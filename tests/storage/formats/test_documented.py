"""docs/formats.md names what the readers go by."""

from __future__ import annotations

from pathlib import Path

from storage.formats.answers import VERDICT_WORDS
from storage.formats.registry import FORMATS
from storage.formats.vocabulary import AFFIRMERS, DISMISSING, NEGATING, OF_ROWS, QUALIFIERS, STANDING
from storage.records import Verdict

WORDS = Path("docs/formats.md").read_text("utf-8")


def test_every_name_that_takes_a_label_back_and_every_word_of_a_negative_is_listed() -> None:
    names = {*QUALIFIERS, *AFFIRMERS, *STANDING, *NEGATING, *OF_ROWS, *DISMISSING}
    negatives = {word for word, verdict in VERDICT_WORDS.items() if verdict is Verdict.NO_EVIDENCE}
    assert {n for n in names | negatives if f"`{n}`" not in WORDS} == set()


def test_every_format_has_a_row() -> None:
    titles = {
        "gold": "JSON Lines",
        "xlsx": "XLSX",
        "hf": "Hugging Face dataset folder",
        "jsonl": "JSON Lines",
        "doccano": "doccano",
    }
    table = WORDS[WORDS.index("## Format by format") :]
    missing = [
        f.name
        for f in FORMATS.values()
        if titles.get(f.name, f.title).split(" ")[0] not in table and f.name not in table
    ]
    assert missing == []
