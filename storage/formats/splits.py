"""Splits as files and folders are named by them."""

from __future__ import annotations

import re
from pathlib import PurePath

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
