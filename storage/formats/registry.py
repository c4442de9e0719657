"""Which formats there are, what each can do, and which one a file seems to be in. Loads a format's module when it is used."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from storage.formats.encodings import Encoding, detect_encoding, open_text
from storage.formats.json_text import iter_items, iter_lines
from storage.formats.rows import ExportContext, ExportPost, FormatError, Row, RowError, Written

AUTO = "auto"
_HERE = "storage.formats."


@dataclass(frozen=True, slots=True)
class Format:
    """One exchange format.

    suffix: of an exported file; '' for a folder. table: its columns can be mapped. complete: it is given history and
    predictions too. all_posts: unless asked otherwise, posts without answers are written too.
    """

    name: str
    title: str
    module: str
    suffix: str
    reads: bool = True
    writer: str | None = "write"
    table: bool = False
    complete: bool = False
    all_posts: bool = False
    carries: str = "CANNOT_CARRY"

    @property
    def is_folder(self) -> bool:
        return not self.suffix

    def read(self, path: Path, *, encoding: str, columns: Mapping[str, str] | None = None) -> Iterator[Row]:
        return iter(self._module().read(path, encoding=encoding, columns=columns))

    def preview(self, path: Path, *, encoding: str) -> tuple[list[str], list[Mapping[str, Any]]]:
        """Column names and first records, of a table."""
        header, records = self._module().preview(path, encoding=encoding)
        return header, records

    def write(self, posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
        """Write a file, or fill the folder `path`. Offsets are checked against the text on the way."""
        written: Written = getattr(self._module(), str(self.writer))(posts, path, context)
        return written

    def cannot_carry(self) -> tuple[str, ...]:
        found: tuple[str, ...] = getattr(self._module(), self.carries)
        return found

    def _module(self) -> Any:
        return importlib.import_module(_HERE + self.module)


FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format("jsonl", "JSON Lines, complete", "jsonl", ".jsonl", table=True, complete=True, all_posts=True),
        Format(
            "gold",
            "JSON Lines, gold only",
            "jsonl",
            ".jsonl",
            writer="write_gold",
            table=True,
            carries="CANNOT_CARRY_GOLD",
        ),
        Format("csv", "CSV", "delimited", ".csv", table=True),
        Format("tsv", "TSV", "delimited", ".tsv", table=True),
        Format("xlsx", "Excel (XLSX)", "xlsx", ".xlsx", table=True),
        Format("json", "JSON", "json_file", ".json", writer=None, table=True),
        Format("parquet", "Parquet", "parquet", ".parquet", table=True),
        Format("squad", "SQuAD v2", "squad", ".json"),
        Format("hf", "Hugging Face dataset folder", "hf_folder", "", table=True),
        Format("label-studio", "Label Studio", "label_studio", ".json", complete=True),
        Format("doccano", "doccano JSONL", "doccano", ".jsonl"),
        Format("prodigy", "Prodigy JSONL", "prodigy", ".jsonl"),
        Format("argilla", "Argilla records", "argilla", ".jsonl", complete=True),
        Format("brat", "brat standoff", "brat", ""),
        Format("conll", "BIO / CoNLL columns", "conll", ".conll"),
        Format("redsm5", "ReDSM5 layout", "redsm5", ""),
    )
}
READERS = tuple(f.name for f in FORMATS.values() if f.reads)
WRITERS = tuple(f.name for f in FORMATS.values() if f.writer)
_BIO = re.compile(r"(?:O|[BIES]-\S+)$")
_REFUSED_MAGIC = {
    b"SQLite format 3": "a SQLite database",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file; save it as .xlsx or .csv",
    b"\x1f\x8b": "a gzip file; unpack it first",
    b"{\\rtf": "a rich text file",
    b"7z\xbc\xaf": "a 7-Zip archive; use .zip",
    b"Rar!": "a RAR archive; use .zip",
}


@dataclass(frozen=True, slots=True)
class Detected:
    """The format that a path seems to be in, the reason in words, and the encoding of a text file."""

    format: Format
    reason: str
    encoding: Encoding = Encoding("utf-8")  # noqa: RUF009 (immutable)


def format_named(name: str) -> Format:
    """Raises FormatError for a name that is no format."""
    try:
        return FORMATS[name.replace("_", "-").lower()]
    except KeyError:
        raise FormatError(f"There is no format {name!r}. Formats: auto, {', '.join(FORMATS)}.") from None


def detect(path: Path, *, encoding: str | None = None) -> Detected:
    """The format of a file or folder, from its content; the name only decides where the content leaves it open.

    Raises FormatError for an empty file and for content that no reader knows.
    """
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
    found = Encoding(encoding, "as chosen") if encoding else detect_encoding(path)
    if found.name in ("utf-8", "cp1252") and head.count(0) > len(head) // 10:
        raise FormatError(f"{path.name} is a binary file that no reader knows.")
    return _detect_text(path, found)


def file_in(path: Path) -> Path:
    """The file that a folder stands for: its only data file, unless the folder is a layout of its own. Else the path itself."""
    if not path.is_dir() or _layout_of(path) is not None:
        return path
    data = _data_files(path)
    return data[0] if len(data) == 1 else path


def _detect_folder(path: Path) -> Detected:
    layout = _layout_of(path)
    if layout is not None:
        return layout
    data = _data_files(path)
    if len(data) == 1:
        return detect(data[0])
    from storage.formats.hf_folder import is_split

    if is_split(path, data):
        return Detected(FORMATS["hf"], "holds a data file for each split")
    raise FormatError(f"{path.name} holds {len(data)} data files; import them one by one, or zip one dataset alone.")


def _layout_of(path: Path) -> Detected | None:
    """The folder format, where the files' names say it."""
    names = {p.name for p in path.rglob("*") if p.is_file()}
    suffixes = {Path(n).suffix for n in names}
    if {"redsm5_posts.csv", "redsm5_annotations.csv"} <= names:
        return Detected(FORMATS["redsm5"], "holds redsm5_posts.csv and redsm5_annotations.csv")
    if ".ann" in suffixes:
        return Detected(FORMATS["brat"], "holds .ann files")
    if {".parquet", ".arrow"} & suffixes or {"dataset_info.json", "dataset_dict.json"} & names:
        return Detected(FORMATS["hf"], "holds Parquet or Arrow files")
    return None


def _data_files(path: Path) -> list[Path]:
    found = [p for p in sorted(path.rglob("*")) if p.suffix in (".json", ".jsonl", ".csv", ".tsv", ".xlsx", ".conll")]
    return [p for p in found if not p.name.endswith("manifest.json")]


def _detect_text(path: Path, encoding: Encoding) -> Detected:
    with open_text(path, encoding.name) as file:
        head = file.read(1 << 16)
    start = head.lstrip("\ufeff \t\r\n")
    if not start:
        raise FormatError(f"{path.name} is empty.")
    if start[0] in "{[":
        return _detect_json(path, encoding, start)
    if start.startswith("# columns = ["):
        return Detected(FORMATS["conll"], "BIO columns with a head per post", encoding)
    lines = [line for line in head.splitlines()[:-1] or head.splitlines() if line.strip() and not line.startswith("#")]
    tagged = sum(1 for line in lines if len(line.split()) >= 2 and _BIO.match(line.split()[-1]))
    if lines and tagged >= 0.9 * len(lines):
        return Detected(FORMATS["conll"], "one token per line with BIO tags", encoding)
    tabs = path.suffix.lower() in (".tsv", ".tab") or ("\t" in lines[0] and "," not in lines[0])
    return Detected(FORMATS["tsv" if tabs else "csv"], "a table with a header line", encoding)


def _detect_json(path: Path, encoding: Encoding, start: str) -> Detected:
    lines = start.startswith("{") and _is_json_lines(start)
    items = iter_lines(path, encoding.name) if lines else iter_items(path, encoding.name, keys=("data",))
    sample = [i for _, i in islice(items, 20) if isinstance(i, Mapping) and not isinstance(i, RowError)]
    for name, reason, fits in _JSON_SHAPES:
        if sample and sum(map(fits, sample)) * 2 > len(sample):
            return Detected(FORMATS[name], reason, encoding)
    if lines:
        return Detected(FORMATS["jsonl"], "one JSON object per line", encoding)
    return Detected(FORMATS["json"], "a JSON list", encoding)


def _is_json_lines(start: str) -> bool:
    """True if the first line is a JSON object by itself and not the whole of a file with one `data` list."""
    first, _, rest = start.partition("\n")
    try:
        value = json.loads(first)
    except json.JSONDecodeError:
        # one very long first line: JSON Lines, unless it is a single object with a list in it
        return "\n" not in start and not re.match(r'\{\s*"(?:version|data|records|posts)"\s*:', start)
    return bool(rest.strip()) or not isinstance(value.get("data"), list)


def _spans_like(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(v, kind) for v in value)


def _is_doccano(item: Mapping[str, Any]) -> bool:
    labels = next((item[k] for k in ("label", "labels", "entities") if k in item), None)
    if not isinstance(labels, list) or not ("text" in item or "data" in item):
        return False
    return all(
        (isinstance(x, list) and len(x) == 3) or (isinstance(x, Mapping) and {"start_offset", "end_offset"} <= x.keys())
        for x in labels
    )


def _is_prodigy(item: Mapping[str, Any]) -> bool:
    spans = item.get("spans")
    labelled = isinstance(spans, list) and bool(spans) and all(isinstance(s, Mapping) and "label" in s for s in spans)
    return "text" in item and (labelled or ("answer" in item and isinstance(spans, list)))


_JSON_SHAPES: tuple[tuple[str, str, Any], ...] = (
    (
        "label-studio",
        "tasks with data, annotations and predictions",
        lambda i: isinstance(i.get("data"), Mapping) and bool({"annotations", "predictions", "completions"} & i.keys()),
    ),
    ("argilla", "records with fields, suggestions and responses", lambda i: isinstance(i.get("fields"), Mapping)),
    ("squad", "paragraphs with questions", lambda i: "paragraphs" in i),
    ("prodigy", "examples with labelled spans", _is_prodigy),
    ("doccano", "texts with [start, end, label] lists", _is_doccano),
)
