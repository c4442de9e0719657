"""Splits as files and folders are named by them."""

from __future__ import annotations

import re
from pathlib import PurePath

from storage.records import Split

SPLITS = {
    **dict.fromkeys(("validation", "valid", "val", "dev", "devel", "development"), Split.DEV),
    **dict.fromkeys(("train", "training"), Split.TRAIN),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), Split.TEST),
}  # by the words that name them
_SPLIT = re.compile(
    r"(?:^|[^a-z])(train(?:ing)?|validation|valid|val|dev(?:el)?|test(?:ing)?|eval)(?:[^a-z]|$)", re.IGNORECASE
)


def split_in_path(file: PurePath) -> str | None:
    """The split that the file's name, else its folder, says."""
    for part in (file.stem, *reversed(file.parent.parts)):
        found = _SPLIT.search(part)
        if found:
            return found.group(1).lower()
    return None
