"""Try it: one's own text or a synthetic example, every criterion highlighted in one pass. Nothing is stored.

The first page of the public demo, which therefore opens with an example that is highlighted already.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import gradio as gr

from annotator.models.bundled import bundled_directory, is_bundled
from annotator.models.quality import figures, quality_of, within
from annotator.models.serving import ServingState
from annotator.project import default_criteria, demo_posts
from annotator.review.about import about_of
from annotator.review.highlight import highlighted
from annotator.review.language import other_language
from annotator.ui.assets import asset, styled_script
from annotator.ui.context import QUEUED, QUIET, Context, friendly
from annotator.web.api.endpoints import MAX_CHARACTERS
from storage.records import EvidenceError, InvalidRecord, ModelVersion, NotFound, Post

MODEL_PATIENCE_SECONDS = 30.0
LOWEST_SCORE = 0.05
PREDICTIONS_AT_ONCE = 4
TELL_SECONDS = 0.5
EXAMPLES = {
    "A typical day": "demo-03",
    "A teacher since September": "demo-07",
    "First year at university": "demo-05",
    "A long message": "demo-41",
    "Ten years ago (over now)": "demo-30",
    "Bees in winter (nothing to find)": "demo-02",
}

WELCOME = """
## Which passages of a post speak for a criterion?

A small language model (a bidirectional encoder) reads a text **once** and marks the passages that are evidence for each criterion,
each with a score. On the page *Review* a reader accepts, rejects or corrects them, and the corrections train the next model.
"""
LIMITS = """
* The model marks **passages of text** that resemble what it was taught as evidence. It knows nothing of the person who wrote them,
  and a text without marks proves nothing.
* It misses evidence and marks what is none: irony, quotations, song lyrics, another person's story.
  The page *Overview* shows how often, where this was measured.
* It does not know other languages, or ways of writing that differ much from what it was trained on.
* What you paste is sent to this app's own server only, is not written to disk, and is gone when you leave the page.
"""


def build(context: Context) -> None:
    if context.settings.demo:
        gr.Markdown(WELCOME, elem_id="try-welcome")
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            text = gr.Textbox(
                label="Text (it is not stored)",
                placeholder=_placeholder(context),
                lines=9,
                max_lines=18,
                elem_id="try-text",
            )
            with gr.Row():
                run = gr.Button("Highlight", variant="primary", scale=2, min_width=120, elem_id="try-run")
                clear = gr.Button("Clear", scale=1, min_width=80)
            group, examples = _example_buttons(context)
        with gr.Column(scale=3, min_width=320):
            result = gr.HTML(
                html_template=asset("try_it.html"),
                js_on_load=styled_script("try_it.js"),
                elem_id="try-result",
                apply_default_css=False,
            )
    with gr.Accordion("What this can and cannot do", open=False):
        gr.Markdown(LIMITS)
    with gr.Accordion("The model and how good it is", open=False) as about:
        card = gr.Markdown("", elem_id="try-card")
    highlight = friendly(_highlighter(context))
    queued = {"concurrency_limit": PREDICTIONS_AT_ONCE, **QUEUED}
    clear.click(lambda: ("", None), None, [text, result], **QUIET)
    run.click(highlight, text, result, **queued)
    about.expand(friendly(lambda: model_card(context)), None, card, **QUIET)
    shown = {title: post.text for title, post in example_posts().items()}
    for button in examples:
        chosen = button.click(_giving(shown[str(button.value)]), None, text, **QUIET)
        chosen.then(highlight, text, result, **queued)
    tab = gr.context.Context.block
    assert isinstance(tab, gr.Tab)
    tab.select(
        lambda: (gr.Group(visible=_fits(context)), gr.Textbox(placeholder=_placeholder(context))),
        None,
        [group, text],
        **QUIET,
    )
    if context.settings.demo:
        blocks = gr.context.Context.root_block
        assert blocks is not None
        blocks.load(friendly(_first_example(context)), None, [text, result], **QUIET)


def example_posts() -> dict[str, Post]:
    """The examples by the words on their buttons."""
    posts = {post.id: post for post in demo_posts()}
    return {title: posts[post_id] for title, post_id in EXAMPLES.items()}


def model_card(context: Context) -> str:
    """What is known of the model in service, as Markdown. The bundled model has a card; of others the registry knows enough for one."""
    from annotator.models.hub_versions import card_of  # it brings the Hub's client along

    model = _model(context)
    if model is None:
        return "Nothing is known here of the model in service."
    card = (
        (bundled_directory(model) / "README.md").read_text("utf-8")
        if is_bundled(model)
        else card_of(model, context.store)
    )
    return card.split("---\n", 2)[2] if card.startswith("---\n") else card


def _giving(text: str) -> Callable[[], str]:
    return lambda: text


def _highlighter(context: Context) -> Any:
    def highlight(text: str, request: gr.Request) -> Iterator[dict[str, Any]]:
        context.user(request)
        try:
            yield from reading(context, text)
        except EvidenceError as error:  # said where the highlighted text would be, and stays there
            yield {"problem": str(error)}

    return highlight


def reading(context: Context, text: str) -> Iterator[dict[str, Any]]:
    """How far a text is that takes long, `{"reading": 0 to 1}`, then what `predict_text` gives."""
    fractions = [0.0]
    with ThreadPoolExecutor(1, "try-it") as pool:
        made = pool.submit(predict_text, context, text, on_progress=fractions.append)
        while wait([made], timeout=TELL_SECONDS).not_done:
            yield {"reading": round(fractions[-1], 2)}
        yield made.result()


def _first_example(context: Context) -> Any:
    """The first example, highlighted, for a page that opens; nothing while the model is not ready. Made once per model."""
    made: dict[str, dict[str, Any]] = {}

    def show(request: gr.Request) -> tuple[str, dict[str, Any] | None]:
        context.user(request)
        serving = context.models.info()
        if serving.state is not ServingState.READY or serving.version is None:
            return "", None
        text = next(iter(example_posts().values())).text
        drawn = made.get(serving.version)
        if drawn is None:
            drawn = predict_text(context, text)
            made.clear()
            made[serving.version] = drawn
        return text, drawn

    return show


def predict_text(
    context: Context, text: str, *, on_progress: Callable[[float], None] = lambda fraction: None
) -> dict[str, Any]:
    """What the page draws for `text`; waits for a model that is still loading.

    Raises InvalidRecord for a text that is empty or too long, ModelUnusable without a model.
    """
    if not text or not text.strip():
        raise InvalidRecord("Paste some text first.")
    if len(text) > MAX_CHARACTERS:
        raise InvalidRecord(
            f"The text has {len(text):,} characters; up to {MAX_CHARACTERS:,} can be tried here. Shorten it, or import it on the Data page."
        )
    post = Post(id="pasted", text=text)
    criteria = context.store.criteria()
    if not criteria:
        raise InvalidRecord("This project has no criteria yet. An admin adds them on the Guidelines or the Data page.")
    context.models.wait_until_settled(MODEL_PATIENCE_SECONDS)
    predictor = context.models.predictor()
    began = time.perf_counter()
    predictions = context.models.predict([post], criteria, threshold=LOWEST_SCORE, on_progress=on_progress)
    milliseconds = (time.perf_counter() - began) * 1000
    thresholds = {c.id: predictor.config.threshold(c.id) for c in criteria}
    drawn = highlighted(text, criteria, predictions, thresholds)
    measured = _measured(context)
    language = other_language(text, about_of(context.store).language)
    return {
        **drawn,
        "language": language,
        "model": predictor.version,
        "milliseconds": round(milliseconds),
        "measured": measured,
    }


def _measured(context: Context) -> dict[str, float | None] | None:
    """The model's figures on held-out text; None unless all that the page tells was measured, for every criterion in use."""
    quality = quality_of(_model(context))
    ids = {c.id for c in context.store.criteria()}
    own = within(quality.own, ids) if quality else {}
    if not ids <= set(own.get("criteria") or ()):
        return None
    shown = figures(own)
    return shown if all(shown.get(name) is not None for name in ("macro_f1", "precision", "recall")) else None


def _model(context: Context) -> ModelVersion | None:
    """The version in service as the registry knows it; a model named in the settings may not be there."""
    try:
        return context.store.model(context.models.version or "")
    except NotFound:
        return None


def _fits(context: Context) -> bool:
    """Whether the examples are about what the project is about: they exist for the default criteria only."""
    return bool({c.id for c in default_criteria()} & {c.id for c in context.store.criteria()})


def _placeholder(context: Context) -> str:
    return "Paste a post, or choose an example below." if _fits(context) else "Paste a post."


def _example_buttons(context: Context) -> tuple[gr.Group, list[gr.Button]]:
    """The examples, hidden while the project is about something else: its criteria may change while the app runs."""
    with gr.Group(elem_id="try-examples", visible=_fits(context)) as group:
        gr.Markdown("Or a synthetic example:")
        with gr.Row():
            return group, [gr.Button(title, size="sm", min_width=120) for title in EXAMPLES]
