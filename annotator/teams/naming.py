"""What people are called where their names are not to be told: a code each, the same everywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from storage.queue import QueueFilter
from storage.records import InvalidRecord, Reviewer
from storage.store import Store

ADJUDICATION = "adjudication"
"""Setting: what the project has set about adjudication, see `annotator.teams.adjudicating.rules`."""


@dataclass(frozen=True, slots=True)
class Called:
    """How people are called before somebody. shown: by name; empty where everybody is called by name."""

    shown: Mapping[str, str]

    def __call__(self, name: str) -> str:
        return self.shown.get(name, name)

    def all(self, names: Iterable[str]) -> list[str]:
        """In the order of what they are called: that of their names would tell them apart."""
        return sorted(map(self, names))

    def person(self, given: str) -> str:
        """The name of who is called so. Raises InvalidRecord if nobody is, also for a name that is not told."""
        if not self.shown:
            return given
        for name, called in self.shown.items():
            if called == given:
                return name
        raise nobody(given)


def codes_of(store: Store) -> dict[str, str]:
    """A code for every person, by name: drawn by lot when they came, theirs in every role, and nobody else's when they are gone."""
    return store.reader_codes()


def names_told(store: Store) -> bool:
    """Whether who adjudicates is told who gave which answer."""
    return bool((store.setting(ADJUDICATION) or {}).get("names"))


def called_in_adjudication(store: Store, me: Reviewer) -> Called:
    """How others are called where `me` adjudicates: by name, or by code where the project tells no names."""
    if names_told(store):
        return Called({r.name: r.name for r in store.reviewers()})
    return Called({**codes_of(store), me.name: me.name})


def called_before(store: Store, me: Reviewer | str) -> Called:
    """How others are called before `me`, everywhere else: see `storage.visibility.HIDES_NAMES`."""
    name = me if isinstance(me, str) else me.name
    return Called({**codes_of(store), name: name} if store.hides_names(name) else {})


def meant(store: Store, me: Reviewer, wanted: QueueFilter) -> QueueFilter:
    """The filter with names for what people are called before `me`. Raises InvalidRecord."""
    if wanted.reviewer is None and wanted.assigned_to is None:
        return wanted
    called, known = called_before(store, me), {r.name for r in store.reviewers()}

    def person(given: str) -> str:
        name = called.person(given)
        if name not in known:
            raise nobody(given)
        return name

    return dataclasses.replace(
        wanted,
        reviewer=wanted.reviewer and person(wanted.reviewer),
        assigned_to=wanted.assigned_to and person(wanted.assigned_to),
    )


def nobody(given: str) -> InvalidRecord:
    return InvalidRecord(f"There is nobody called {given!r} here. Choose again.")
