"""Which format a path seems to be in: a file by its content, a folder by its files."""

from __future__ import annotations

from pathlib import Path

from storage.formats.content import Detected, detect_file
from storage.formats.parts import data_files
from storage.formats.registry import FORMATS, Format
from storage.formats.rows import FormatError

__all__ = ["Detected", "detect", "file_in"]
MAX_PARTS = 5000  # files of one format in a folder, each of which is looked into


def detect(path: Path, *, encoding: str | None = None) -> Detected:
    """The format of a file or folder. Raises FormatError for an empty file and for content that no reader knows."""
    return _detect_folder(path) if path.is_dir() else detect_file(path, encoding=encoding)


# --- folders


def file_in(path: Path) -> tuple[Path, tuple[str, ...]]:
    """(the file that a folder stands for, the names of the others): its only data file, unless the folder is a layout of its own."""
    if not path.is_dir() or _layout_of(path) is not None:
        return path, ()
    data = data_files(path)
    alone = len(data) == 1 and not _is_beside_texts(path, data)
    return (data[0], _others(path, data)) if alone else (path, ())


def _is_beside_texts(path: Path, data: list[Path]) -> bool:
    """Whether the only table of the folder is about texts that lie in files beside it."""
    from storage.formats.tables import hold_tables

    others = any(p.suffix.lower() == ".txt" for p in path.rglob("*") if p not in data)
    return others and hold_tables(path)


def _detect_folder(path: Path) -> Detected:
    layout = _layout_of(path)
    if layout is not None:
        return layout
    data = data_files(path)
    if len(data) == 1 and not _is_beside_texts(path, data):
        return detect(data[0])
    from storage.formats.hf_folder import is_split
    from storage.formats.tables import hold_tables

    if (one := _one_format(data)) is not None:
        return Detected(one, f"holds {len(data)} files of one format", left=_others(path, data))
    if data and is_split(path, data):
        return Detected(FORMATS["hf"], "holds a data file for each split", left=_others(path, data))
    names = ", ".join(p.relative_to(path).as_posix() for p in data[:6])
    if not data:
        there = ", ".join(sorted(p.name for p in path.rglob("*") if p.is_file())[:6])
        raise FormatError(f"{path.name} holds no data files" + (f"; it holds {there}." if there else "; it is empty."))
    if all(p.suffix.lower() == ".txt" and _is_prose(p) for p in data):
        return Detected(FORMATS["brat"], "holds .txt files, each a post", left=())
    if len(data) <= MAX_PARTS and hold_tables(path):
        texts = [p for p in path.rglob("*") if p.suffix.lower() == ".txt"]
        return Detected(FORMATS["tables"], "holds tables of posts and labels", left=_others(path, [*data, *texts]))
    raise FormatError(
        f"{path.name} holds {len(data)} data files ({names}); import them one by one, or zip one dataset alone."
    )


def _is_prose(file: Path) -> bool:
    """Whether a text file is no table: its first lines have no tabs."""
    with file.open("rb") as opened:
        return b"\t" not in opened.read(2000)


def _one_format(files: list[Path]) -> Format | None:
    """The format that all the files are in, if it is one of a tool's own (tables may have different columns each)."""
    found: set[str] = set()
    for file in files[:MAX_PARTS]:
        try:
            found.add(detect(file).format.name)
        except FormatError:
            return None
    own = {f for f in found if not FORMATS[f].table}
    # a file of the same kind in which nothing is labelled looks like any other JSON Lines
    plain = found - own <= ({"jsonl"} if own <= {"doccano", "prodigy"} else set())
    return FORMATS[own.pop()] if len(own) == 1 and plain and len(files) <= MAX_PARTS else None


def _layout_of(path: Path) -> Detected | None:
    """The folder format, where the files' names say it."""
    names = {p.name for p in path.rglob("*") if p.is_file()}
    suffixes = {Path(n).suffix.lower() for n in names}
    if {"redsm5_posts.csv", "redsm5_annotations.csv"} <= names:
        return Detected(FORMATS["redsm5"], "holds redsm5_posts.csv and redsm5_annotations.csv")
    if {".ann", ".a1"} & suffixes:
        return Detected(FORMATS["brat"], "holds .ann files" if ".ann" in suffixes else "holds .a1 files")
    if ".xmi" in suffixes:
        return Detected(FORMATS["cas"], "holds XMI files")
    if {".parquet", ".arrow"} & suffixes or {"dataset_info.json", "dataset_dict.json"} & names:
        return Detected(FORMATS["hf"], "holds Parquet or Arrow files")
    return None


def _others(path: Path, data: list[Path]) -> tuple[str, ...]:
    files = (p for p in sorted(path.rglob("*")) if p.is_file() and p not in data and not p.name.startswith("."))
    return tuple(
        p.relative_to(path).as_posix()
        for p in files
        if not p.name.endswith(("manifest.json", ".config.xml", ".settings.json"))
    )
