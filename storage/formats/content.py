"""Which format a file seems to be in, from its content; the name only decides where the content leaves it open."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from storage.formats.encodings import Encoding, detect_encoding, open_text
from storage.formats.json_file import is_spacy_training
from storage.formats.json_text import is_json_lines, iter_items, iter_lines
from storage.formats.registry import FORMATS, Format
from storage.formats.rows import FormatError, RowError
from storage.formats.tagged import is_tag
from storage.formats.values import plain
from storage.formats.vocabulary import LISTS

_REFUSED_MAGIC = {
    b"SQLite format 3": "a SQLite database; save its table of posts as .csv",
    b"%PDF": "a PDF; copy its text into a table",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file; save it as .xlsx or .csv",
    b"\x1f\x8b": "a gzip file; unpack it first",
    b"{\\rtf": "a rich text file; copy its text into a table",
    b"7z\xbc\xaf": "a 7-Zip archive; use .zip",
    b"Rar!": "a RAR archive; use .zip",
    b"\x89PNG": "a picture; posts are text",
    b"\xff\xd8\xff": "a picture; posts are text",
    b"GIF8": "a picture; posts are text",
    b"$FL2": "a file of SPSS; save it as .csv or .xlsx",
    b"<stata_dta>": "a file of Stata; save it as .csv",
    b"ARROW1": "an Arrow file; import the folder of the dataset that it belongs to",
}
_PASSAGES = frozenset((*LISTS, "rationale", "rationales"))  # lists beside a list of labels
HEAD_CHARACTERS = 1 << 16
_BARE_TAG = re.compile(r"[A-Z][A-Z0-9_&/+-]{1,60}")
_TREEBANK_ID = re.compile(r"\d+(?:[-.]\d+)?")


@dataclass(frozen=True, slots=True)
class Detected:
    """The format that a path seems to be in, the reason in words, and the encoding of a text file. left: names of files not read."""

    format: Format
    reason: str
    encoding: Encoding = Encoding("utf-8")  # noqa: RUF009 (immutable)
    left: tuple[str, ...] = field(default=())


def detect_file(path: Path, *, encoding: str | None = None) -> Detected:
    """The format of a file. Raises FormatError for an empty one and for content that no reader knows."""
    if not path.is_file():
        raise FormatError(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise FormatError(f"{path.name} is empty.")
    with path.open("rb") as file:
        head = file.read(4096)
    for magic, what in _REFUSED_MAGIC.items():
        if head.startswith(magic):
            raise FormatError(f"{path.name} cannot be imported: it is {what}.")
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
    if not (isinstance(item.get("text"), str) or isinstance(item.get("data"), str)):
        return False
    for key in ("label", "labels", "entities"):
        labels = item.get(key)
        if (
            isinstance(labels, list)
            and all(map(_is_doccano_label, labels))
            and (labels or {"id", "offsets"} & item.keys())
            and not (
                labels and isinstance(labels[0], str) and any(plain(str(k)) in _PASSAGES for k in item if k != key)
            )
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
    of_articles = isinstance(item.get("paragraphs"), list) and not is_spacy_training(item)
    return of_articles or ("context" in item and isinstance(item.get("qas"), list))


_JSON_SHAPES: tuple[tuple[str, str, Any], ...] = (
    ("label-studio", "tasks with data, annotations and predictions", _is_label_studio),
    ("argilla", "records with fields, suggestions and responses", _is_argilla),
    ("squad", "paragraphs with questions", _is_squad),
    ("prodigy", "examples with labelled spans", _is_prodigy),
    ("doccano", "texts with [start, end, label] lists", _is_doccano),
)
