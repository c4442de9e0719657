"""Which formats there are, and what each can do. Loads a format's module when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from storage.attributes import Attributes
from storage.formats.rows import ExportContext, ExportPost, FormatError, Row, Source, Written
from storage.formats.said import NO_FLAGS, NO_LABELS, NO_SPANS

AUTO = "auto"
NO_RULE = "how an answer became gold, and adjudications"
NO_ADJUDICATION = "adjudications, but for their outcome"
_HERE = "storage.formats."


class Says(Enum):
    """What a format carries of what is said beside a verdict."""

    NOTHING = "nothing"
    RATIONALE = "rationale"  # of a span
    ALL = "all"  # severity, flags and rationale of a span, labels of the whole post


@dataclass(frozen=True, slots=True)
class Format:
    """One exchange format.

    suffix: of an exported file; '' for a folder. folder, file: what it is read from. table: its columns can be chosen from a list.
    options: the import options that have an effect on it. complete: it is given history and predictions too. all_posts: unless asked
    otherwise, posts without answers are written too. carries: the name of what its writer says it cannot carry. says_rule: it says of
    each gold answer how it became gold; adjudications go with the complete ones of these. says: what it carries of the attributes.
    """

    name: str
    title: str
    module: str
    suffix: str
    reads: bool = True
    writer: str | None = "write"
    table: bool = False
    options: tuple[str, ...] = ("columns", "encoding")
    complete: bool = False
    all_posts: bool = False
    carries: str = "CANNOT_CARRY"
    also_file: bool = False
    says_rule: bool = False
    says: Says = Says.NOTHING

    @property
    def is_folder(self) -> bool:
        return not self.suffix

    def takes(self, path: Path) -> bool:
        """Whether the path is of the kind that the format is read from: a file, a folder, or either."""
        return self.also_file or path.is_dir() == self.is_folder

    def read(self, source: Source) -> Iterator[Row]:
        """The rows of the file or folder; of a folder of files of this format, those of each."""
        if source.path.is_dir() and not self.takes(source.path):
            from storage.formats.parts import data_files, read_parts

            return read_parts(data_files(source.path), self._module().read, source, text="encoding" in self.options)
        return iter(self._module().read(source))

    def preview(self, source: Source) -> tuple[list[str], list[Mapping[str, Any]]]:
        """Column names and first records, of a table."""
        header, records = self._module().preview(source)
        return header, records

    def write(self, posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
        """Write a file, or fill the folder `path`. Offsets are checked against the text on the way."""
        written: Written = getattr(self._module(), str(self.writer))(posts, path, context)
        return written

    def cannot_carry(self) -> tuple[str, ...]:
        found: tuple[str, ...] = getattr(self._module(), self.carries)
        lost = () if self.says_rule and self.complete else (NO_ADJUDICATION,) if self.says_rule else (NO_RULE,)
        return (*found, *lost)

    def cannot_say(self, attributes: Attributes) -> tuple[str, ...]:
        """What of the project's attributes the format cannot carry; nothing where it defines none."""
        retired = attributes.retired_flags or attributes.retired_rationale
        of_spans = attributes.of_spans or retired or attributes.severity
        lost = {Says.NOTHING: NO_SPANS, Says.RATIONALE: NO_FLAGS}.get(self.says, "") if of_spans else ""
        return tuple(filter(None, (lost, NO_LABELS if attributes.labels and self.says is not Says.ALL else "")))

    def _module(self) -> Any:
        return importlib.import_module(_HERE + self.module)


_PACKED = ("columns",)
FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format(
            "jsonl",
            "JSON Lines, complete",
            "jsonl",
            ".jsonl",
            table=True,
            complete=True,
            all_posts=True,
            says_rule=True,
            says=Says.ALL,
        ),
        Format(
            "gold",
            "JSON Lines, gold only",
            "jsonl",
            ".jsonl",
            writer="write_gold",
            table=True,
            carries="CANNOT_CARRY_GOLD",
            says_rule=True,
            says=Says.ALL,
        ),
        Format("csv", "CSV", "delimited", ".csv", table=True, says=Says.ALL),
        Format("tsv", "TSV", "delimited", ".tsv", writer="write_tsv", table=True, says=Says.ALL),
        Format("xlsx", "Excel (XLSX)", "xlsx", ".xlsx", table=True, options=(*_PACKED, "sheet"), says=Says.ALL),
        Format("json", "JSON", "json_file", ".json", writer=None, table=True),
        Format("parquet", "Parquet", "parquet", ".parquet", table=True, options=_PACKED, says=Says.ALL),
        Format("squad", "SQuAD v2", "squad", ".json"),
        Format("hf", "Hugging Face dataset folder", "hf_folder", "", table=True, says=Says.ALL),
        Format("tables", "Folder of tables", "tables", "", writer=None, table=True, options=("columns", "sheet")),
        Format("label-studio", "Label Studio", "label_studio", ".json", complete=True, says=Says.ALL),
        Format("doccano", "doccano JSONL", "doccano", ".jsonl"),
        Format("prodigy", "Prodigy JSONL", "prodigy", ".jsonl"),
        Format("argilla", "Argilla records", "argilla", ".jsonl", complete=True),
        Format("brat", "brat standoff", "brat", "", options=("encoding",), says=Says.ALL),
        Format("conll", "BIO / CoNLL columns", "conll", ".conll", options=("encoding",)),
        Format("redsm5", "ReDSM5 layout", "redsm5", "", options=("encoding",), says=Says.RATIONALE),
        Format("trec", "TREC qrels of sentences", "trec", "", reads=False),
        Format("clpsych", "CLPsych evidence per user (JSON)", "clpsych", ".json", reads=False),
        Format("webanno", "WebAnno TSV 3", "webanno", ".tsv", writer=None, options=("encoding",)),
        Format("cas", "UIMA CAS (XMI, JSON)", "cas", ".xmi", writer=None, options=(), also_file=True),
        Format("spacy", "spaCy DocBin", "spacy_docs", ".spacy", writer=None, options=()),
    )
}
READERS = tuple(f.name for f in FORMATS.values() if f.reads)
WRITERS = tuple(f.name for f in FORMATS.values() if f.writer)


def format_named(name: str, *, among: Sequence[str] = (AUTO, *READERS)) -> Format:
    """Raises FormatError for a name that is no format. among: the names that are of use to who asks, which the error tells."""
    try:
        return FORMATS[name.replace("_", "-").lower()]
    except KeyError:
        raise FormatError(f"There is no format {name!r}. Formats: {', '.join(among)}.") from None


def writer_named(name: str) -> Format:
    """Raises FormatError for a name that is no format, or one that can only be read."""
    found = format_named(name, among=WRITERS)
    if found.writer is None:
        raise FormatError(f"{found.title} cannot be written. Formats: {', '.join(WRITERS)}.")
    return found
