"""Which bytes are which characters: finding a text file's encoding, and decoding it row by row.

A file that is UTF-8 but for a few broken bytes is read as UTF-8 and only the rows with those bytes are refused; they are kept
apart by lone surrogates (`surrogateescape`), which no valid text holds.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from storage.formats.rows import FormatError
from storage.formats.western import western

UTF_8 = "utf-8"
SAMPLE_BYTES = 512 * 1024
CHUNK_BYTES = 1 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# the encodings that corpora are met in; an open list makes the detector guess exotic ones for short texts
_CANDIDATES = ["cp1252", "mac_roman", "cp1250", "cp1251", "shift_jis", "gb18030", "big5", "euc_kr", "iso8859_15"]
_BROKEN = re.compile("[\udc80-\udcff]")
_THREE_BYTES = re.compile("[\u2000-\u2fff\U0001f000-\U0001faff]")  # quotes, dashes, signs, emoji
# UTF-8 that was read as cp1252 or mac-roman once before: "don't" as "donâ€™t" or "don‚Äôt", "é" as "Ã©"
_MOJIBAKE = re.compile(r"â€[™œ\x9d˜“”¦]|Ã[©¨¼¶¤±§ª«\xa0³¡]|‚Ä[ôúùòì¶î]|ðŸ[\x80-\xbf˜\u2018\u2019™]|Â[\xa0£°·»«]")


@dataclass(frozen=True, slots=True)
class Encoding:
    """`name` for Python's codecs; `note` says in words how sure that is; `broken_bytes` counts what does not fit it."""

    name: str
    note: str = ""
    broken_bytes: int = 0


def detect_encoding(path: Path) -> Encoding:
    """The file's encoding, from its byte order mark, else UTF-8 if it fits, else the best of the usual ones."""
    with path.open("rb") as file:
        head = file.read(4)
    for mark, name in _BOMS:
        if head.startswith(mark):
            return Encoding(name, "byte order mark")
    if wide := _utf16_without_mark(path):
        return Encoding(wide, "looks like UTF-16 without a byte order mark")
    broken, broken_lines, valid_lines, proven = _count_utf8(path)
    if broken == 0:
        return Encoding(UTF_8)
    if valid_lines * 10 > broken_lines or proven * 3 >= broken:
        return Encoding(UTF_8, f"{broken} bytes are not UTF-8: rows with them are refused", broken)
    return _guess(path)


def _utf16_without_mark(path: Path) -> str | None:
    """UTF-16 by its zeros: every second byte of Latin text, on one side."""
    with path.open("rb") as file:
        head = file.read(4096)
    if len(head) < 8 or not head.count(0):
        return None
    half = len(head) // 2
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and odd < 0.05 * half else None


def looks_like_mojibake(text: str) -> bool:
    """True if the text seems to have been decoded wrongly before it was saved."""
    return not text.isascii() and _MOJIBAKE.search(text) is not None


def has_broken_bytes(text: str) -> bool:
    """True if `text` was decoded with surrogateescape from bytes that do not fit the encoding."""
    return not text.isascii() and _BROKEN.search(text) is not None


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    """The file as text with its line ends untouched; bytes that do not fit become lone surrogates.

    Raises FormatError if Python has no such encoding.
    """
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise FormatError(f"There is no encoding {encoding!r}. Use a name like utf-8, cp1252 or mac_roman.") from None
    errors = "surrogateescape" if not encoding.startswith(("utf-16", "utf-32")) else "strict"
    with path.open("r", encoding=encoding, errors=errors, newline="") as file:
        try:
            yield file
        except UnicodeError as error:
            raise FormatError(f"{path.name} is not {encoding} text ({_reason(error)}). Choose its encoding.") from None


def _reason(error: UnicodeError) -> str:
    return str(getattr(error, "reason", error))


def _count_utf8(path: Path) -> tuple[int, int, int, int]:
    """(bytes that are not UTF-8, lines with such bytes, lines with characters beyond ASCII that are UTF-8 throughout, and
    quotes, dashes and emoji that stand in broken lines as bytes that seldom follow each other in another encoding)."""
    broken = broken_lines = valid_lines = 0
    proven = 0
    with path.open("rb") as file:
        while line := file.readline(CHUNK_BYTES):
            if line.isascii():
                continue
            try:
                line.decode(UTF_8)
                valid_lines += 1
            except UnicodeDecodeError:
                broken_lines += 1
                decoded = line.decode(UTF_8, "surrogateescape")
                broken += sum(1 for _ in _BROKEN.finditer(decoded))
                proven += len(_THREE_BYTES.findall(decoded))
    return broken, broken_lines, valid_lines, proven


def _guess(path: Path) -> Encoding:
    """Raises FormatError where two encodings read as well and differ: nobody but the reader of the texts can tell."""
    from charset_normalizer import from_bytes

    sample = _sample_with_high_bytes(path)
    found = western(sample)
    if found is not None and found.name is not None:
        return Encoding(found.name, f"not UTF-8; looks like {found.name}")
    if found is not None:
        readings = " or ".join(f"{name} (one character is {char!r})" for name, char in found.others)
        raise FormatError(
            f"{path.name} is not UTF-8, and its encoding cannot be told: {readings}. Say which (--encoding)."
        )
    matches = list(from_bytes(sample, cp_isolation=_CANDIDATES))
    if not matches:
        return Encoding("cp1252", "not UTF-8; read as Windows Western (cp1252) for want of a better match")
    return Encoding(matches[0].encoding, f"not UTF-8; looks like {matches[0].encoding}")


def _sample_with_high_bytes(path: Path) -> bytes:
    """Lines that hold bytes beyond ASCII, from anywhere in the file: the head alone may be plain ASCII."""
    sample = bytearray()
    with path.open("rb") as file:
        while len(sample) < SAMPLE_BYTES and (line := file.readline(CHUNK_BYTES)):
            if not line.isascii():
                sample += line
    return bytes(sample)
