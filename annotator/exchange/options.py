"""What an import is told and what it answers: options, errors, report. Plain data that survives as JSON (jobs, presets)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from encoder.text.align import ACCEPT
from storage.records import EvidenceError, Split

REPORTED_ROWS = 1000


class ImportRefused(EvidenceError):
    """Nothing was imported; the text says why and what to do."""


class ImportCancelled(EvidenceError):
    """Somebody asked the import to stop; nothing was imported."""


class LabelsAs(StrEnum):
    """What becomes of the labels that a file brings."""

    ANSWERS = "annotations"  # each under its annotator's name
    GOLD = "gold"  # the settled answers, as an adjudicator's
    PREDICTIONS = "predictions"  # to be accepted or rejected by a reviewer
    IGNORE = "ignore"


class SameText(StrEnum):
    """What becomes of a post whose text is there already under another id."""

    SKIP = "skip"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a file is to be read.

    columns: column by field where the guess is wrong. criteria: our criterion by the file's label.
    new_criteria: add criteria that the project does not have. annotator: whose answers they are where the file does not say.
    region: of phone numbers without a country code. accept: least score of evidence that is placed without asking. sheet: of a
    workbook. mend: repair texts that were decoded wrongly before they were saved. unescape: turn HTML entities into characters.
    strict: refuse the whole file if anything of it would be lost.
    """

    format: str = "auto"
    encoding: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    labels_as: LabelsAs = LabelsAs.ANSWERS
    annotator: str = "imported"
    criteria: Mapping[str, str] = field(default_factory=dict)
    new_criteria: bool = False
    same_text: SameText = SameText.SKIP
    split: Split | None = None
    source: str | None = None
    mask: bool = False
    region: str = "US"
    accept: float = ACCEPT
    sheet: str | None = None
    mend: bool = False
    unescape: bool = False
    strict: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {k: dict(v) if isinstance(v, Mapping) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ImportOptions:
        """Options from JSON; unknown names are refused. Raises ImportRefused."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ImportRefused(f"There is no import option {unknown[0]!r}. Options: {', '.join(sorted(known))}.")
        given = dict(values)
        for name, kind in (("labels_as", LabelsAs), ("same_text", SameText), ("split", Split)):
            if given.get(name):
                try:
                    given[name] = kind(given[name])
                except ValueError:
                    choices = ", ".join(kind)
                    raise ImportRefused(f"{name} is {given[name]!r}; it may be {choices}.") from None
        return cls(**given)


COUNTED = (
    "aligned",
    "uncertain",
    "unaligned",
    "several_places",
    "likeliest",
    "odd_edges",
    "repaired",
)  # as labels are placed
LIKELIEST = "not word for word in the post: what is most like it is taken"
ODD_EDGES = "placed by offsets alone with an edge inside a word or on white space: do these count characters from 0, the end not included?"


@dataclass
class ImportReport:
    """Counts of an import. `rejected` holds the first REPORTED_ROWS refused rows; all are in the downloadable report.

    imported: new posts. duplicates: rows whose post was there already. annotations, predictions: stored answers.
    known_annotations: answers that were there already. aligned, uncertain, unaligned: evidence given as words.
    several_places: of the aligned, those whose words stand more than once in their post: the first place was taken.
    likeliest: of the aligned, those that do not stand in their post word for word: what is most like them was taken.
    odd_edges: passages by offsets alone that begin or end inside a word or on white space: the offsets may count something else.
    repaired: offsets in UTF-16 units that were converted. labels_refused: answers that could not be taken.
    renamed: ids and names that are kept as another one.
    renamed_models: the name kept, by the file's, of models called as this store calls the predictions of an import.
    mojibake_rows: texts that look wrongly decoded, mended_rows: those that were mended. generated_ids: posts whose id was made from
    their text. language: a line if the first posts look like another language than the criteria's.
    ledger: what became of every column, key, label, sheet and file, as `storage.formats.ledger` counts it.
    """

    import_id: int | None = None
    format: str = ""
    detected: str = ""
    encoding: str = ""
    encoding_note: str = ""
    rows: int = 0
    imported: int = 0
    duplicates: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)
    rejected_count: int = 0
    annotations: int = 0
    known_annotations: int = 0
    predictions: int = 0
    aligned: int = 0
    uncertain: int = 0
    unaligned: int = 0
    several_places: int = 0
    likeliest: int = 0
    odd_edges: int = 0
    repaired: int = 0
    labels_refused: int = 0
    renamed: int = 0
    masked: int = 0
    mojibake_rows: int = 0
    mended_rows: int = 0
    mojibake_examples: list[dict[str, str]] = field(default_factory=list)
    generated_ids: int = 0
    language: str = ""
    unknown_criteria: dict[str, int] = field(default_factory=dict)
    new_criteria: list[str] = field(default_factory=list)
    renamed_models: dict[str, str] = field(default_factory=dict)
    ledger: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def took_something(report: Mapping[str, Any]) -> bool:
    """Whether anything of a file is in the project now, or was there before, by the import's report."""
    taken = ("imported", "annotations", "predictions", "uncertain", "duplicates", "known_annotations")
    return any(report[name] for name in taken)
