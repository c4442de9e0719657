"""Criteria and guidelines: reading them with all their versions, and an admin's changes. No gradio, no torch.

A changed wording is a new version; the old ones stay, because each decision is tied to the wording that was shown.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from annotator.people.accounts import allow
from annotator.review.wording_changes import changes
from storage.attributes import SEVERITY, Attributes, Scale
from storage.criteria_file import PASSAGE_FIELDS, passages_from
from storage.criterion_examples import PostExample
from storage.records import (
    MOST_EXAMPLE_CHARACTERS,
    MOST_EXAMPLES,
    Conflict,
    Criterion,
    InvalidRecord,
    NotFound,
    Reviewer,
    Role,
    Span,
    merge_overlapping,
)
from storage.store import Store
from storage.team_records import Outcome

Wire = dict[str, Any]


def criteria_with_versions(store: Store, me: Reviewer) -> list[Wire]:
    """Every criterion in page order, those out of use last, each with its earlier wordings (newest first), what became different after
    each, and the passages of adjudicated posts that `me` may see as examples.
    """
    current = store.criteria(with_inactive=True)
    ordered = sorted(current, key=lambda c: (not c.active, c.position, c.id))
    since = {(w.id, w.version): w.created_at for w in store.wordings()}
    examples = examples_before(store, me)
    return [
        {
            **_wire(c),
            "earlier": [
                {**_wire(v), "at": since[c.id, v.version], "changes": changes(v, after)}
                for v, after in _earlier(store, c)
            ],
            "from_posts": [e for e in examples if e["criterion_id"] == c.id],
        }
        for c in ordered
    ]


def add_examples(store: Store, me: Reviewer, post_id: str, criterion_id: str) -> int:
    """Keep the passages of an adjudicated answer as examples: those of the decision; of no evidence, what readers marked. Returns how many.

    Raises NotAllowed unless `me` may adjudicate, InvalidRecord where there is no such decision or nothing was marked, or too many.
    """
    allow(me, Role.ADJUDICATOR)
    decision = store.latest_adjudications([post_id]).get((post_id, criterion_id))
    if decision is None or decision.id not in store.visible_decisions(post_id, me.name):
        raise InvalidRecord("Examples are taken from what was adjudicated. Decide first.")
    evidence = decision.outcome is Outcome.EVIDENCE
    if not evidence and decision.outcome is not Outcome.NO_EVIDENCE:
        raise InvalidRecord("Nothing was decided about passages here: there is no example to take.")
    marked = decision.spans if evidence else _marked(store, post_id, criterion_id)
    known = {
        (e.post_id, e.start, e.end)
        for e in store.examples(None)
        if e.criterion_id == criterion_id and e.evidence == evidence
    }
    if not marked:
        raise InvalidRecord("Nobody marked a passage here: there is no example to take.")
    if len(known | {(post_id, span.start, span.end) for span in marked}) > MOST_EXAMPLES:
        raise InvalidRecord(
            f"There are {len(known)} such examples, with those of posts that you have not read; keep at most {MOST_EXAMPLES}."
            " Remove some on Guidelines."
        )
    for span in marked:
        store.add_example(PostExample(criterion_id, post_id, span.start, span.end, evidence), by=me.name)
    return len(marked)


def remove_example(store: Store, wire: Wire, *, by: Reviewer) -> None:
    """Raises NotAllowed unless `by` may adjudicate, NotFound."""
    allow(by, Role.ADJUDICATOR)
    store.remove_example(PostExample(wire["criterion_id"], wire["post_id"], wire["start"], wire["end"], True))


def _marked(store: Store, post_id: str, criterion_id: str) -> list[Span]:
    latest = [a for a in store.latest_annotations(post_id) if a.criterion_id == criterion_id]
    return list(merge_overlapping([s.span for a in latest for s in a.spans]))


def examples_before(store: Store, me: Reviewer) -> list[Wire]:
    """The passages of adjudicated posts that `me` may see as examples."""
    names = ("criterion_id", "post_id", "start", "end", "evidence")
    return [
        {**{name: getattr(e, name) for name in names}, "words": e.words[:MOST_EXAMPLE_CHARACTERS]}
        for e in store.examples(me.name)
    ]


def fresh_examples(store: Store, me: Reviewer, known: str | None) -> Wire:
    """`examples_before` with a mark of what they are; nothing where they are those of the mark `known`."""
    found = examples_before(store, me)
    mark = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]
    return {} if mark == known else {"examples": found, "examples_mark": mark}


def save_criterion(store: Store, wire: Wire, *, by: Reviewer) -> Criterion:
    """Change a criterion, or add one at the end if `wire` has no "version".

    wire: id, name, text, guideline, examples and counterexamples (one a line, or a list), active, and as "version" the one that
    was on the screen. Returns what is stored now.
    Raises NotAllowed unless `by` is an admin, Conflict if somebody else changed it meanwhile, InvalidRecord, NotFound.
    """
    allow(by, Role.ADMIN)
    with store.write():
        known = {c.id: c for c in store.criteria(with_inactive=True)}
        before = known.get(str(wire["id"]))
        if wire.get("version") is None:
            return _add(store, wire, known, by)
        if before is None:
            raise NotFound(f"There is no criterion {wire['id']!r}.")
        if int(wire["version"]) != before.version:
            raise Conflict(
                f"{before.id} was changed by somebody else meanwhile (version {before.version}). Load the page again.",
                current_revision=before.version,
            )
        changed = replace(before, **_wording(wire), active=bool(wire.get("active", True)))
        return store.save_criteria([changed], by=by.name)[0]


def attributes_form(attributes: Attributes) -> Wire:
    """What is in use, as lines that can be changed: the question, scales as `name: level < level` or `name: level, level`, flags."""
    severity = attributes.severity
    return {
        "rationale": attributes.rationale,
        "severity": _scale_line(severity) if severity and severity.levels else "",
        "flags": ", ".join(attributes.flags),
        "labels": "\n".join(map(_scale_line, attributes.of_posts)),
    }


def save_attributes(store: Store, wire: Wire, *, by: Reviewer) -> Wire:
    """Change what can be said of spans and posts. wire: as `attributes_form` gives it, and as "before" what was on the screen.

    Returns the form as it is now. Raises NotAllowed unless `by` is an admin, Conflict if somebody else changed it meanwhile,
    InvalidRecord.
    """
    allow(by, Role.ADMIN)
    with store.write():
        if attributes_form(store.attributes()) != wire["before"]:
            raise Conflict("This was changed by somebody else meanwhile. Load the page again.", current_revision=0)
        severity = str(wire.get("severity") or "").strip()
        given = Attributes(
            rationale=str(wire.get("rationale") or "").strip(),
            severity=_scale_of(severity, SEVERITY) if severity else None,
            flags=_listed(str(wire.get("flags") or "").replace("\n", ","), ","),
            labels=tuple(_scale_of(line, "") for line in str(wire.get("labels") or "").splitlines() if line.strip()),
        )
        return attributes_form(store.replace_attributes(given))


def _scale_line(scale: Scale) -> str:
    return f"{scale.name}: {(' < ' if scale.ordered else ', ').join(scale.levels)}"


def _scale_of(line: str, usual: str) -> Scale:
    name, colon, levels = line.partition(":")
    if not colon:
        name, levels = usual, line
    if not name.strip():
        raise InvalidRecord(f"{line.strip()[:60]!r}: write a label of posts as name: level < level < level.")
    ordered = "<" in levels or (not colon and "," in levels)
    found = _listed(levels, "<" if "<" in levels else ",")
    if len(found) < 2:
        raise InvalidRecord(
            f"{name.strip()[:60]} needs at least two levels, with < between them (or a comma, where they have no order)."
        )
    return Scale(name.strip(), found, ordered)


def _listed(given: str, sign: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in given.split(sign) if part.strip())


def reorder(store: Store, ids: Sequence[str], *, by: Reviewer) -> list[str]:
    """Put the criteria in use in this order, on every page and in every export; no wording changes. Returns their ids.

    Raises NotAllowed unless `by` is an admin, Conflict if `ids` are not exactly the criteria in use.
    """
    allow(by, Role.ADMIN)
    with store.write():
        used = {c.id: c for c in store.criteria()}
        if sorted(ids) != sorted(used):
            raise Conflict(
                "The criteria were changed by somebody else meanwhile. Load the page again.", current_revision=0
            )
        store.save_criteria((replace(used[id], position=n) for n, id in enumerate(ids)), by=by.name)
    return list(ids)


def _add(store: Store, wire: Wire, known: dict[str, Criterion], by: Reviewer) -> Criterion:
    if wire["id"] in known:
        raise Conflict(f"There is a criterion {wire['id']!r} already.", current_revision=known[wire["id"]].version)
    position = 1 + max((c.position for c in known.values()), default=-1)
    return store.save_criteria([Criterion(str(wire["id"]), **_wording(wire), position=position)], by=by.name)[0]


def _wording(wire: Wire) -> dict[str, Any]:
    said: dict[str, Any] = {key: str(wire.get(key) or "").strip() for key in ("name", "text", "guideline")}
    return said | {key: passages_from(wire.get(key), key) for key in PASSAGE_FIELDS}


def _earlier(store: Store, criterion: Criterion) -> list[tuple[Criterion, Criterion]]:
    """Each earlier wording with the one that followed it, the newest first."""
    versions = store.criterion_versions(criterion.id)
    return list(itertools.pairwise(versions))[::-1]


def _wire(criterion: Criterion) -> Wire:
    return asdict(criterion)
