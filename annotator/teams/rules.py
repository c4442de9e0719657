"""What a project has set for working in a team: how gold comes about, and how people adjudicate. Admins change it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from annotator.people.accounts import allow
from annotator.teams import adjudicating
from annotator.teams.naming import ADJUDICATION
from annotator.teams.rounds import RESERVED_MINUTES, RESERVED_SETTING
from storage.gold_answers import GOLD_RULE_SETTING
from storage.records import Conflict, InvalidRecord, Reviewer, Role
from storage.store import Store
from storage.team_records import GoldRule

MOST_KINDS = 30
LONGEST_KIND = 60
LONGEST_RESERVATION_MINUTES = 24 * 60


def all_rules(store: Store) -> dict[str, Any]:
    """The rules as they are: gold (iou, spans), adjudication (names, own, error_kinds), reserved_minutes."""
    return {
        "gold": store.gold_rule().to_dict(),
        "adjudication": adjudicating.rules(store),
        "reserved_minutes": store.setting(RESERVED_SETTING) or RESERVED_MINUTES,
    }


def set_rules(store: Store, me: Reviewer, wanted: Mapping[str, Any], *, shown: Mapping[str, Any]) -> dict[str, Any]:
    """Set all rules at once. shown: the rules that the person had before them. Returns the new ones.

    Raises NotAllowed, InvalidRecord, and Conflict if somebody else has set others in the meantime.
    """
    allow(me, Role.ADMIN)
    gold, adjudication = GoldRule.from_dict(wanted.get("gold") or {}), _adjudication(wanted.get("adjudication") or {})
    minutes = _minutes(wanted.get("reserved_minutes"))
    with store.write():
        if shown != all_rules(store):
            raise Conflict(
                "Somebody else has changed the rules in the meantime. Load the page again.", current_revision=0
            )
        store.set_setting(GOLD_RULE_SETTING, gold.to_dict())
        store.set_setting(ADJUDICATION, adjudication)
        store.set_setting(RESERVED_SETTING, minutes)
    return all_rules(store)


def _adjudication(given: Mapping[str, Any]) -> dict[str, Any]:
    kinds = list(dict.fromkeys(kind.strip() for kind in given.get("error_kinds") or [] if kind.strip()))
    if len(kinds) > MOST_KINDS or any(len(kind) > LONGEST_KIND or not kind.isprintable() for kind in kinds):
        raise InvalidRecord(f"At most {MOST_KINDS} kinds of error, each of at most {LONGEST_KIND} characters.")
    return {"names": given.get("names") is True, "own": given.get("own") is True, "error_kinds": kinds}


def _minutes(given: Any) -> float:
    try:
        minutes = float(given)
    except (TypeError, ValueError):
        minutes = 0.0
    if not 1 <= minutes <= LONGEST_RESERVATION_MINUTES:
        raise InvalidRecord(f"A post is kept for who opened it for 1 to {LONGEST_RESERVATION_MINUTES} minutes.")
    return minutes
