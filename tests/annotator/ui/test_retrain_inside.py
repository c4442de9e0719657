"""The maps of the model in service reach the page as images, and a text in them stays a text."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from annotator.ui.retrain_inside import EXAMPLE, inside
from encoder.errors import ModelUnusable
from encoder.predict import Predictor
from tests.encoder.tiny import tiny_encoder


@pytest.fixture(scope="module")
def context() -> Any:
    predictor = Predictor(tiny_encoder(), "v1")
    return SimpleNamespace(models=SimpleNamespace(predictor=lambda: predictor))


def test_four_maps_with_what_they_show(context: Any) -> None:
    value = inside(context, EXAMPLE, None, 0)
    assert value["model"] == "v1"
    assert [m["title"] for m in value["maps"]] == [
        "Attention before (layer 1, head 0)",
        "Attention after (layer 1, head 0)",
        "Influence before",
        "Influence after",
    ]
    assert value["maps"][0]["words"] == "0% of it comes from words that stand later."
    assert value["maps"][1]["words"] != value["maps"][0]["words"]


def test_markup_in_a_text_is_drawn_not_run(context: Any) -> None:
    for found in inside(context, "<img src=x onerror=alert(1)>", 0, 1)["maps"]:
        kind, _, data = found["image"].partition(",")
        assert kind == "data:image/svg+xml;base64"
        assert {e.tag.rpartition("}")[2] for e in ElementTree.fromstring(base64.b64decode(data)).iter()} <= {
            "svg", "rect", "text", "path",
        }  # fmt: skip


def test_a_layer_that_is_not_there_is_one_line(context: Any) -> None:
    with pytest.raises(ModelUnusable, match="There is no layer 7; the model has layers 0 to 1"):
        inside(context, EXAMPLE, 7, 0)
