"""Which format a file or folder seems to be in, from its content; the name only decides where the content leaves it open."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from storage.formats.encodings import Encoding, detect_encoding, open_text
from storage.formats.json_text import is_json_lines, iter_items, iter_lines
from storage.formats.parts import data_files
from storage.formats.registry import FORMATS, Format
from storage.formats.rows import FormatError, RowError
from storage.formats.tagged import is_tag

_REFUSED_MAGIC = {
    b"SQLite format 3": "a SQLite database",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file; save it as .xlsx or .csv",
    b"\x1f\x8b": "a gzip file; unpack it first",
    b"{\\rtf": "a rich text file",
    b"7z\xbc\xaf": "a 7-Zip archive; use .zip",
    b"Rar!": "a RAR archive; use .zip",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"$FL2": "a file of SPSS; save it as .csv or .xlsx",
    b"<stata_dta>": "a file of Stata; save it as .csv",
    b"ARROW1": "an Arrow file; import the folder of the dataset that it belongs to",
}
HEAD_CHARACTERS = 1 << 16
_BARE_TAG = re.compile(r"[A-Z][A-Z0-9_&/+-]{1,60}")
_TREEBANK_ID = re.compile(r"\d+(?:[-.]\d+)?")
MAX_PARTS = 5000  # files of one format in a folder, each of which is looked into


@dataclass(frozen=True, slots=True)
class Detected:
    """The format that a path seems to be in, the reason in words, and the encoding of a text file. left: names of files not read."""

    format: Format
    reason: str
    encoding: Encoding = Encoding("utf-8")  # noqa: RUF009 (immutable)
    left: tuple[str, ...] = field(default=())


def detect(path: Path, *, encoding: str | None = None) -> Detected:
    """The format of a file or folder. Raises FormatError for an empty file and for content that no reader knows."""
    if path.is_dir():
        return _detect_folder(path)
    if not path.is_file():
        raise FormatError(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise FormatError(f"{path.name} is empty.")
    with path.open("rb") as file:
        head = file.read(4096)
    for magic, what in _REFUSED_MAGIC.items():
        if head.startswith(magic):
            raise FormatError(f"{path.name} is {what}: it cannot be imported.")
    if head.startswith(b"PAR1"):
        return Detected(FORMATS["parquet"], "begins like Parquet")
    if head.startswith(b"PK\x03\x04"):
        return Detected(FORMATS["xlsx"], "is a zipped Office file")
    if path.suffix.lower() == ".spacy" and head[:1] == b"\x78":
        return Detected(FORMATS["spacy"], "is packed as spaCy packs documents")
    found = Encoding(encoding, "as chosen") if encoding else detect_encoding(path)
    if found.name in ("utf-8", "cp1252") and head.count(0) > len(head) // 10:
        raise FormatError(
            f"{path.name} is not text: a binary file, full of NUL bytes, that no reader knows. If it is text in UTF-16, say so:"
            " --encoding utf-16-le."
        )
    return _detect_text(path, found)


# --- folders


def file_in(path: Path) -> tuple[Path, tuple[str, ...]]:
    """(the file that a folder stands for, the names of the others): its only data file, unless the folder is a layout of its own."""
    if not path.is_dir() or _layout_of(path) is not None:
        return path, ()
    data = data_files(path)
    return (data[0], _others(path, data)) if len(data) == 1 else (path, ())


def _detect_folder(path: Path) -> Detected:
    layout = _layout_of(path)
    if layout is not None:
        return layout
    data = data_files(path)
    if len(data) == 1:
        return detect(data[0])
    from storage.formats.hf_folder import is_split

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
        if len(found) > 1 or FORMATS[next(iter(found))].table:
            return None
    return FORMATS[found.pop()] if found and len(files) <= MAX_PARTS else None


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


# --- text


def _detect_text(path: Path, encoding: Encoding) -> Detected:
    with open_text(path, encoding.name) as file:
        head = file.read(HEAD_CHARACTERS)
    start = head.lstrip("\ufeff \t\r\n")
    if not start:
        raise FormatError(f"{path.name} is empty.")
    if start[0] in "{[":
        return _detect_json(path, encoding, start)
    _refuse_other_layouts(path, start)
    if start.startswith("#FORMAT=WebAnno TSV"):
        return Detected(FORMATS["webanno"], "begins like WebAnno TSV", encoding)
    if start.startswith(("<?xml", "<xmi:XMI")) and "XMI" in start[:4000]:
        return Detected(FORMATS["cas"], "is an XMI document", encoding)
    if start.startswith("# columns = ["):
        return Detected(FORMATS["conll"], "BIO columns with a head per post", encoding)
    cut = len(head) == HEAD_CHARACTERS  # in the middle of a line
    lines = [line for line in head.splitlines()[: -1 if cut else None] if line.strip() and not line.startswith("# ")]
    if _is_treebank(lines):
        return Detected(FORMATS["conll"], "ten columns as CoNLL-U has them", encoding)
    if _is_tagged(lines):
        return Detected(FORMATS["conll"], "one token per line with BIO tags", encoding)
    if not lines:
        raise FormatError(f"{path.name} holds nothing but comments.")
    tabs = path.suffix.lower() in (".tsv", ".tab") or ("\t" in lines[0] and "," not in lines[0])
    return Detected(FORMATS["tsv" if tabs else "csv"], "a table with a header line", encoding)


def _refuse_other_layouts(path: Path, start: str) -> None:
    first, _, rest = start.partition("\n")
    second = rest.partition("\n")[0].strip()
    if "|" in first and len(second) > 2 and not second.strip("|:- "):
        raise FormatError(f"{path.name} is a table of Markdown; save it as CSV or Excel.")
    if re.match(r"\d+\|[ta]\|", first):
        raise FormatError(
            f"{path.name} is in the PubTator layout, which no reader knows. Convert it to brat, JSON or CSV."
        )
    if re.match(r"---\s*$|- \w+:\s|\w+:\s*$", first) and path.suffix.lower() in (".yaml", ".yml"):
        raise FormatError(f"{path.name} is YAML; save it as JSON or JSON Lines.")
    if path.suffix.lower() in (".ann", ".a1", ".a2") or (
        first[:1] == "T" and first.count("\t") == 2 and first[1:2].isdigit()
    ):
        raise FormatError(
            f"{path.name} is an annotation file of brat; its text stands in a .txt file. Import the folder of both."
        )
    if start.startswith("<") and "XMI" not in start[:4000]:
        what = (
            "an HTML page"
            if "<html" in start[:2000].lower() or "<!doctype html" in start[:200].lower()
            else "an XML file"
        )
        raise FormatError(
            f"{path.name} is {what} of a layout that no reader knows. Export it as JSON, CSV, UIMA CAS XMI or WebAnno TSV."
        )
    if re.match(r"# [\w.]+ \| ", first) and ("#id=" in start[:2000] or "#text=" in start[:2000]):
        raise FormatError(f"{path.name} is WebAnno TSV of version 1 or 2; export it as WebAnno TSV v3.")
    if start.startswith("#FORMAT=") and not start.startswith("#FORMAT=WebAnno TSV 3"):
        raise FormatError(f"{path.name} is of another version ({first[8:40].strip()}); export it as WebAnno TSV v3.")


def _is_tagged(lines: list[str]) -> bool:
    """Whether nearly all lines are a token and a tag. A line with a tag alone has lost its token."""
    cells = [line.split("\t") if "\t" in line else line.split() for line in lines if not line.startswith("-DOCSTART-")]
    cells = [c for c in cells if not c[0].startswith("#") or is_tag(c[-1].strip())]  # comments, however they are spaced
    if len(cells) >= 3 and _are_bare_tags(cells):
        return True
    tagged = [c for c in cells if is_tag(c[-1].strip()) and (len(c) >= 2 or c[-1].strip() == "O")]
    pairs = sum(1 for c in tagged if len(c) >= 2)
    return bool(pairs) and pairs >= 2 and len(tagged) >= 0.9 * len(cells)


def _are_bare_tags(cells: list[list[str]]) -> bool:
    """Whether each line is a word and, last, `O` or one of a few names in capitals."""
    tags = [c[-1].strip() for c in cells]
    named = [t for t in tags if t != "O"]
    alike = len({len(c) for c in cells}) == 1 and len(cells[0]) >= 2
    return alike and bool(named) and len(named) < len(tags) and all(map(_BARE_TAG.fullmatch, named))


def _is_treebank(lines: list[str]) -> bool:
    cells = [line.split("\t") for line in lines if not line.startswith("#")]
    return bool(cells) and all(len(c) == 10 and _TREEBANK_ID.fullmatch(c[0]) for c in cells)


def _detect_json(path: Path, encoding: Encoding, start: str) -> Detected:
    if '"%FEATURE_STRUCTURES"' in start or '"%TYPES"' in start:
        return Detected(FORMATS["cas"], "is a CAS in JSON", encoding)
    lines = is_json_lines(path, encoding.name)
    items = iter_lines(path, encoding.name) if lines else iter_items(path, encoding.name, keys=("data",))
    sample = [i for _, i in islice(items, 20) if isinstance(i, Mapping) and not isinstance(i, RowError)]
    for name, reason, fits in _JSON_SHAPES:
        if sample and sum(map(fits, sample)) * 2 > len(sample):
            return Detected(FORMATS[name], reason, encoding)
    if lines:
        return Detected(FORMATS["jsonl"], "one JSON object per line", encoding)
    return Detected(FORMATS["json"], "a JSON list", encoding)


def _is_doccano(item: Mapping[str, Any]) -> bool:
    """A text with labels as doccano writes them: lists of [start, end, label], objects with start_offset, or a label of the whole text."""
    if not ("text" in item or "data" in item):
        return False
    for key in ("label", "labels", "entities"):
        labels = item.get(key)
        if (
            isinstance(labels, list)
            and all(map(_is_doccano_label, labels))
            and (labels or {"id", "offsets"} & item.keys())
        ):
            return True
    return False


def _is_doccano_label(label: Any) -> bool:
    if isinstance(label, Mapping):
        return {"start_offset", "end_offset"} <= label.keys()
    return isinstance(label, str) or (isinstance(label, list) and len(label) == 3)


def _is_prodigy(item: Mapping[str, Any]) -> bool:
    spans = item.get("spans")
    if "text" not in item or {"verdict", "criterion"} & item.keys():
        return False
    if "_input_hash" in item or "_task_hash" in item or item.get("answer") in ("accept", "reject", "ignore"):
        return True
    return (
        isinstance(spans, list)
        and bool(spans)
        and all(isinstance(s, Mapping) and "label" in s and "start" in s for s in spans)
    )


def _is_label_studio(item: Mapping[str, Any]) -> bool:
    if not isinstance(item.get("data"), Mapping):
        return False
    answers = bool({"annotations", "predictions", "completions"} & item.keys())
    return answers or (item.keys() <= {"id", "data", "meta"} and any(isinstance(v, str) for v in item["data"].values()))


def _is_argilla(item: Mapping[str, Any]) -> bool:
    return isinstance(item.get("fields"), Mapping)


def _is_squad(item: Mapping[str, Any]) -> bool:
    return isinstance(item.get("paragraphs"), list) or ("context" in item and isinstance(item.get("qas"), list))


_JSON_SHAPES: tuple[tuple[str, str, Any], ...] = (
    ("label-studio", "tasks with data, annotations and predictions", _is_label_studio),
    ("argilla", "records with fields, suggestions and responses", _is_argilla),
    ("squad", "paragraphs with questions", _is_squad),
    ("prodigy", "examples with labelled spans", _is_prodigy),
    ("doccano", "texts with [start, end, label] lists", _is_doccano),
)
