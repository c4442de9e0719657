"""UIMA CAS as INCEpTION and other tools of its family export it: XMI with its type system, and JSON. Read only, through dkpro-cassis.

Offsets in the files count UTF-16 units; the library turns them into code points.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from storage.attributes import Attributes
from storage.formats.labels import Given
from storage.formats.ledger import COLUMN, FILE, Key, Outcome
from storage.formats.rows import FormatError, ImportRow, Label, Passage, Row, RowError, Source
from storage.formats.said import said_of_features
from storage.formats.standing import TAKES_BACK, takes_back
from storage.formats.webanno import GRAMMAR, document_of, label_feature
from storage.records import Verdict

MAX_BYTES = 256 << 20
TYPE_SYSTEM = ("typesystem.xml", "TypeSystem.xml")
CANNOT_CARRY: tuple[str, ...] = ()
_STRUCTURE = (
    *GRAMMAR,
    "DocumentAnnotation",
    "DocumentMetaData",
    "TagsetDescription",
    "Constituent",
    "Chunk",
    "Div",
    "Compound",
)
_BUILT_IN = ("begin", "end", "sofa", "xmiID", "type", "self")


def read(source: Source) -> Iterator[Row]:
    """A post per document: the file, or each XMI and JSON file of a folder. A document that cannot be read costs itself."""
    files = _documents(source)
    for number, file in enumerate(files, start=1):
        try:
            cas = _loaded(file)
        except FormatError as error:
            if len(files) == 1:
                raise
            yield RowError(number, str(error))
            continue
        yield _row(number, file, cas, source.attributes)


def _documents(source: Source) -> list[Path]:
    if source.path.is_file():
        return [source.path]
    files = [p for p in sorted(source.path.rglob("*")) if p.is_file()]
    found = [p for p in files if p.suffix.lower() == ".xmi"] or [p for p in files if p.suffix.lower() == ".json"]
    for file in files:
        if file not in found and file.name not in TYPE_SYSTEM:
            source.ledger.count(FILE, file.relative_to(source.path).as_posix(), Outcome.LEFT, "is no CAS document")
    return found


def _loaded(file: Path) -> Any:
    """The document. Raises FormatError."""
    try:
        import cassis
    except ImportError:
        raise FormatError("UIMA CAS files are read through dkpro-cassis: pip install dkpro-cassis") from None
    if file.stat().st_size > MAX_BYTES:
        raise FormatError(f"{file.name} is larger than {MAX_BYTES >> 20} MB; export the documents one by one.")
    try:
        with warnings.catch_warnings(), file.open("rb") as opened:
            warnings.simplefilter("ignore")
            if file.suffix.lower() == ".json" or opened.peek(1)[:1] == b"{":  # type: ignore[attr-defined]
                return cassis.load_cas_from_json(opened)
            types = _type_system(file)
            _refuse_entities(opened, file.name)
            with types.open("rb") as description:
                _refuse_entities(description, types.name)
                return cassis.load_cas_from_xmi(opened, typesystem=cassis.load_typesystem(description), lenient=True)
    except FormatError:
        raise
    except Exception as error:  # the library raises whatever its parsers do; the file is at fault
        raise FormatError(f"{file.name} is no readable UIMA CAS ({type(error).__name__}).") from error


def _type_system(file: Path) -> Path:
    for name in TYPE_SYSTEM:
        if (file.parent / name).is_file():
            return file.parent / name
    raise FormatError(
        f"{file.name} needs its type system, {TYPE_SYSTEM[1]}, beside it: import the folder, or a zip file of both."
    )


def _refuse_entities(opened: Any, name: str) -> None:
    """A document type in XML may define entities that grow without limit; no CAS has one."""
    head = opened.read(1 << 16)
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise FormatError(f"{name} defines XML entities: refused.")
    opened.seek(0)


def _row(number: int, file: Path, cas: Any, attributes: Attributes) -> Row:
    text = cas.sofa_string
    if not isinstance(text, str) or not text.strip():
        return RowError(number, f"{file.name} holds no text")
    account: dict[Key, int] = {}
    for sofa in cas.sofas:
        if sofa.sofaString is not text and sofa.sofaID != "_InitialView":
            account[FILE, f"view {sofa.sofaID}", Outcome.LEFT, "only the first view of a document is read"] = 1
    post_id, annotator = _named(file, cas)
    labels = [
        la
        for found in cas.select_all_annotations()
        if (la := _label(found, account, annotator, attributes)) is not None
    ]
    return ImportRow(number=number, post_id=post_id, text=text, labels=tuple(labels), account=account)


def _named(file: Path, cas: Any) -> tuple[str, str | None]:
    """The document's id and who annotated it, by its place in a project of INCEpTION, else the title that the document has."""
    post_id, annotator = document_of(file)
    if annotator is None:
        titles = (getattr(a, "documentTitle", None) for a in cas.select_all_annotations())
        title = next((t for t in titles if isinstance(t, str) and t.strip()), None)
        return (title or post_id).strip(), None
    return post_id, annotator


def _label(found: Any, account: dict[Key, int], annotator: str | None, attributes: Attributes) -> Label | None:
    """The label of an annotation; None (and counted) for one of the text's structure, and for one without a place."""
    short = found.type.name.rsplit(".", 1)[-1]

    def count(name: str, outcome: Outcome, detail: str) -> None:
        key = (COLUMN, name, outcome, detail)
        account[key] = account.get(key, 0) + 1

    start, end = getattr(found, "begin", None), getattr(found, "end", None)
    if short in _STRUCTURE:
        count(short, Outcome.LEFT, "the text's structure or grammar")
        return None
    if not isinstance(start, int) or not isinstance(end, int) or hasattr(found, "Governor"):
        count(short, Outcome.LEFT, "has no place in the text, or is a relation")
        return None
    features = {f.name: getattr(found, f.name, None) for f in found.type.all_features if f.name not in _BUILT_IN[:4]}
    said, used = said_of_features(features, attributes)
    for feature in sorted(used):
        count(f"{short}.{feature}", Outcome.TAKEN, "severity, flags and rationale")
    features = {name: value for name, value in features.items() if name not in used}
    name = label_feature({k: v for k, v in features.items() if isinstance(v, str) and v.strip()})
    why = ""
    for feature, value in features.items():
        if feature == name or value in (None, "", []):
            continue
        if takes_back(feature, value):
            why = why or f"marked {feature}: {value}"
            count(f"{short}.{feature}", Outcome.LEFT, TAKES_BACK)
        else:
            count(f"{short}.{feature}", Outcome.LEFT, "a further feature of a span; one alone is the label")
    count(short, Outcome.TAKEN, "labels")
    label = features[name] if name else short
    passage = Passage(start, end, attributes=said)
    return Given(annotator=annotator).a_label(label, Verdict.EVIDENCE, passage, left_out=why)
