"""The part of the Retrain page that says what happens by itself: learning at once, a share without suggestions, trainings, clearing up."""

from __future__ import annotations

from typing import Any

import gradio as gr

from annotator.learning import instant
from annotator.models.registry import KEEP_SETTING
from annotator.review import arms
from annotator.training import auto
from annotator.training.plan import PRESETS
from annotator.ui.context import QUEUED, QUIET, Context, friendly
from storage.records import InvalidRecord, Role


class AutomaticPart:
    """The settings of one project. What the fields show is what is stored, anew each time that the page is opened."""

    def __init__(self, context: Context) -> None:
        self._context, self._store = context, context.store

    def build(self, tab: gr.Tab) -> None:
        with gr.Accordion("Automatic learning and clearing up", open=False, elem_id="retrain-automatic"):
            fields = [*self._learning(), *self._trainings()]
            shown = gr.State(self._values())
            save = gr.Button("Save these settings", size="sm", elem_id="retrain-save-automatic")
        tab.select(friendly(self.show), None, [shown, *fields], **QUIET)
        save.click(friendly(self.save), [shown, *fields], [shown, *fields], **QUEUED)

    def _learning(self) -> list[Any]:
        learn, share, *_ = self._values()
        return [
            gr.Checkbox(
                learn,
                label="Learn after each decision",
                info="Improves suggestions at once, where that proves right, and offers accepted words elsewhere; the model stays as it is",
                elem_id="retrain-instant",
            ),
            gr.Number(
                share,
                label="Posts shown without suggestions, in %",
                info="Overview then compares what people decide with and without, how long it takes and what they miss",
                minimum=0,
                maximum=100,
                elem_id="retrain-unsuggested",
            ),
        ]

    def _trainings(self) -> list[Any]:
        _, _, enabled, posts, hours, preset, keep = self._values()
        with gr.Row():
            return [
                gr.Checkbox(enabled, label="Train by itself when enough posts have been reviewed"),
                gr.Number(posts, label="Newly reviewed posts", precision=0, minimum=1),
                gr.Number(hours, label="At most once in … hours", minimum=0.1),
                gr.Radio([(p.name, p.id) for p in PRESETS], value=preset, label="Preset"),
                gr.Number(
                    keep,
                    label="Keep the newest … versions",
                    info="Older ones are deleted after a training, never the active, the previous or the best one. 0: keep all",
                    precision=0,
                    minimum=0,
                ),
            ]

    def _values(self) -> list[Any]:
        """What is stored, in the order of the fields."""
        store, schedule = self._store, auto.schedule_of(self._store)
        share = round(100 * arms.share_of(store), 3)
        kept = store.setting(KEEP_SETTING) or 0
        return [
            instant.is_on(store),
            share,
            schedule.enabled,
            schedule.posts,
            schedule.hours,
            schedule.preset,
            kept,
        ]

    def _shown(self) -> list[Any]:
        values = self._values()
        return [values, *values]

    def show(self, request: gr.Request) -> list[Any]:
        self._context.require(request, Role.ADJUDICATOR)
        return self._shown()

    def save(self, request: gr.Request, shown: list[Any], *given: Any) -> list[Any]:
        """Store all of it, or nothing. Returns what is stored then.

        shown: what was stored when the person opened the page. Raises InvalidRecord and InvalidSchedule for a field that is empty
        or cannot work, and where somebody else has changed the settings since.
        """
        self._context.require(request, Role.ADMIN)
        learn, share, enabled, posts, hours, preset, keep = given
        wanted = _number(share, "Posts shown without suggestions", "0 for none") / 100
        between = _number(hours, "At most once in … hours")
        schedule = auto.Schedule(bool(enabled), int(_number(posts, "Newly reviewed posts")), between, preset)
        kept = int(_number(keep, "Keep the newest … versions", "0 for all"))
        with self._store.write():
            if self._values() != shown:
                raise InvalidRecord(
                    "Somebody changed these settings after you opened the page. Nothing was saved: open Retrain again, look, and save."
                )
            arms.set_share(self._store, wanted)
            auto.set_schedule(self._store, schedule)
            self._store.set_setting(KEEP_SETTING, kept or None)
            instant.switch(self._store, on=bool(learn))
        gr.Info("Saved.", duration=3)
        return self._shown()


def _number(value: Any, label: str, none: str = "") -> float:
    """The number of a field. Raises InvalidRecord if it is empty."""
    if value is None or value == "":
        raise InvalidRecord(f"“{label}” is empty: write a number{f', {none}' if none else ''}. Nothing was saved.")
    return float(value)
