"""Overview: how far the reviewing is, what the reviewers decided, and how good the model in service is."""

from __future__ import annotations

from typing import Any

import gradio as gr

from annotator.models.bundled import gemma_offer
from annotator.models.quality import NAMES, figures, interval_of, quality_of, within
from annotator.review.arms import arms_of
from annotator.snapshots.keeper import snapshot_shown_to
from annotator.ui import discussions, mine
from annotator.ui.assets import asset, script
from annotator.ui.context import QUIET, Context, friendly
from storage.records import NotFound, Reviewer, Role, Verdict

ORIGINS = ("accepted", "adjusted", "rejected", "added")


def build(context: Context) -> None:
    view = gr.HTML(
        html_template=asset("overview.html"),
        js_on_load=script("overview.js"),
        elem_id="overview",
        apply_default_css=False,
    )
    mine.build(context)
    discussions.build(context)
    refresh = gr.Button("Refresh", size="sm", elem_id="overview-refresh")

    def show(request: gr.Request) -> dict[str, Any]:
        return overview(context.of(request), context.user(request))

    tab = gr.context.Context.block
    assert isinstance(tab, gr.Tab)
    for trigger in (tab.select, refresh.click):
        trigger(friendly(show), None, view, **QUIET)


def overview(context: Context, person: Reviewer) -> dict[str, Any]:
    """Everything that the page shows, as JSON values."""
    store = context.store
    sealed = person.role is Role.REVIEWER and store.seals()
    return {
        "progress": {
            **store.progress_counts(me=person.name),
            "to_adjudicate": None if sealed else store.count_disagreements(),
        },
        "own": sealed,  # the table counts the person's own decisions: they read blind
        "predicted": store.count_predicted_posts(context.models.version or ""),
        "criteria": criterion_rows(context, of=person.name if sealed else None),
        "arms": arms_of(context.store, context.models.version, of=person.name if sealed else None),
        "model": model_figures(context),
        "offer": gemma_offer(),
        "snapshot": snapshot_shown_to(person, context.settings, context.keeper),
    }


def criterion_rows(context: Context, *, of: str | None = None) -> list[dict[str, Any]]:
    """One row per criterion in use: verdicts, what became of the predicted spans, and the model's own figures.

    of: from that person's answers alone.
    """
    verdicts, origins = context.store.verdict_counts(of=of), context.store.span_origin_counts(of=of)
    together = context.store.bulk_counts(of=of)
    quality = quality_of(_model(context))
    measured = (quality.own.get("criteria") or {}) if quality else {}
    rows = []
    for criterion in context.store.criteria():
        scores = measured.get(criterion.id) or {}
        rows.append(
            {
                "name": criterion.name,
                "verdicts": {str(v): verdicts.get(criterion.id, {}).get(v, 0) for v in Verdict},
                "spans": {name: origins.get(criterion.id, {}).get(name, 0) for name in ORIGINS},
                "together": together.get(criterion.id, 0),
                "f1": scores.get("f1"),
                "interval": interval_of(scores),
                "support": scores.get("support"),
            }
        )
    return rows


def model_figures(context: Context) -> dict[str, Any] | None:
    """The model in service beside the baselines on the same held-out posts; None if no version is in service."""
    model = _model(context)
    if model is None:
        return None
    quality = quality_of(model)
    shown: dict[str, Any] = {
        "id": model.id,
        "note": model.note,
        "base": model.base or "",
        "rows": [],
        "bins": [],
        "without": [],
    }
    if quality is None:
        return shown
    measured = set(quality.own.get("criteria") or {})
    in_use = context.store.criteria()
    shown["without"] = [c.name for c in in_use if measured and c.id not in measured]
    if len(shown["without"]) == len(in_use):
        return shown  # figures of other criteria would say nothing of these
    shown |= {"set": quality.set_name, "posts": quality.own.get("posts"), "pairs": quality.own.get("pairs")}
    ids = {c.id for c in in_use}
    own = within(quality.own, ids)
    named = [(f"This model ({model.id})", own)]
    named += [(NAMES.get(name, name), within(found, ids)) for name, found in quality.beside.items()]
    shown["rows"] = [
        {"name": name, **figures(found), "interval": interval_of(found.get("macro"))} for name, found in named
    ]
    shown["bins"] = (own.get("sentence_calibration") or {}).get("bins") or []
    return shown


def _model(context: Context) -> Any:
    version = context.models.version
    if version is None:
        return None
    try:
        return context.store.model(version)
    except NotFound:  # a model named in the settings that is not in the registry
        return None
