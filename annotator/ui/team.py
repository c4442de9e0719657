"""The Team page: rounds and how far they are, a new round with a look before it is made, and the rules of the project."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, NotRequired

import gradio as gr
from pydantic import Field
from typing_extensions import TypedDict

from annotator.messages import Id, Number, Whole, Words
from annotator.teams import moves, rounds, rules, watching
from annotator.teams.naming import Called, called_before
from annotator.teams.plan_wire import read_plan
from annotator.ui.answers import Answer, Wire, server_functions
from annotator.ui.assets import asset, styled_script
from annotator.ui.context import Context
from storage.records import Reviewer, Role

Names = Annotated[list[Id], Field(max_length=1_000)]


class Nothing(TypedDict):
    pass


class Plan(TypedDict, total=False):
    name: Id
    kind: Id
    people: Names
    blind: bool
    suggestions: Id
    overlap: Annotated[dict[Id, Number], Field(max_length=100)]
    posts: Whole | None
    source: Words | None
    split: Id | None
    query: Words | None
    expects: Id | None
    unread: bool
    strata: Names
    order: Id
    gold_posts: Whole | None
    deadline: Id | None
    seed: Whole | None


class Planned(TypedDict):
    plan: Plan


class OfRound(TypedDict):
    round: Whole


class Change(OfRound):
    revision: Whole  # of the round that the person had before them


class Readers(Change):
    people: Names


Moved = TypedDict(
    "Moved", {"round": Whole, "revision": Whole, "from": Id, "to": Id | None, "posts": NotRequired[Whole | None]}
)


class LastDay(Change):
    deadline: Id


class Closing(Change):
    closed: bool


class GoldWords(TypedDict):
    iou: Number
    spans: Id
    attributes: NotRequired[bool]


class AdjudicationWords(TypedDict):
    names: bool
    own: bool
    error_kinds: Names


class Rules(TypedDict):
    gold: GoldWords
    adjudication: AdjudicationWords
    reserved_minutes: Number


class RulesChange(TypedDict):
    rules: Rules
    shown: Rules


def build(context: Context) -> None:
    """Put the page into the tab that is being built."""
    gr.HTML(
        html_template=asset("team.html"),
        js_on_load=styled_script("team.js"),
        apply_default_css=False,
        server_functions=server_functions(context, ANSWERS),
        elem_id="team",
    )


def _start(context: Context, message: Nothing, me: Reviewer) -> Wire:
    store, called = context.store, called_before(context.store, me)
    people = [{"name": called(r.name), "role": str(r.role)} for r in store.reviewers() if r.disabled_at is None]
    return {
        "rounds": watching.all_rounds(store, me),
        "people": sorted(people, key=lambda person: person["name"]),
        "coded": bool(called.shown),
        "sources": store.sources(),
        "rules": rules.all_rules(store),
        "may_set_rules": me.role is Role.ADMIN,
    }


def _round(context: Context, message: OfRound, me: Reviewer) -> Wire:
    return _shown(context, me, message["round"])


def _preview(context: Context, message: Planned, me: Reviewer) -> Wire:
    called = called_before(context.store, me)
    found = rounds.preview(context.store, _plan(message, called), model_version=_version(context), by=me)
    people = [{**row, "person": called(row["person"])} for row in found["people"]]
    pairs = [
        {**p, **dict(zip(("one", "other"), called.all((p["one"], p["other"])), strict=True))} for p in found["pairs"]
    ]
    return {"preview": {**found, "people": people, "pairs": sorted(pairs, key=lambda p: (p["one"], p["other"]))}}


def _make(context: Context, message: Planned, me: Reviewer) -> Wire:
    plan = _plan(message, called_before(context.store, me))
    made = rounds.set_up(context.store, plan, model_version=_version(context), by=me)
    return _shown(context, me, made.id)


def _people(context: Context, message: Readers, me: Reviewer) -> Wire:
    people = list(map(called_before(context.store, me).person, message["people"]))
    rounds.change_people(context.store, message["round"], people, **_changing(message, me))
    return _shown(context, me, message["round"])


def _move(context: Context, message: Moved, me: Reviewer) -> Wire:
    person = called_before(context.store, me).person
    wanted = moves.Move(person(message["from"]), person(message["to"]) if message["to"] else None, message.get("posts"))
    result = moves.move(context.store, message["round"], wanted, **_changing(message, me))
    return {"result": result, **_shown(context, me, message["round"])}


def _fill(context: Context, message: Change, me: Reviewer) -> Wire:
    result = moves.fill(context.store, message["round"], **_changing(message, me))
    return {"result": result, **_shown(context, me, message["round"])}


def _deadline(context: Context, message: LastDay, me: Reviewer) -> Wire:
    moves.set_deadline(context.store, message["round"], message["deadline"], **_changing(message, me))
    return _shown(context, me, message["round"])


def _close(context: Context, message: Closing, me: Reviewer) -> Wire:
    rounds.close(context.store, message["round"], closed=message["closed"], **_changing(message, me))
    return _shown(context, me, message["round"])


def _rules(context: Context, message: RulesChange, me: Reviewer) -> Wire:
    return {"rules": rules.set_rules(context.store, me, message["rules"], shown=message["shown"])}


def _plan(message: Planned, called: Called) -> rounds.RoundPlan:
    plan = read_plan(message["plan"])
    return replace(plan, people=tuple(map(called.person, plan.people)))


def _version(context: Context) -> str | None:
    active = context.store.active_model()
    return active.id if active else None


def _shown(context: Context, me: Reviewer, round_id: int) -> Wire:
    return {"round": watching.one_round(context.store, me, round_id)}


def _changing(message: Any, me: Reviewer) -> dict[str, Any]:
    return {"expected_revision": message["revision"], "by": me}


ANSWERS: dict[str, Answer] = {
    "team_start": _start,
    "team_round": _round,
    "team_preview": _preview,
    "team_make": _make,
    "team_people": _people,
    "team_move": _move,
    "team_fill": _fill,
    "team_deadline": _deadline,
    "team_close": _close,
    "team_rules": _rules,
}
