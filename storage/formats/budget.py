"""How much a file may become when it is read: small files with great cost are refused, whatever their format.

A text file cannot grow; a packed one (Parquet, Arrow, XLSX, archives) may unpack to far more than its size. The allowance is one and the
same for all of them: RATIO_FREE_BYTES, and beyond that MAX_RATIO times the file's size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.formats.rows import FormatError

MAX_BYTES = 8 << 30
MAX_RATIO = 200  # text shrinks to a tenth; 200 is met in no honest corpus above the free allowance
RATIO_FREE_BYTES = 64 << 20
VALUE_BYTES = 16  # of a number, or of nothing


def check_unpacked(unpacked: int, packed: int, name: str) -> None:
    """Raises FormatError if a file of `packed` bytes becomes `unpacked` ones, which no honest file does."""
    if unpacked > MAX_BYTES or (unpacked > RATIO_FREE_BYTES and unpacked > MAX_RATIO * max(1, packed)):
        raise FormatError(f"{name} unpacks to far more than its size ({unpacked >> 20} MB so far): refused as a bomb.")


class Budget:
    """What the records of one file may come to, counted while they are read."""

    def __init__(self, path: Path) -> None:
        self._name, self._packed, self._spent = path.name, path.stat().st_size, 0

    def spend(self, record: Any) -> None:
        """Raises FormatError once the records are far more than the file."""
        self._spent += _size(record)
        check_unpacked(self._spent, self._packed, self._name)


def _size(value: Any) -> int:
    """About the bytes of a value."""
    if isinstance(value, str | bytes):
        return 50 + len(value)
    if isinstance(value, Mapping):
        return sum(_size(v) for v in value.values()) + 64
    if isinstance(value, Sequence):
        return sum(map(_size, value)) + 64
    return VALUE_BYTES
