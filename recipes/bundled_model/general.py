"""General English text for tokenizer and warm-up: local files, or a dataset of the Hub by name. Never a part of the project."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

DEFAULT_TEXT = "google-research-datasets/go_emotions"


def read_general(sources: Sequence[str]) -> list[str]:
    """One text per line or row of each source, in order, without empty ones.

    A source is a text file (also .gz), else the name of a dataset with a column `text` (needs the `datasets` extra).
    """
    return [line for source in sources for text in _lines(source) if (line := text.strip())]


def _lines(source: str) -> Iterator[str]:
    path = Path(source)
    if not path.exists():
        yield from _rows(source)
    elif path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from file
    else:
        with path.open(encoding="utf-8") as file:
            yield from file


def _rows(name: str) -> Iterator[str]:
    from datasets import load_dataset

    for row in load_dataset(name, split="train"):
        yield row["text"]
