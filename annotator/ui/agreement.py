"""The Agreement page: how far each person is and how like the others, what is open per criterion, and all coefficients of agreement."""

from __future__ import annotations

from typing import Annotated, NotRequired

import gradio as gr
from pydantic import Field
from typing_extensions import TypedDict

from annotator.messages import Id, Whole
from annotator.teams import measuring, methods, spreadsheet
from annotator.teams.naming import called_before
from annotator.teams.reports import report_before
from annotator.ui.answers import Answer, Wire, server_functions
from annotator.ui.assets import asset, styled_script
from annotator.ui.context import Context
from storage.records import InvalidRecord, ModelStatus, Reviewer

MOST_LISTED = 100
MOST_FOR_GAMMA = 2000  # posts: some twenty seconds


class Chosen(TypedDict, total=False):
    round: Annotated[str, Field(max_length=15)] | Whole | None  # as a form says it
    model: Id | None


class OfCriterion(Chosen, total=False):
    criterion: Id | None


class MixedUp(TypedDict):
    one: Id
    other: Id
    round: NotRequired[Annotated[str, Field(max_length=15)] | Whole | None]
    csv: NotRequired[bool]


class Older(TypedDict, total=False):
    criterion: Id | None
    person: Id | None


class Written(TypedDict, total=False):
    html: bool


def build(context: Context) -> None:
    """Put the page into the tab that is being built."""
    gr.HTML(
        html_template=asset("agreement.html"),
        js_on_load=styled_script("agreement.js"),
        apply_default_css=False,
        server_functions=server_functions(context, ANSWERS),
        elem_id="agreement",
    )


def _report(context: Context, message: Chosen, me: Reviewer) -> Wire:
    return {
        "report": _figures(context, message, me),
        "rounds": [{"id": r.id, "name": r.name} for r in context.store.rounds()],
        "versions": [m.id for m in context.store.models() if m.status is not ModelStatus.DELETED],
        "names": context.store.criterion_names(),
    }


def _figures(context: Context, message: Chosen, me: Reviewer) -> Wire:
    found = context.api.reports.report(round_id=_round(message), models=_models(message))
    return report_before(context.store, me, found)


def _gamma(context: Context, message: OfCriterion, me: Reviewer) -> Wire:
    return measuring.gamma_of(
        context.store, str(message.get("criterion")), round_id=_round(message), most=MOST_FOR_GAMMA
    )


def _older(context: Context, message: Older, me: Reviewer) -> Wire:
    called, whose = called_before(context.store, me), message.get("person") or None
    found = context.store.older_wordings(
        criterion_id=message.get("criterion") or None, reviewer=whose and called.person(whose), limit=MOST_LISTED
    )
    rows = sorted((c, called(who), p, v) for p, c, who, v in found)
    return {"posts": [{"post": p, "criterion": c, "person": who, "version": v} for c, who, p, v in rows]}


def _csv(context: Context, message: Chosen, me: Reviewer) -> Wire:
    found = _figures(context, message, me)
    if "people" not in found:
        raise InvalidRecord("The figures are being worked out for the first time. Try again in a minute.")
    chosen = _round(message)
    return {"csv": spreadsheet.of_report(found), "name": "team.csv" if chosen is None else f"team-round-{chosen}.csv"}


def _mixed_up(context: Context, message: MixedUp, me: Reviewer) -> Wire:
    """Passages that one marked for the one criterion and another for the other: a list to be shown, or all as CSV."""
    as_csv = bool(message.get("csv"))
    rows = measuring.passages_mixed_up(
        context.store,
        me,
        message["one"],
        message["other"],
        round_id=_round({"round": message.get("round")}),
        most=None if as_csv else MOST_LISTED,
    )
    return {"csv": spreadsheet.of_passages(rows), "name": "passages.csv"} if as_csv else {"passages": rows}


def _methods(context: Context, message: Written, me: Reviewer) -> Wire:
    name = "methods.html" if message.get("html") else "methods.md"
    return {"text": methods.file_of(methods.methods_report(context.store), name), "name": name}


def _round(message: Chosen) -> int | None:
    given = message.get("round")
    try:
        return int(given) if given else None
    except (TypeError, ValueError) as error:
        raise InvalidRecord(f"{given!r} is no round.") from error


def _models(message: Chosen) -> tuple[str, ...]:
    model = message.get("model")
    return (model,) if model else ()


ANSWERS: dict[str, Answer] = {
    "agreement_report": _report,
    "agreement_gamma": _gamma,
    "agreement_older": _older,
    "agreement_csv": _csv,
    "agreement_mixed_up": _mixed_up,
    "agreement_methods": _methods,
}
