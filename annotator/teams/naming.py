"""What people are called where their names are not to be told: a code each, the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping

from storage.records import Reviewer, Role
from storage.store import Store

ADJUDICATION = "adjudication"
"""Setting: what the project has set about adjudication, see `annotator.teams.adjudicating.rules`."""


def codes_of(store: Store) -> dict[str, str]:
    """A code for every person, by name: drawn by lot when they came, theirs in every role, and nobody else's when they are gone."""
    return store.reader_codes()


def names_told(store: Store) -> bool:
    """Whether who adjudicates is told who gave which answer."""
    return bool((store.setting(ADJUDICATION) or {}).get("names"))


def names_for_adjudicating(store: Store) -> Mapping[str, str]:
    """How each person is called where answers are adjudicated: by name, or by code where the project tells no names."""
    return {r.name: r.name for r in store.reviewers()} if names_told(store) else codes_of(store)


def names_before(store: Store, me: Reviewer) -> Mapping[str, str]:
    """How others are called beside their answers before `me`: before an adjudicator as where they adjudicate, else by name ({})."""
    if me.role is not Role.ADJUDICATOR or names_told(store):
        return {}
    return {**codes_of(store), me.name: me.name}
