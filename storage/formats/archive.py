"""Zip files: unpacking with limits, so that no archive can fill the disk or write outside its folder; and packing, reproducibly."""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from storage.formats.rows import FormatError

MAX_FILES = 200_000
MAX_BYTES = 8 << 30
MAX_RATIO = 200  # text shrinks to a tenth; 200 is met in no honest corpus above the free allowance
RATIO_FREE_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MANIFESTS = ("manifest.json",)
_LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db")


@contextmanager
def unpacked(path: Path, folder: Path) -> Iterator[Path]:
    """The file itself; for a zip archive the folder or single file that was in it, unpacked below `folder`.

    Raises FormatError for a bomb, a damaged or encrypted archive, and members that point outside.
    """
    if path.is_dir() or not zipfile.is_zipfile(path) or _is_office(path):
        yield path
        return
    target = folder / "unpacked"
    try:
        with zipfile.ZipFile(path) as archive:
            _unpack(archive, target, path.name)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise FormatError(f"{path.name} is a damaged zip file ({error}).") from error
    yield _content(target, path.name)


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
                _check_size(total, archive, name)
                file.write(chunk)


def _check_size(total: int, archive: zipfile.ZipFile, name: str) -> None:
    """The bytes really unpacked count, not those that the archive declares."""
    packed = max(1, Path(str(archive.filename)).stat().st_size)
    if total > MAX_BYTES or (total > RATIO_FREE_BYTES and total > MAX_RATIO * packed):
        raise FormatError(f"{name} unpacks to far more than its size ({total >> 20} MB so far): refused as a zip bomb.")


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
