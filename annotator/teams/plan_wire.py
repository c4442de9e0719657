"""A round as a page or a program asks for it, read into a plan."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from annotator.teams.rounds import RoundPlan
from annotator.teams.sampling import STRATA, Expectation, PostOrder
from storage.records import InvalidRecord, Split
from storage.team_records import RoundKind, Suggestions

Choice = TypeVar("Choice", bound=StrEnum)


def read_plan(wire: Mapping[str, Any]) -> RoundPlan:
    """The plan that JSON values stand for; what is left out is as in RoundPlan. Raises InvalidRecord, naming what cannot be read."""
    return RoundPlan(
        name=str(wire.get("name") or ""),
        people=_names(wire.get("people")),
        kind=_choice(RoundKind, wire, "kind", RoundKind.MAIN),
        blind=wire.get("blind", True) is not False,
        suggestions=_choice(Suggestions, wire, "suggestions", Suggestions.SHOWN),
        overlap=_overlap(wire.get("overlap")),
        posts=_number(wire, "posts", None),
        source=_text(wire, "source"),
        split=_choice(Split, wire, "split", None),
        query=_text(wire, "query") or "",
        expects=_choice(Expectation, wire, "expects", None),
        unread=wire.get("unread", True) is not False,
        strata=_names(wire.get("strata", tuple(STRATA))),
        order=_choice(PostOrder, wire, "order", PostOrder.LOT),
        gold_posts=_number(wire, "gold_posts", 0) or 0,
        deadline=_text(wire, "deadline"),
        seed=_number(wire, "seed", 0) or 0,
    )


def _names(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given):
        raise InvalidRecord("The people and the strata of a round are lists of names.")
    return tuple(given)


def _choice(kind: type[Choice], wire: Mapping[str, Any], name: str, default: Any) -> Any:
    given = wire.get(name)
    if given in (None, ""):
        return default
    try:
        return kind(given)
    except ValueError:
        raise InvalidRecord(f"{given!r} is no {name} of a round; it is {', '.join(kind)}.") from None


def _number(wire: Mapping[str, Any], name: str, default: int | None) -> int | None:
    given = wire.get(name)
    if given in (None, ""):
        return default
    if isinstance(given, bool) or not isinstance(given, int):
        raise InvalidRecord(f"{name.replace('_', ' ')} is a whole number, not {given!r}.")
    return given


def _text(wire: Mapping[str, Any], name: str) -> str | None:
    given = wire.get(name)
    if given in (None, ""):
        return None
    if not isinstance(given, str):
        raise InvalidRecord(f"{name} is a text, not {given!r}.")
    return given


def _overlap(given: Any) -> dict[int, float] | None:
    """Shares by number of readers, as {"1": 0.7, "2": 0.3}."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InvalidRecord(
            "The readers of a round are shares of the posts by the number of readers, as 1: 0.7 and 2: 0.3."
        )
    return {_readers(readers): _share(share) for readers, share in given.items()}


def _readers(given: Any) -> int:
    try:
        return int(given)
    except (TypeError, ValueError):
        raise InvalidRecord(f"How many read a post is a whole number, not {given}.") from None


def _share(given: Any) -> float:
    try:
        return float(given)
    except (TypeError, ValueError):
        raise InvalidRecord(f"A share of the posts is a number, not {given}.") from None
