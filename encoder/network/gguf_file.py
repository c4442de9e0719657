"""The header of a GGUF file: its metadata and where its tensors lie. Reads what it needs through a memory map.

The package gguf has a reader too; it makes several objects of each of the 262,144 tokens of a Gemma, which takes ten seconds and
a gigabyte. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Knows nothing of models.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoder.errors import ModelUnusable

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_MOST_FIELDS = 100_000
_MOST_ELEMENTS = 10_000_000


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor. shape: outermost first, as torch has it. kind: number of its ggml type. offset: first byte in the file."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def elements(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count


@dataclass(frozen=True)
class GgufFile:
    """A GGUF file with its metadata and tensors."""

    path: Path
    metadata: Mapping[str, Any]
    tensors: tuple[Tensor, ...]


def read_header(path: Path) -> GgufFile:
    """Read metadata and table of tensors. Raises ModelUnusable: not there, no GGUF file, of an unknown version, cut off."""
    try:
        with path.open("rb") as file:
            if file.read(4) != _MAGIC:
                raise ModelUnusable(f"{path} is not a GGUF file.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _read(path, _Cursor(data, 4))
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise _damaged(path) from error
    except OSError as error:
        raise ModelUnusable(f"{path} cannot be read: {error.strerror or error}.") from error


def _read(path: Path, cursor: _Cursor) -> GgufFile:
    version = cursor.number("I")
    if version not in _VERSIONS:
        raise ModelUnusable(f"{path} is a GGUF file of version {version}; versions 2 and 3 can be read.")
    tensor_count, field_count = cursor.number("Q"), cursor.number("Q")
    if max(tensor_count, field_count) > _MOST_FIELDS:
        raise _damaged(path)
    metadata = {cursor.text(): cursor.value(cursor.number("I")) for _ in range(field_count)}
    table = [_entry(cursor) for _ in range(tensor_count)]
    alignment = int(metadata.get("general.alignment", 32))
    first = -(-cursor.at // alignment) * alignment
    tensors = tuple(Tensor(name, shape, kind, first + offset) for name, shape, kind, offset in table)
    for tensor in tensors:
        if tensor.offset + byte_count(tensor, path) > len(cursor.data):
            raise _damaged(path)
    return GgufFile(path, metadata, tensors)


def _entry(cursor: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
    name, dimensions = cursor.text(), cursor.number("I")
    if dimensions > 8:
        raise ValueError(f"{dimensions} dimensions")
    shape = tuple(cursor.number("Q") for _ in range(dimensions))
    return name, shape[::-1], cursor.number("I"), cursor.number("Q")


def byte_count(tensor: Tensor, path: Path) -> int:
    """How many bytes of the file the tensor takes. Raises ModelUnusable for a quantization that gguf does not know."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    try:
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(tensor.kind)]
    except (ValueError, KeyError):
        raise ModelUnusable(
            f"{path} is quantized in a way (type {tensor.kind}) that the installed gguf does not know."
        ) from None
    return tensor.elements // block * size


def _damaged(path: Path) -> ModelUnusable:
    return ModelUnusable(
        f"{path} is cut off or damaged: its header promises more than its {path.stat().st_size:,} bytes. Fetch it again."
    )


class _Cursor:
    """Reads on through the mapped file; struct.error or ValueError where it ends too early."""

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self.data, self.at = data, at

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def text(self) -> str:
        length = self.number("Q")
        if self.at + length > len(self.data):
            raise ValueError("a text runs past the end")
        self.at += length
        return self.data[self.at - length : self.at].decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            return self.number(_form(kind))
        inner, count = self.number("I"), self.number("Q")
        if count > _MOST_ELEMENTS:
            raise ValueError(f"{count} elements")
        if inner in (_STRING, _ARRAY):
            return [self.value(inner) for _ in range(count)]
        form = f"<{count}{_form(inner)}"
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return list(values)


def _form(kind: int) -> str:
    if kind not in _NUMBERS:
        raise ValueError(f"type {kind}")
    return _NUMBERS[kind]
