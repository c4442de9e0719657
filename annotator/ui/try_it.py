"""Try it: one's own text or a synthetic example, every criterion highlighted in one pass. Nothing is stored."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from annotator.bootstrap import demo_posts
from annotator.criteria import default_criteria
from annotator.highlight import highlighted
from annotator.ui.assets import asset
from annotator.ui.context import QUEUED, QUIET, Context, friendly
from storage.records import InvalidRecord, Post

MAX_CHARACTERS = 20_000
EXAMPLES = 6
MODEL_PATIENCE_SECONDS = 30.0
LOWEST_SCORE = 0.05

LIMITS = """
* The model marks **passages of text** that resemble what it was taught as evidence. It knows nothing of the person, and finds
  no disorder: a marked passage is not a symptom, and a text without marks says nothing about how its writer is.
* It misses evidence and marks what is none: irony, quotations, song lyrics, another person's story.
  The page *Overview* shows how often, on posts it never saw.
* The bundled model is small and was trained on synthetic English posts. Other languages and registers are outside what it knows.
* What you paste is sent to this app's own server only, is not written to disk, and is gone when you leave the page.
"""


def build(context: Context) -> None:
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            text = gr.Textbox(
                label="Text",
                placeholder="Paste a post, or choose an example below.",
                lines=9,
                max_lines=18,
                max_length=MAX_CHARACTERS,
                elem_id="try-text",
            )
            examples = _example_choice(context)
            with gr.Row():
                run = gr.Button("Highlight", variant="primary", scale=2, min_width=120)
                clear = gr.Button("Clear", scale=1, min_width=80)
            with gr.Accordion("What this can and cannot do", open=False):
                gr.Markdown(LIMITS)
        with gr.Column(scale=3, min_width=320):
            result = gr.HTML(
                html_template=asset("try_it.html"),
                js_on_load=asset("try_it.js"),
                elem_id="try-result",
                apply_default_css=False,
            )
    highlight = friendly(_highlighter(context))
    clear.click(lambda: ("", None), None, [text, result], **QUIET)
    run.click(highlight, text, result, concurrency_limit=4, **QUEUED)
    if examples is not None:
        texts = {post.id: post.text for post in demo_posts()[:EXAMPLES]}
        chosen = examples.input(lambda post_id: texts.get(post_id, ""), examples, text, **QUIET)
        chosen.then(highlight, text, result, concurrency_limit=4, **QUEUED)


def _highlighter(context: Context) -> Any:
    def highlight(text: str, request: gr.Request) -> dict[str, Any]:
        context.user(request)
        return predict_text(context, text)

    return highlight


def predict_text(context: Context, text: str) -> dict[str, Any]:
    """What the page draws for `text`; waits for a model that is still loading.

    Raises InvalidRecord for a text that is empty or too long, ModelUnusable without a model.
    """
    if not text or not text.strip():
        raise InvalidRecord("Paste some text first.")
    if len(text) > MAX_CHARACTERS:
        raise InvalidRecord(
            f"The text has {len(text):,} characters; up to {MAX_CHARACTERS:,} can be tried here. Import longer posts on the Data page."
        )
    post = Post(id="pasted", text=text)
    criteria = context.store.criteria()
    if not criteria:
        raise InvalidRecord("This project has no criteria yet. Load a set first.")
    context.models.wait_until_settled(MODEL_PATIENCE_SECONDS)
    predictor = context.models.predictor()
    began = time.perf_counter()
    predictions = context.models.predict([post], criteria, threshold=LOWEST_SCORE)
    milliseconds = (time.perf_counter() - began) * 1000
    thresholds = {c.id: predictor.config.threshold(c.id) for c in criteria}
    drawn = highlighted(text, criteria, predictions, thresholds)
    return {**drawn, "model": predictor.version, "milliseconds": round(milliseconds)}


def _example_choice(context: Context) -> gr.Dropdown | None:
    """Examples exist for the default criteria only: a project on another subject shows none."""
    if not {c.id for c in default_criteria()} & {c.id for c in context.store.criteria()}:
        return None
    choices = [(f"{_beginning(post.text)} ...", post.id) for post in demo_posts()[:EXAMPLES]]
    return gr.Dropdown(choices, value=None, label="Or a synthetic example", interactive=True)


def _beginning(text: str, *, words: int = 9) -> str:
    return " ".join(text.split()[:words])
