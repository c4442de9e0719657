"""Looking inside the model in service: pictures of what one attention head looks at, and which word changes which."""

from __future__ import annotations

import base64
from typing import Any

import gradio as gr

from annotator.ui.assets import script
from annotator.ui.context import QUEUED, Context, friendly
from storage.records import Role

EXAMPLE = "I do not sleep, and when I do sleep I do not feel rested."
LAST = -1  # the last layer that sees the whole text
LONGEST = 2000  # characters; the first forty tokens are drawn


def build(context: Context) -> None:
    with gr.Accordion("Look inside the model in service", open=False, elem_id="retrain-inside"):
        with gr.Row():
            text = gr.Textbox(EXAMPLE, label="Text", max_length=LONGEST, scale=4, min_width=240)
            layer = gr.Number(
                LAST, label="Layer", info="0 is the lowest; -1: the last that sees all", precision=0, minimum=LAST
            )  # the browser shows an empty number as 0
            head = gr.Number(0, label="Attention head", precision=0, minimum=0)
        button = gr.Button("Draw", size="sm", elem_id="retrain-inside-draw")
        view = gr.HTML(
            html_template='<section class="rt" aria-live="polite"></section>',
            js_on_load=script("retrain_inside.js"),
            elem_id="retrain-inside-view",
            elem_classes="rt-view",
            padding=False,
            apply_default_css=False,
        )

    def draw(words: str, number: float | None, of_head: float | None, request: gr.Request) -> dict[str, Any]:
        context.require(request, Role.ADJUDICATOR)
        return inside(
            context, words[:LONGEST], None if number is None or number == LAST else int(number), int(of_head or 0)
        )

    button.click(friendly(draw), [text, layer, head], view, **QUEUED)


def inside(context: Context, text: str, layer: int | None, head: int) -> dict[str, Any]:
    """What the page shows: an explanation, and for each map its title, one line and an image. The text is in the images only.

    Raises ModelUnusable while no model is loaded, and for a layer or head that is not there.
    """
    from encoder.network.pictures import EXPLANATION, pictures_of

    predictor = context.models.predictor()
    found = predictor.look_inside(text, layer=layer, head=head)
    maps = [
        {
            "title": title,
            "words": words,
            "image": "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode(),
        }
        for title, words, svg in pictures_of(found)
    ]
    return {"model": predictor.version, "explanation": EXPLANATION, "maps": maps}
