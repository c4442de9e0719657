"""Archives and packed files: unpacking with limits, so that none can fill the disk or write outside its folder; packing, reproducibly."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from storage.formats.budget import check_unpacked
from storage.formats.rows import FormatError

MAX_FILES = 200_000
_CHUNK_BYTES = 1 << 20
_PACKED_CHUNK_BYTES = 1 << 14  # of a Zstandard file at a time: it may unpack to thousands of times as much
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MANIFESTS = ("manifest.json",)
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".lzma")
_LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db")


@contextmanager
def unpacked(path: Path, folder: Path) -> Iterator[Path]:
    """The file itself; for an archive or a packed file the folder or single file that was in it, unpacked below `folder`.

    Raises FormatError for a bomb, a damaged or encrypted archive, and members that point outside.
    """
    if path.is_dir() or not path.is_file():
        yield path
        return
    packing = _packing(path)
    if packing is None and not (zipfile.is_zipfile(path) or _begins_like_zip(path)):
        yield path
        return
    if packing is None and _is_office(path):
        yield path
        return
    target = folder / "unpacked"
    try:
        if packing is not None:
            yield _unpack_stream(path, packing, target)
            return
        with zipfile.ZipFile(path) as archive:
            _unpack(archive, target, path.name)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, zlib.error, lzma.LZMAError) as error:
        raise FormatError(f"{path.name} is a zip file that is damaged or cut off ({error}).") from error
    yield _content(target, path.name)


def _begins_like_zip(path: Path) -> bool:
    """True for a zip file that was cut off: its directory, which stands at the end, is gone."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _packing(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(8)
    return next((name for magic, name in _PACKED.items() if head.startswith(magic)), None)


def _unpack_stream(path: Path, packing: str, target: Path) -> Path:
    """Unpack one file that is packed by itself (gzip, bzip2, xz, Zstandard)."""
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes[-2:-1] == [".tar"] or suffixes[-1:] in ([".tgz"], [".tbz2"], [".txz"]):
        raise FormatError(f"{path.name} is a tar archive. Unpack it and import the folder, or make a zip file of it.")
    target.mkdir(parents=True)
    inner = path.stem if path.suffix.lower() in _SUFFIXES else path.name
    place = target / (Path(inner).name or "file")
    total = 0
    try:
        with _opened(path, packing) as source, place.open("xb") as file:
            while chunk := source.read(_CHUNK_BYTES):
                total += len(chunk)
                check_unpacked(total, path.stat().st_size, path.name)
                file.write(chunk)
    except (OSError, ValueError, EOFError, zlib.error, lzma.LZMAError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the file's
        raise FormatError(f"{path.name} is a {packing} file that is damaged or cut off ({error}).") from error
    return place


def _opened(path: Path, packing: str) -> Any:
    if packing == "gzip":
        return gzip.open(path)
    if packing == "bzip2":
        return bz2.open(path)
    if packing == "xz":
        return lzma.open(path)
    import zstandard

    # dumps of Reddit are packed with a window of 2 GB
    return _Zstandard(path, zstandard.ZstdDecompressor(max_window_size=1 << 31))


class _Zstandard:
    """A Zstandard file as a stream of bytes, over all of its frames. Raises ValueError where it is damaged or cut off."""

    def __init__(self, path: Path, decompressor: Any) -> None:
        self._file, self._decompressor = path.open("rb"), decompressor
        self._frame: Any = None
        self._rest = b""

    def __enter__(self) -> _Zstandard:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        """Some bytes, of `size` packed ones at most; none at the end of the file."""
        import zstandard

        while True:
            packed = self._rest or self._file.read(min(size, _PACKED_CHUNK_BYTES))
            self._rest = b""
            if not packed:
                if self._frame is not None:
                    raise ValueError("the last frame has no end")
                return b""
            self._frame = self._frame or self._decompressor.decompressobj()
            try:
                found = self._frame.decompress(packed)
            except zstandard.ZstdError as error:
                raise ValueError(str(error)) from None
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
            if found:
                return bytes(found)


def _is_office(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except zipfile.BadZipFile:
        return False


def _unpack(archive: zipfile.ZipFile, target: Path, name: str) -> None:
    members = [m for m in archive.infolist() if not m.is_dir() and not _is_litter(m.filename)]
    if not members:
        raise FormatError(f"{name} is an empty zip file.")
    if len(members) > MAX_FILES:
        raise FormatError(f"{name} holds {len(members)} files; at most {MAX_FILES} are unpacked.")
    total = 0
    for member in members:
        place = _safe_place(member, target, name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, place.open("xb") as file:
            while chunk := source.read(_CHUNK_BYTES):
                total += len(chunk)
                check_unpacked(total, Path(str(archive.filename)).stat().st_size, name)
                file.write(chunk)


def _safe_place(member: zipfile.ZipInfo, target: Path, name: str) -> Path:
    place = PurePosixPath(member.filename.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or ":" in member.filename:
        raise FormatError(f"{name} holds a file that would be unpacked outside its folder: refused.")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise FormatError(f"{name} holds a symbolic link: refused.")
    if member.flag_bits & 1:
        raise FormatError(f"{name} is encrypted. Unpack it first.")
    return target / place


def _is_litter(filename: str) -> bool:
    return any(part in _LITTER or part.startswith("._") for part in PurePosixPath(filename).parts)


def _content(target: Path, name: str) -> Path:
    """The one file or the innermost folder that holds everything."""
    folder = target
    while True:
        entries = [e for e in folder.iterdir() if e.name not in _MANIFESTS]
        if len(entries) != 1:
            return folder
        if entries[0].is_file():
            if zipfile.is_zipfile(entries[0]) and not _is_office(entries[0]):
                raise FormatError(f"{name} holds another zip file. Unpack it first.")
            return entries[0]
        folder = entries[0]


def pack(folder: Path, target: Path) -> None:
    """Zip the folder's files, in order of their names and without their times: the same content gives the same bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            add_file(archive, file, file.relative_to(folder).as_posix())


def add_file(archive: zipfile.ZipFile, file: Path, name: str) -> None:
    entry = zipfile.ZipInfo(name, date_time=_EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    with file.open("rb") as source, archive.open(entry, "w", force_zip64=file.stat().st_size > 1 << 31) as sink:
        shutil.copyfileobj(source, sink, _CHUNK_BYTES)
