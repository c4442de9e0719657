"""What a lead is shown of the rounds: how far they are, what happened to them, and what needs a hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from annotator.people.accounts import allow
from annotator.teams.naming import Called, called_before
from annotator.teams.rounds import left_behind, progress
from annotator.teams.training import is_late, round_wire
from annotator.words import counted
from storage.records import Reviewer, Role
from storage.store import Store
from storage.team_records import Progress, Round


def all_rounds(store: Store, me: Reviewer) -> list[dict[str, Any]]:
    """Every round with the progress of its people, as they are called before `me`, the newest first. Raises NotAllowed."""
    allow(me, Role.ADJUDICATOR)
    called = called_before(store, me)
    return [_line(store, found, called) for found in reversed(store.rounds())]


def one_round(store: Store, me: Reviewer, round_id: int) -> dict[str, Any]:
    """A round with what needs a hand and what was done with it, newest first. Raises NotAllowed, NotFound."""
    allow(me, Role.ADJUDICATOR)
    found, called = store.round(round_id), called_before(store, me)
    events = store.round_events(round_id)
    behind = Counter(name for _, name in left_behind(store, found))
    missing = store.readers_missing(round_id) + behind.total() if found.closed_at is None else 0
    return {
        **_line(store, found, called),
        "missing": missing,
        "notes": [
            *_notes(store, found, missing, reopened=any(e.what == "reopened" for e in events)),
            *([] if found.closed_at else _gone_people(store, found, called, behind)),
        ],
        "events": [
            {"what": e.what, "detail": _detail(e.detail, called), "at": e.at, "by": e.by and called(e.by)}
            for e in reversed(events)
        ],
    }


def reading(store: Store, me: Reviewer) -> list[dict[str, Any]]:
    """The open rounds in which somebody reads, as they are told: a gold check looks like any other round."""
    rows = []
    for found in store.rounds_of(me.name):
        mine = next((p for p in store.round_progress(found.id) if p.reviewer == me.name), None)
        if mine is not None and mine.assigned:
            rows.append({**round_wire(found), "left": mine.left})
    return rows


def _line(store: Store, found: Round, called: Called) -> dict[str, Any]:
    people = [{**row, "person": called(row["person"])} for row in progress(store, found.id)]
    return {
        **found.to_dict(),
        "people": called.all(found.people) if called.shown else list(found.people),
        "created_by": found.created_by and called(found.created_by),
        "late": is_late(found),
        "progress": sorted(people, key=lambda row: row["person"]),
    }


def _detail(detail: Mapping[str, Any], called: Called) -> dict[str, Any]:
    """What is told of an event: lists of people, and whom posts were taken from and given to."""
    told = {key: called.all(value) if isinstance(value, list) else value for key, value in detail.items()}
    return told | {key: called(detail[key]) for key in ("from", "to") if detail.get(key)}


def _notes(store: Store, found: Round, missing: int, *, reopened: bool) -> list[str]:
    notes = []
    there, planned = store.count_round_posts(found.id), int(found.chosen.get("posts", 0))
    if there < planned:
        notes.append(f"Of its {counted(planned, 'post')} {planned - there} are gone: their import was undone.")
    if missing:
        notes.append(
            f"{counted(missing, 'reader is', 'readers are')} missing. Give out what is missing, or add people."
        )
    if found.blind and reopened:
        notes.append("It was closed and opened again: its readers may have seen one another's answers in between.")
    if is_late(found):
        notes.append(f"Its last day was {found.deadline}. Reading goes on until it is closed.")
    return notes + _changed_criteria(store, found)


def _changed_criteria(store: Store, found: Round) -> list[str]:
    """What became of the criteria since the round was made: who has decided all that are in use now is done."""
    then, notes = dict(found.chosen.get("criteria") or {}), []
    every = {c.id: c for c in store.criteria(with_inactive=True)}
    for criterion_id, version in then.items():
        now = every.get(criterion_id)
        if now is None or not now.active:
            notes.append(
                f"{criterion_id} was retired since the round was made: it counts no longer, its answers are kept."
            )
        elif now.version != version:
            notes.append(
                f"{criterion_id} was reworded since the round was made: wording {version} is now {now.version}."
            )
    if then and (new := sorted(c.id for c in every.values() if c.active and c.id not in then)):
        notes.append(f"{', '.join(new)} came into use since: posts that were done are to be opened again.")
    return notes


def _gone_people(store: Store, found: Round, called: Called, behind: Counter[str]) -> list[str]:
    """Who cannot read on, or has gone, and what they leave. behind: posts by person that can be given out already."""
    rows: Sequence[Progress] = sorted(store.round_progress(found.id), key=lambda p: called(p.reviewer))
    disabled = {r.name for r in store.reviewers() if r.disabled_at is not None}
    notes = [
        f"{called(p.reviewer)} cannot sign in any more and has {counted(p.left, 'post')} left: take {called(p.reviewer)} out of the round."
        for p in rows
        if p.reviewer in found.people and p.reviewer in disabled and p.left
    ]
    for p in (p for p in rows if p.reviewer not in found.people):
        if p.begun:
            notes.append(
                f"{called(p.reviewer)} has left with {counted(p.begun, 'post')} begun: move what is left to somebody else."
            )
        if opened := p.left - p.begun - behind[p.reviewer]:
            notes.append(
                f"{called(p.reviewer)} has left with {counted(opened, 'post')} open on the screen: others can be given what is left"
                " when the time is over for which an opened post is kept."
            )
    return notes
