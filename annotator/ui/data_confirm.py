"""Uncertain evidence on the Data page: imported words, the places where they may stand, and a person's choice."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import Any

import gradio as gr

from annotator.exchange.confirm import Place, Uncertain, confirm, waiting
from annotator.people.accounts import CURATORS
from annotator.teams.naming import called_before
from annotator.ui.context import QUIET, Context, friendly
from storage.records import InvalidRecord, Reviewer


def build(context: Context, tab: gr.Tab) -> None:
    left = gr.Markdown("")
    evidence = gr.HTML("", padding=False, elem_id="confirm-evidence")
    places = gr.Radio([], label="Where it stands in the post", visible=False, elem_id="confirm-places")
    number = gr.Number(visible=False)
    with gr.Row(visible=False) as actions:
        accept = gr.Button("This place", variant="primary", elem_id="confirm-accept")
        refuse = gr.Button("None is right")
    shown = [left, evidence, places, number, actions]

    def show(request: gr.Request) -> list[Any]:
        return next_waiting(context, context.require(request, *CURATORS))

    def take(alignment_id: float | None, place: int | None, request: gr.Request) -> list[Any]:
        person = context.require(request, *CURATORS)
        if place is None:
            raise InvalidRecord("Choose a place first, or say that none is right.")
        confirm(context.store, int(alignment_id or 0), int(place), by=person.name)
        return next_waiting(context, person)

    def drop(alignment_id: float | None, request: gr.Request) -> list[Any]:
        person = context.require(request, *CURATORS)
        confirm(context.store, int(alignment_id or 0), None, by=person.name)
        return next_waiting(context, person)

    tab.select(friendly(show), None, shown, **QUIET)
    accept.click(friendly(take), [number, places], shown, **QUIET)
    refuse.click(friendly(drop), number, shown, **QUIET)


def next_waiting(context: Context, person: Reviewer) -> list[Any]:
    found = waiting(context.store, limit=1)
    if not found:
        nothing = "No evidence waits for a decision. Imported words that fit no passage well enough are listed here."
        return [nothing, "", gr.Radio(visible=False), None, gr.Row(visible=False)]
    item = replace(found[0], reviewer=called_before(context.store, person)(found[0].reviewer))
    count = f"{context.store.count_waiting_alignments()} to decide."
    choices = [(_choice(place), n) for n, place in enumerate(item.places)]
    return [count, _shown(item), gr.Radio(choices=choices, value=None, visible=True), item.id, gr.Row(visible=True)]


def _choice(place: Place) -> str:
    quote = " ".join(place.quote.split())
    return f"“{quote}” (likeness {place.likeness:.0%})"


def _shown(item: Uncertain) -> str:
    """The evidence and its places in their surroundings; every piece of text is escaped."""
    name = html.escape(f"{item.post_id}, {item.criterion_id}, {item.reviewer}")
    parts = [f"<p>{name}</p><blockquote>{html.escape(item.evidence)}</blockquote>"]
    for place in item.places:
        before, quote, after = (html.escape(t) for t in (place.before, place.quote, place.after))
        parts.append(f'<p dir="auto" style="white-space:pre-wrap">{before}<mark>{quote}</mark>{after}</p>')
    return "".join(parts)
