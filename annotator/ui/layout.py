"""The frame of all pages: theme, header with the model's state, tabs with addresses of their own, footer."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

import gradio as gr

from annotator.people.accounts import CURATORS
from annotator.review.about import care_of
from annotator.ui import (
    adjudicate,
    agreement,
    api_endpoints,
    data,
    guidelines,
    overview,
    people,
    posts,
    retrain,
    review,
    start,
    team,
    try_it,
)
from annotator.ui.assets import asset, script
from annotator.ui.context import QUIET, Context
from annotator.ui.quiet import keep_quiet
from annotator.web.gate import sign_in_is_needed
from storage.records import Role

TITLE = "Evidence annotator"
REMEMBER_TAB = """() => {
  if (!window.evidenceOpened) return; // the first tab reports itself selected before the address has been read
  const address = new URL(location);
  address.searchParams.set("tab", "%s");
  history.replaceState(null, "", address);
  // who clicked the tab goes on with the keys of the page; who walks the tabs by keyboard stays on them
  if (!document.activeElement?.matches(":focus-visible")) document.querySelector("#page-%s .ev[tabindex]")?.focus({preventScroll: true});
}"""


@dataclass(frozen=True, slots=True)
class Page:
    """One tab. `roles`: who sees it; None for everybody. `in_demo`: whether the public demo has it."""

    id: str
    label: str
    build: Callable[[Context], None]
    roles: tuple[Role, ...] | None = None
    in_demo: bool = True


PAGES = (
    Page("review", "Review", review.build),
    Page("posts", "Posts", posts.build),
    Page("adjudicate", "Adjudicate", adjudicate.build, roles=CURATORS, in_demo=False),
    Page("agreement", "Agreement", agreement.build, roles=CURATORS, in_demo=False),
    Page("team", "Team", team.build, roles=CURATORS, in_demo=False),
    Page("people", "People", people.build, roles=(Role.ADMIN,), in_demo=False),
    Page("try", "Try it", try_it.build),
    Page("data", "Data", data.build, roles=CURATORS, in_demo=False),
    Page("retrain", "Retrain", retrain.build, roles=CURATORS, in_demo=False),
    Page("overview", "Overview", overview.build),
    Page("guidelines", "Guidelines", guidelines.build),
)


def pages_of(context: Context) -> list[Page]:
    """The pages in their order: the public demo begins with Try it and has neither import nor training."""
    if not context.settings.demo:
        return list(PAGES)
    return sorted((p for p in PAGES if p.in_demo), key=lambda p: p.id != "try")


def build_blocks(context: Context) -> gr.Blocks:
    """The whole user interface, not yet launched."""
    pages = pages_of(context)
    restricted = [page for page in pages if page.roles is not None]
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 3600), fill_width=True) as blocks:
        may = context.permissions
        api_endpoints.build(context.api, may)  # first, so that no listener of a page takes one of their names
        with may.part(blocks, None):
            _header()
        with may.part(blocks, (Role.ADMIN,)):
            start.build(context)
        with gr.Tabs(selected=pages[0].id, elem_id="pages") as tabs:
            shown = {}
            for page in pages:
                with may.part(blocks, page.roles):
                    shown[page.id] = _tab(context, page)
        foot = _footer(context)

        def open_page(request: gr.Request) -> Any:
            """The tab that the address asks for, and the tabs that this person may use."""
            role = context.user(request).role
            allowed = [page.roles is None or role in page.roles for page in restricted]
            selected = gr.Tabs(selected=page_asked_for(request.query_params, pages))
            if not restricted:  # Gradio takes the answer for a single output as it is, not as a list
                return selected
            return [selected, *(gr.Tab(visible=a) for a in allowed)]

        with may.part(blocks, None):
            opened = blocks.load(open_page, None, [tabs, *(shown[page.id] for page in restricted)], **QUIET)
            blocks.load(lambda: footer(context), None, foot, **QUIET)
            opened.then(None, js="() => { window.evidenceOpened = true; }", **QUIET)
    keep_quiet(blocks)
    return blocks


def page_asked_for(query: Any, pages: list[Page]) -> str:
    """The id of the page that `?tab=` names; a link to a post opens Review; else the first page."""
    wanted = query.get("tab")
    if wanted in {page.id for page in pages}:
        return str(wanted)
    return "review" if query.get("post") else pages[0].id


def page_options() -> dict[str, Any]:
    """Theme, style and icon, as `launch` takes them."""
    return {"theme": theme(), "css": style(), "favicon_path": str(resources.files("annotator") / "ui" / "icon.svg")}


def theme() -> gr.themes.Base:
    """Calm, high contrast, the system's own fonts: nothing is loaded from anywhere."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "monospace"],
    ).set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        button_secondary_background_fill="*background_fill_primary",
        button_secondary_background_fill_dark="*neutral_900",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_hover_dark="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_600",
        button_cancel_background_fill="*background_fill_primary",
        button_cancel_background_fill_dark="*neutral_900",
        button_cancel_background_fill_hover="#fef2f2",
        button_cancel_background_fill_hover_dark="#450a0a",
        button_cancel_text_color="#b91c1c",
        button_cancel_text_color_dark="#fca5a5",
        button_cancel_border_color="#b91c1c",
        button_cancel_border_color_dark="#fca5a5",
        button_border_width="1px",
        button_large_text_size="*text_md",
        button_large_padding="*spacing_md *spacing_xl",
        input_background_fill="*background_fill_primary",
        input_background_fill_dark="*neutral_950",
        input_border_width="1px",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_600",
        input_placeholder_color="*neutral_500",  # 4.8 : 1 on white
        input_placeholder_color_dark="*neutral_400",
        checkbox_label_background_fill="*background_fill_primary",
        checkbox_label_background_fill_dark="*neutral_950",
        checkbox_label_background_fill_hover="*neutral_100",
        checkbox_label_background_fill_hover_dark="*neutral_800",
        checkbox_label_border_width="1px",
        checkbox_label_border_color="*neutral_300",
        checkbox_label_border_color_dark="*neutral_600",
        link_text_color="*primary_700",
        link_text_color_hover="*primary_800",
        link_text_color_visited="*primary_700",
        link_text_color_dark="*primary_300",
        link_text_color_hover_dark="*primary_200",
        link_text_color_visited_dark="*primary_300",
        block_background_fill_dark="*neutral_900",
        border_color_primary_dark="*neutral_700",
        block_border_width="1px",
        block_shadow="none",
        block_label_text_color="*body_text_color_subdued",
        body_text_color_subdued="*neutral_600",  # Gradio's own is too faint on white to be read by everybody
        body_text_color_subdued_dark="*neutral_400",
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
    )


def style() -> str:
    return asset("style.css") + asset("retrain.css") + asset("agreement.css")


def _tab(context: Context, page: Page) -> gr.Tab:
    hidden = page.roles is not None and (context.settings.demo or sign_in_is_needed(context.store, context.settings))
    with gr.Tab(page.label, id=page.id, visible=not hidden, elem_id=f"page-{page.id}") as tab:
        page.build(context)
    tab.select(None, js=REMEMBER_TAB % (page.id, page.id), **QUIET)
    return tab


def _header() -> None:
    gr.HTML(
        html_template=asset("header.html"),
        js_on_load=script("header.js"),
        elem_id="app-header",
        padding=False,
        apply_default_css=False,
    )


def _footer(context: Context) -> gr.HTML:
    """What this is not, in the words of the criteria set in use."""
    return gr.HTML(footer(context), elem_id="app-footer", padding=False)


def footer(context: Context) -> str:
    """The footer's markup; every text in it is escaped."""
    said = care_of(context.store, context.settings)
    crisis = html.escape(said.crisis_text)
    if crisis and said.crisis_url:
        link = html.escape(said.crisis_url, quote=True)
        crisis = (
            f'{crisis} <a href="{link}" target="_blank" rel="noopener noreferrer">{html.escape(said.crisis_url)}</a>'
        )
    lines = ["A research tool that marks passages for people to judge.", html.escape(said.reminder), crisis]
    return f"<footer>{''.join(f'<p>{line}</p>' for line in lines if line)}</footer>"
