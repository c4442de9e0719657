"""Whose answers a row holds: what stands under a code that the project gives in place of a name is nobody's answer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import compress

from annotator.exchange.decisions import leave_decisions
from annotator.exchange.options import ImportOptions, LabelsAs
from annotator.exchange.placing import reviewer_of
from annotator.teams.naming import codes_of
from storage.formats.ledger import Ledger
from storage.formats.rows import ImportRow, Label, LabelKind
from storage.store import Store

CODED = (
    "stands under a code for a name of this project: import an export made by somebody who is told the names;"
    " an annotator whose name this is has to be called otherwise"
)


def codes_alone(store: Store) -> Collection[str]:
    """The codes that are no names as well."""
    return set(codes_of(store).values()) - {r.name for r in store.reviewers()}


def by_name(row: ImportRow, codes: Collection[str], options: ImportOptions, ledger: Ledger) -> ImportRow:
    """The row with all left out, and counted, that stands under one of the codes: a new person would get the same answers once more."""
    if options.labels_as is not LabelsAs.ANSWERS:
        return row

    def named(label: Label) -> Label:
        coded = label.kind is LabelKind.ANSWER and reviewer_of(label, options) in codes
        return replace(label, left_out=label.left_out or CODED) if coded else label

    coded = [str(d.get("adjudicator") or "").strip() in codes for d in row.adjudications]
    leave_decisions(replace(row, adjudications=tuple(compress(row.adjudications, coded))), ledger, CODED)
    decided = tuple(d for d, left in zip(row.adjudications, coded, strict=True) if not left)
    return replace(row, labels=tuple(map(named, row.labels)), adjudications=decided)
