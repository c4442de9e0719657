"""Several labels in one cell with their evidence beside them: `A|B` beside `a|b`, a list beside a list. First belongs to first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from storage.formats.answers import is_verdict
from storage.formats.values import decoded, is_empty, plain

_SEPARATORS = ("||", "|", "\n", ";", ",")
UNPAIRED = "{labels} labels stand beside {pieces} of evidence: which belongs to which cannot be told"


def pairs_of(
    labels: Any, evidence: Any, criteria: Sequence[str], *, each: bool = False
) -> list[tuple[str, Any]] | str | None:
    """(label, its evidence) of each of several labels; a reason where they cannot be told apart; None where the cell holds one label.

    criteria: names that are known: a word that is one of them is no list; words that all are, are one. each: all the evidence belongs to
    each of them.
    """
    names, separator = _names(decoded(labels), criteria)
    pieces = _pieces(decoded(evidence), separator, len(names))
    if len(names) == 1 and separator is None:
        return [(names[0], evidence)]
    known = separator is None or _are_known(names, criteria)
    if len(names) < 2 or not (known or (len(pieces) == len(names) and separator != ",")):
        return None
    if len(pieces) == len(names):
        return list(zip(names, pieces, strict=True))
    if each and known:
        return [(name, evidence) for name in names]
    count = f"{len(pieces)} pieces" if len(pieces) != 1 else "1 piece"
    return UNPAIRED.format(labels=len(names), pieces=count)


def _names(labels: Any, criteria: Sequence[str]) -> tuple[list[str], str | None]:
    """The labels, and what parts them in a cell; None where they are a list."""
    if isinstance(labels, list | tuple):
        return [v.strip() for v in labels if isinstance(v, str) and v.strip()], None
    if not isinstance(labels, str) or _are_known([labels], criteria):
        return [], ""
    for separator in _SEPARATORS:
        parts = [p.strip() for p in labels.split(separator) if p.strip()]
        if len(parts) > 1 and not any(map(is_verdict, parts)):
            return parts, separator
    return [], ""


def _pieces(evidence: Any, separator: str | None, wanted: int) -> list[Any]:
    """The pieces of evidence, one for each label; of a cell, by what parts the labels, or by a sign that parts as many."""
    if is_empty(evidence):
        return []
    if isinstance(evidence, list | tuple):
        return list(evidence)
    if not isinstance(evidence, str):
        return [evidence]
    signs = [s for s in dict.fromkeys((separator, "||", "|", "\n", ";")) if s and s != ","]
    parted = [[p.strip() for p in evidence.split(sign)] for sign in signs]
    return next((p for p in parted if len(p) == wanted), None) or next((p for p in parted if len(p) > 1), [evidence])


def _are_known(names: Sequence[str], criteria: Sequence[str]) -> bool:
    known = {re.sub(r"[\s_]", "", c).casefold() for c in criteria if plain(c)}
    return bool(names) and all(re.sub(r"[\s_]", "", n).casefold() in known for n in names)
