"""Tables of coded segments (MAXQDA, ATLAS.ti, NVivo, Taguette, QualCoder): a document's name, a code, the words.

And columns that are evidence by what they hold, words of the text beside a label; and numbered ones: `symptom1`, `evidence1`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from storage.formats.answers import is_verdict
from storage.formats.synonyms import SYNONYMS
from storage.formats.values import decoded, is_listed, plain, values_of
from storage.formats.vocabulary import LISTS

_DOCUMENTS = ("documentname", "docname", "document", "documenttitle", "dokumentname", "dokument", "filename", "file", "mediatitle",
              "source", "sourcename", "datei")  # fmt: skip
_CODES = ("code", "codes", "codename", "tag", "tags", "node", "nodes", "theme", "kode", "label", "category")
_SEGMENTS = ("segment", "segmenttext", "codedsegment", "codedsegments", "codedtext", "quotationcontent", "quotation", "quotationtext",
             "seltext", "selectedtext", "highlightedtext", "highlightedcontent", "textsegment", "excerptcopy", "excerpt", "highlight",
             "content", "kodiertestextsegment", "kodiertersegment")  # fmt: skip
_CODERS = (
    "createdby",
    "modifiedby",
    "codedby",
    "coder",
    "codername",
    "owner",
    "user",
    "annotator",
    "author",
    "ersteller",
)
_NOTES = ("comment", "memo", "kommentar")
_PLURALS = ("labels", "criteria", "symptoms", "codes", "code", "tags", "categories", "classes", "classification", "codename", "node",
            "theme", "entitytype", "entitylabel", "concept", "rubric", "subcategory", "construct", "dimension")  # fmt: skip
_QUOTED = frozenset(("segment", "segments", "codedtext", "codedsegment", "quotation", "quotationcontent", "selectedtext", "highlightedtext",
                     "seltext", "quotes", "excerpts", "evidences"))  # fmt: skip
# words of these names may be about the text: they are evidence where they stand in it
_MAY_BE_QUOTED = frozenset((
    *LISTS, *_SEGMENTS, "rationale", "rationales", "snippet", "phrase", "phrases", "cue", "trigger", "mention", "sentence", "sentences",
    "clause", "justification", "support", "supporttext", "supportingtext", "matchedtext", "substring", "entitytext", "answertext",
    "annotatedtext",
))  # fmt: skip
_NUMBERED = re.compile(r"(\D+?)[\W_]*(\d{1,2})")
_NAME_WORDS = 6


def coded_segments(columns: Sequence[str], sample: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Column by field of a table of coded segments that has no texts; empty for any other. The document's name is the post's id."""
    names = {plain(c): c for c in reversed(columns)}
    document, code, segment = (_first(names, of) for of in (_DOCUMENTS, _CODES, _SEGMENTS))
    if document is None or code is None or segment is None or {"text", "posttext", "fulltext", "body"} & names.keys():
        return {}
    own = plain(segment) in _QUOTED or plain(document) in ("documentname", "dokumentname", "mediatitle")
    taguette = {plain(document), plain(code), plain(segment)} == {"document", "tag", "content"}
    documents = [str(v) for v in values_of(document, sample)]
    are_names = bool(documents) and all(len(d.split()) <= _NAME_WORDS and "\n" not in d for d in documents)
    if not (own or taguette) or not are_names or any(is_listed(v) for v in values_of(segment, sample)):
        return {}
    found = {"post_id": document, "criterion": code, "evidence": segment}
    for field, of in (("annotator", _CODERS), ("note", _NOTES)):
        if (column := _first(names, of)) is not None and column not in found.values():
            found[field] = column
    return found


def numbered_labels(columns: Sequence[str], sample: Sequence[Mapping[str, Any]]) -> tuple[dict[str, str], ...]:
    """The columns by field of each of several labels of a row: `symptom1`, `evidence1`, `symptom2`, `evidence2`; none for one alone."""
    fields = {s: f for f in ("criterion", "verdict", "start", "end", "evidence", "note") for s in SYNONYMS[f]}
    fields |= dict.fromkeys(_QUOTED, "evidence")
    groups: dict[str, dict[str, str]] = {}
    for column in columns:
        if (match := _NUMBERED.fullmatch(column.strip())) and (field := fields.get(plain(match[1]))):
            groups.setdefault(str(int(match[2])), {}).setdefault(field, column)
    found = [g for g in groups.values() if "criterion" in g and ("evidence" in g or {"start", "end"} <= g.keys())]
    named = all(_are_labels(values) for g in found if (values := values_of(g["criterion"], sample)))
    return tuple(found) if len(found) > 1 and named else ()


def label_beside(columns: Sequence[str], found: Mapping[str, str], sample: Sequence[Mapping[str, Any]]) -> str | None:
    """The column of the labels where none is called like a criterion: one of names that may be, beside evidence."""
    names = {plain(c): c for c in reversed(columns) if c not in found.values()}
    return next((names[n] for n in _PLURALS if n in names and _are_labels(values_of(names[n], sample))), None)


def evidence_beside(
    columns: Sequence[str], found: Mapping[str, str], sample: Sequence[Mapping[str, Any]]
) -> str | None:
    """The column of the evidence: one that is called so in other words, or whose words (in most rows) stand in the text."""
    free = [c for c in columns if c not in found.values()]
    sure = (c for c in free if plain(c) in _QUOTED and values_of(c, sample))
    text = found.get("text", "")
    return next(sure, None) or next(
        (c for c in free if plain(c) in _MAY_BE_QUOTED and _stands_in(c, text, sample)), None
    )


def _are_labels(values: Sequence[Any]) -> bool:
    listed = [decoded(v) for v in values]
    words = [w for v in listed for w in (v if isinstance(v, list | tuple) else [v])]
    return bool(words) and all(isinstance(w, str) and len(w) < 200 for w in words) and not all(map(is_verdict, words))


def _stands_in(column: str, text: str, sample: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the values are words of the texts beside them, or places in lists, in at least four of five rows."""
    there = total = 0
    for record in sample:
        value, words = decoded(record.get(column)), record.get(text)
        for piece in value if isinstance(value, list | tuple) else [value]:
            if not isinstance(words, str) or not piece:
                continue
            total += 1
            there += _is_place(piece) or (
                isinstance(piece, str) and _bare(piece) in _bare(words) and _bare(piece) != _bare(words)
            )
    return total > 0 and there * 5 >= total * 4


def _is_place(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(v, int) for v in value)


def _bare(words: str) -> str:
    return " ".join(words.casefold().split()).strip(" .\"'“”„‘’")


def _first(names: Mapping[str, str], wanted: Sequence[str]) -> str | None:
    return next((names[n] for n in wanted if n in names), None)
