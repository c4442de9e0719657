"""Mutated files of every format through the import: none ends in a trace, none takes long, and what is counted adds up.

    python -m benchmarks.import_fuzz [--files 5000] [--seed 0] [--seconds 5] [--keep DIR]

Prints a line per format: files, how many were taken and how many refused, the slowest, and what went wrong (none should).
--keep: where the files of which something went wrong are put.
"""

from __future__ import annotations

import argparse
import collections
import copy
import io
import json
import random
import shutil
import signal
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from annotator.exchange.importing import check_import
from annotator.exchange.options import ImportOptions, ImportRefused, ImportReport, took_something
from annotator.exchange.raw_rows import storable
from storage.formats.archive import unpacked
from storage.formats.detection import detect, file_in
from storage.formats.ledger import COLUMN, LABEL, LINE, SHEET, Ledger
from storage.formats.rows import FormatError, ImportRow, Row, RowError, Source
from storage.formats.values import is_empty
from storage.records import Criterion
from storage.store import Store, open_store

SLEEP, FOOD = "I lie awake until four.", "Food has no taste."
TEXT = f"{SLEEP} {FOOD}"
CRITERIA = (Criterion("SLEEP_ISSUES", "Sleep", "Sleeps badly."), Criterion("ANHEDONIA", "Joy", "Enjoys nothing."))
MAX_SECONDS = 5.0
PIECES = (b'"', b"\\", b",", b"\n", b"\x00", b"\xff", b"{", b"}", b"[", b"]", b":", b"\t", b"null", b"1e999", b"-1", b"\xf0\x9f\x98\xad",
          b"#", b"'", b" ", b"<", b"&", b"T1", b"0", b"|", b"_", b"\r")  # fmt: skip
VALUES: tuple[Any, ...] = ("x", "", None, True, False, 0, -1, 7, 1e300, [], {}, [1, "a"], ["SLEEP_ISSUES"], {"k": [1]}, "[1", "2", [[]],
          [[0, 4, "SLEEP_ISSUES"]], [{"start": 0, "end": 4, "label": "ANHEDONIA"}], {"text": "x"}, "\ud83d", "\x00")  # fmt: skip
KEYS = (
    "id",
    "text",
    "label",
    "labels",
    "spans",
    "entities",
    "annotations",
    "start",
    "end",
    "value",
    "answer",
    "meta",
    "verdict",
    "n",
)
Parts = dict[str, bytes]


class TookTooLong(BaseException):
    """No Exception: nothing between here and the reader may take it for a fault of the file."""


@dataclass
class Tally:
    """What became of the files of one format. wrong: (number of the file, in words)."""

    files: int = 0
    taken: int = 0
    refused: int = 0
    slowest: float = 0.0
    wrong: list[tuple[int, str]] = field(default_factory=list)


# --- the files to begin with


@dataclass(frozen=True)
class Start:
    """A good file of a format. parts: by name, what is mutated; packed: makes the file's bytes of them, else they are a folder."""

    parts: Parts
    packed: Callable[[Parts], bytes] | None = None
    name: str = ""

    def write(self, folder: Path, parts: Parts) -> Path:
        """The file, or the folder of files where there are several."""
        if self.packed is not None:
            (folder / self.name).write_bytes(self.packed(parts))
            return folder / self.name
        for name, data in parts.items():
            (folder / name).write_bytes(data)
        return folder if len(parts) > 1 else folder / next(iter(parts))


def starts() -> dict[str, Start]:
    """By format. What only an optional package can write is missing where the package is."""
    span = {"start": 0, "end": 23, "label": "SLEEP_ISSUES"}
    region = {
        "value": {"start": 0, "end": 23, "text": SLEEP, "labels": ["SLEEP_ISSUES"]},
        "type": "labels",
        "to_name": "text",
    }
    task = {"id": 7, "data": {"text": TEXT, "link": "x"}, "annotations": [{"result": [region], "lead_time": 3.2}]}
    question = {"id": "1", "question": "SLEEP_ISSUES", "answers": [{"text": SLEEP, "answer_start": 0}]}
    asked = {"data": [{"title": "t", "paragraphs": [{"context": TEXT, "qas": [question]}]}]}
    response = {"value": [span], "user_id": "u", "status": "submitted"}
    texts = {
        "csv": f'id,text,criterion,start,end\n1,"{TEXT}",SLEEP_ISSUES,0,23\n2,"He said ""no"", twice.",,,\n',
        "tsv": f"id\ttext\tSLEEP_ISSUES\tnote\n1\t{TEXT}\tevidence\tx\n2\tOn and on.\tno_evidence\ty\n",
        "label-studio-csv": f'id,text,label,lead_time\n1,"{TEXT}","{json.dumps([region["value"]]).replace(chr(34), chr(34) * 2)}",2\n',
        "jsonl": _lines(
            {"id": "a", "text": TEXT, "entities": [[0, 23, "SLEEP_ISSUES"]], "n": 1},
            {"id": "b", "text": "Fine.", "spans": []},
        ),
        "label-studio": json.dumps([task]),
        "label-studio-min": json.dumps([{"id": 1, "text": TEXT, "label": [region["value"]], "annotator": 2}]),
        "squad": json.dumps(asked),
        "doccano": _lines({"id": 1, "text": TEXT, "label": [[0, 23, "SLEEP_ISSUES"]], "Comments": []}),
        "prodigy": _lines({"text": TEXT, "spans": [span], "answer": "accept", "_input_hash": 1, "meta": {"id": "p"}}),
        "argilla": _lines({"id": "a", "fields": {"text": TEXT}, "responses": {"q": [response]}}),
        "pairs": json.dumps([[TEXT, {"entities": [[0, 23, "SLEEP_ISSUES"]]}]]),
        "reddit": _lines({"id": "a1", "name": "t3_a1", "title": "Awake", "selftext": TEXT, "author": "x", "subreddit": "y"}),
        "conll": "# id = d1\nI O\nlie B-SLEEP_ISSUES\nawake I-SLEEP_ISSUES\n\nFine O\n. O\n",
        "webanno": f"#FORMAT=WebAnno TSV 3.3\n#T_SP=a.Evidence|label\n\n\n#Text={SLEEP}\n"
        "1-1\t0-1\tI\t_\t\n1-2\t2-5\tlie\tSLEEP_ISSUES[1]\t\n",
    }  # fmt: skip
    suffixes = {"webanno": "tsv", "label-studio-csv": "csv", "conll": "conll", "csv": "csv", "tsv": "tsv"}
    lines = ("jsonl", "doccano", "prodigy", "argilla", "reddit")
    found = {
        name: Start({f"in.{suffixes.get(name, 'jsonl' if name in lines else 'json')}": text.encode()})
        for name, text in texts.items()
    }
    found["brat"] = Start(
        {
            "a.txt": TEXT.encode(),
            "a.ann": b"T1\tSLEEP_ISSUES 0 23\tI lie awake until four.\nA1\tNegated T2\n#1\tAnnotatorNotes T1\tx\n",
            "b.txt": FOOD.encode(),
            "b.ann": b"T1\tANHEDONIA 0 4;5 8\tFood has\n",
        }
    )
    found["redsm5"] = Start(
        {
            "redsm5_posts.csv": f'post_id,text\ns1,"{TEXT}"\n'.encode(),
            "redsm5_annotations.csv": "post_id,sentence_id,sentence_text,DSM5_symptom,status,explanation\n"
            f"s1,s1_1,{SLEEP},SLEEP_ISSUES,1,x\n".encode(),
        }
    )
    return found | dict(_made_by_libraries())


def _lines(*items: object) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


def _made_by_libraries() -> Iterator[tuple[str, Start]]:
    yield "xlsx", Start(_unzipped(_workbook()), _zipped, "in.xlsx")
    yield "parquet", Start({"in.parquet": _parquet()})
    try:
        import cassis

        types = cassis.TypeSystem()
        kind = types.create_type("custom.Evidence", supertypeName="uima.tcas.Annotation")
        types.create_feature(domainType=kind, name="label", rangeType="uima.cas.String")
        cas = cassis.Cas(types)
        cas.sofa_string, cas.sofa_mime = TEXT, "text/plain"
        cas.add(kind(begin=0, end=23, label="SLEEP_ISSUES"))
        yield "cas-xmi", Start({"doc.xmi": cas.to_xmi().encode(), "TypeSystem.xml": types.to_xml().encode()})
        yield "cas-json", Start({"doc.json": cas.to_json().encode()})
    except ImportError:
        pass
    try:
        import spacy
        from spacy.tokens import DocBin

        doc = spacy.blank("xx")(TEXT)
        doc.ents = [doc.char_span(0, 23, "SLEEP_ISSUES")]
        packed = zlib.decompress(DocBin(docs=[doc]).to_bytes())
        yield "spacy", Start({"docs": packed}, lambda parts: zlib.compress(parts["docs"]), "in.spacy")
    except ImportError:
        pass


def _workbook() -> bytes:
    from openpyxl import Workbook

    book, out = Workbook(), io.BytesIO()
    for row in (
        ["id", "text", "criterion", "evidence"],
        [1, TEXT, "SLEEP_ISSUES", SLEEP],
        [2, "On and on.", None, None],
    ):
        book.active.append(row)  # type: ignore[union-attr]
    book.save(out)
    return out.getvalue()


def _unzipped(data: bytes) -> Parts:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(parts: Parts) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def _parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = pa.BufferOutputStream()
    spans = [[{"start": 0, "end": 23, "label": "SLEEP_ISSUES"}], []]
    pq.write_table(pa.table({"id": ["1", "2"], "text": [TEXT, FOOD], "spans": spans}), out, compression="none")
    return bytes(out.getvalue().to_pybytes())


# --- mutating


def mutated(start: Start, made: random.Random) -> Parts:
    """The parts with a few changes, all in one of them: bytes put in, taken out or written over, or values of its JSON exchanged."""
    name = made.choice(list(start.parts))
    data = start.parts[name]
    changed = _other_values(data, made) if made.random() < 0.5 else None
    return {**start.parts, name: _other_bytes(data, made) if changed is None else changed}


def _other_bytes(start: bytes, made: random.Random) -> bytes:
    data = bytearray(start)
    for _ in range(made.choice((1, 1, 2, 3, 6))):
        at = made.randrange(len(data) + 1)
        kind = made.random()
        if kind < 0.4:
            data[at:at] = made.choice(PIECES)
        elif kind < 0.7:
            del data[at : at + made.randint(1, 12)]
        else:
            piece = made.choice(PIECES)
            data[at : at + len(piece)] = piece
    return bytes(data)


def _other_values(data: bytes, made: random.Random) -> bytes | None:
    """The JSON (or the lines of it) with some of its values and keys replaced; None if the data are no JSON."""
    try:
        lines = [json.loads(line) for line in data.splitlines()]
    except ValueError:
        return None
    for _ in range(made.choice((1, 1, 2, 3))):
        holders = [h for line in lines for h in _holders(line)]
        if not holders:
            break
        holder = made.choice(holders)
        key = made.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        if isinstance(holder, dict) and made.random() < 0.4:
            holder[made.choice(KEYS)] = holder.pop(key)
        else:
            holder[key] = copy.deepcopy(made.choice(VALUES))
    return "\n".join(map(json.dumps, lines)).encode()


def _holders(value: Any) -> Iterator[Any]:
    """The objects and lists in the value that hold anything, itself first."""
    if isinstance(value, dict | list) and value:
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holders(inner)


# --- checking


def check(path: Path, store: Store, folder: Path) -> tuple[bool, list[str]]:
    """(whether anything was taken, what is wrong in words). What is raised beside FormatError and ImportRefused is a trace."""
    try:
        rows, ledger = read_rows(path, folder)
    except FormatError as error:
        return False, _unclear([str(error)])
    wrong = _unclear([row.reason for row in rows if isinstance(row, RowError)])
    try:
        report = check_import(store, path, ImportOptions())
    except (FormatError, ImportRefused) as error:
        return False, [*wrong, *_unclear([str(error)]), *(["rows were read, yet the file was refused"] if rows else [])]
    labels = collections.Counter(storable(la.criterion) for row in rows for la in row.labels)
    booked = [(e["what"], e["name"], e["count"]) for e in report.ledger]
    for what in (COLUMN, LINE, SHEET):
        wrong += _differing(what, _totals(booked, what), _totals([(e.what, e.name, e.count) for e in ledger], what))
    wrong += _differing(LABEL, _totals(booked, LABEL), labels)
    wrong += _differing("key", _totals(booked, COLUMN), _keys_of_lines(path, report), subset=True)
    if report.rows != len(rows):
        wrong.append(f"{len(rows)} rows were read, {report.rows} reported")
    single = sum(1 for row in rows if isinstance(row, ImportRow) and not row.labels)
    settled = report.imported + report.duplicates + report.rejected_count
    if not single <= settled <= report.rows + sum(1 for row in rows if row.labels):
        wrong.append(f"of {report.rows} rows {settled} were imported, there already or refused")
    return took_something(report.to_dict()), wrong


def read_rows(path: Path, folder: Path) -> tuple[list[Row], Ledger]:
    """The rows, and a ledger of all that they account for. Raises FormatError."""
    with unpacked(path, folder) as data:
        content, _ = file_in(data)
        found = detect(content)
        source = Source(content, found.encoding.name, criteria=[n for c in CRITERIA for n in (c.id, c.name)])
        rows = list(found.format.read(source))
    for row in rows:
        source.ledger.add(row.account)
    return rows, source.ledger


def _unclear(reasons: list[str]) -> list[str]:
    return [f"no clear line: {r!r}" for r in reasons if not r or "Error(" in r or "Traceback" in r or "\n" in r]


def _totals(booked: list[tuple[str, str, int]], what: str) -> collections.Counter[str]:
    found: collections.Counter[str] = collections.Counter()
    for kind, name, count in booked:
        found[storable(name)] += count if kind == what and name != "post id" else 0
    return +found


def _differing(what: str, booked: Mapping[str, int], wanted: Mapping[str, int], *, subset: bool = False) -> list[str]:
    names = wanted if subset else {**booked, **wanted}
    return [
        f"{what} {name!r}: {booked.get(name, 0)} booked, {wanted.get(name, 0)} in the file"
        for name in names
        if booked.get(name, 0) != wanted.get(name, 0)
    ]


def _keys_of_lines(path: Path, report: ImportReport) -> collections.Counter[str]:
    """How often each key stands in a file of JSON lines, counted by the standard library alone."""
    found: collections.Counter[str] = collections.Counter()
    if path.suffix != ".jsonl" or report.format not in ("jsonl", "doccano", "prodigy", "argilla"):
        return found
    for line in path.read_bytes().split(b"\n"):
        try:
            item = json.loads(line.decode(report.encoding))
        except ValueError:
            continue
        if isinstance(item, dict):
            found.update(str(k) for k, v in item.items() if not is_empty(v))
    return found


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raises TookTooLong in what is inside if it runs for longer. In the main thread of a Unix system only."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise TookTooLong(f"took more than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def fuzz(
    name: str,
    start: Start,
    files: int,
    folder: Path,
    *,
    seed: int = 0,
    seconds: float = MAX_SECONDS,
    keep: Path | None = None,
) -> Tally:
    """Check `files` mutations of the start. folder: an empty one for the project and the files."""
    store = open_store(folder / "project")
    store.save_criteria(CRITERIA)
    tally, made = Tally(), random.Random(f"{name} {seed}")
    for number in range(files):
        place = folder / "in"
        place.mkdir()
        path = start.write(place, mutated(start, made))
        began = time.monotonic()
        try:
            with within(seconds):
                taken, wrong = check(path, store, folder)
        except (Exception, TookTooLong) as error:  # whatever is raised is what is looked for
            taken, wrong = False, [f"{type(error).__name__}: {error}"]
        tally.files += 1
        tally.slowest = max(tally.slowest, time.monotonic() - began)
        tally.taken += taken
        tally.refused += not taken
        tally.wrong += [(number, words) for words in wrong]
        if wrong and keep is not None:
            shutil.copytree(place, keep / f"{name}-{number}", dirs_exist_ok=True)
        shutil.rmtree(place)
    store.close()
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=MAX_SECONDS)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    found = starts()
    each, more = divmod(arguments.files, len(found))
    wrong = 0
    print("| format | files | something taken | refused | slowest | wrong |\n|---|---|---|---|---|---|")
    for place, (name, start) in enumerate(found.items()):
        with tempfile.TemporaryDirectory() as folder:
            files = each + (place < more)
            tally = fuzz(
                name, start, files, Path(folder), seed=arguments.seed, seconds=arguments.seconds, keep=arguments.keep
            )
        wrong += len(tally.wrong)
        print(
            f"| {name} | {tally.files} | {tally.taken} | {tally.refused} | {tally.slowest:.2f} s | {len(tally.wrong)} |",
            flush=True,
        )
        for number, words in tally.wrong[:20]:
            print(f"{name} {number}: {words}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
