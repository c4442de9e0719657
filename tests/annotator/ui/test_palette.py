"""The criteria's colors stay apart for color-blind readers, stay readable, and never stand alone."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from annotator.span_editor.component import FOLDER
from annotator.ui.assets import asset

USED = 9  # the default criteria; further ones repeat lightness before hue
# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB
VISION = {
    "usual": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
APART = {"usual": 25.0, "protanopia": 12.0, "deuteranopia": 12.0, "tritanopia": 12.0}
"""Least CIE76 distance of any two of the colors: 2.3 is where a difference begins to be seen side by side."""
PAPER = {"light": "#ffffff", "dark": "#0b0f19"}


def palette(theme: str) -> list[str]:
    selector = re.escape({"light": ":root", "dark": ".dark"}[theme])
    block = re.search(selector + r" \{([^}]*--ev-c0:[^}]*)\}", asset("style.css"))
    assert block is not None
    return re.findall(r"--ev-c\d+: (#[0-9a-f]{6})", block[1])


def linear(color: str) -> np.ndarray:
    value = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(color: str, vision: str) -> np.ndarray:
    seen = np.clip(np.array(VISION[vision]) @ linear(color), 0, 1)
    ratio = XYZ @ seen / WHITE
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    light, dark = sorted((float(XYZ[1] @ linear(c)) for c in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_no_two_criteria_have_colors_that_look_alike(vision: str, theme: str) -> None:
    colors = palette(theme)[:USED]
    pairs = {
        (i + 1, j + 1): float(np.linalg.norm(lab(a, vision) - lab(b, vision)))
        for (i, a), (j, b) in itertools.combinations(enumerate(colors), 2)
    }
    closest = min(pairs, key=pairs.__getitem__)
    assert pairs[closest] >= APART[vision], f"criteria {closest}: {pairs[closest]:.1f}"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_color_can_be_read_as_text_on_the_page(theme: str) -> None:
    assert {c: contrast(c, PAPER[theme]) for c in palette(theme) if contrast(c, PAPER[theme]) < 4.5} == {}


def test_every_color_has_a_line_pattern_of_its_own() -> None:
    """Colors and patterns repeat after equally many criteria, so two lines that are drawn alike have the same color too."""
    found = re.findall(r"^  \(c\) => (\[.*\]),$", (FOLDER / "js" / "patterns.js").read_text("utf-8"), re.MULTILINE)
    assert len(set(found)) == len(found) == len(palette("light")) == len(palette("dark")) > USED


@pytest.mark.parametrize("name", ["style.css", "retrain.css"])
def test_within_a_media_query_no_selector_names_the_container_that_gradio_puts_before_it(name: str) -> None:
    """Otherwise it would be sought twice, one in the other, and match nothing: high contrast had unreadable passages by it."""
    blocks = re.findall(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)[^{}]*\}", asset(name))
    assert blocks
    assert [block for block in blocks if ".gradio-container" in block] == []
