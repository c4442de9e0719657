"""Maps of tokens by tokens as SVG, and a page that explains them to somebody who has never seen one. No torch."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from encoder.network.inside import Inside

_CELL, _LABEL, _TOP = 14, 92, 84


def heat_map(values: np.ndarray, tokens: Sequence[str], title: str) -> str:
    """A square map as an SVG image: values (tokens, tokens), rows and columns named by the tokens; darker is more.

    Every row is shaded relative to its largest value off the first column: a model's first token attracts much that means nothing.
    """
    size = len(tokens)
    width, height = _LABEL + size * _CELL + 8, _TOP + size * _CELL + 8
    shades = _shades(values)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
        f' aria-label="{html.escape(title)}" font-family="system-ui, sans-serif" font-size="10">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="4" y="14" font-size="12" font-weight="600" fill="#1f2430">{html.escape(title)}</text>',
    ]
    for n, token in enumerate(tokens):
        name, at = html.escape(_shown(token)), n * _CELL
        parts.append(f'<text x="{_LABEL - 4}" y="{_TOP + at + 10}" text-anchor="end" fill="#1f2430">{name}</text>')
        turned = f"rotate(-60 {_LABEL + at + 8} {_TOP - 4})"
        parts.append(f'<text x="{_LABEL + at + 8}" y="{_TOP - 4}" transform="{turned}" fill="#1f2430">{name}</text>')
    for row, column in np.argwhere(shades > 0.02):
        x, y = _LABEL + column * _CELL, _TOP + row * _CELL
        color = "#b4541a" if column > row else "#2457a6"
        parts.append(
            f'<rect x="{x}" y="{y}" width="{_CELL - 1}" height="{_CELL - 1}" fill="{color}" fill-opacity="{shades[row, column]:.2f}"/>'
        )
    side = size * _CELL
    parts.append(
        f'<path d="M{_LABEL} {_TOP} l{side} {side}" stroke="#8a90a0" stroke-dasharray="3 3" fill="none"/>'
        f'<rect x="{_LABEL}" y="{_TOP}" width="{side}" height="{side}" fill="none" stroke="#c9cdd8"/></svg>'
    )
    return "".join(parts)


def pictures_of(found: Inside) -> list[tuple[str, str, str]]:
    """(title, what it shows, SVG) of the four maps, before and after in turn."""
    from encoder.network.inside import ahead

    where = f"layer {found.layer}, head {found.head}"
    maps = [
        (f"Attention before ({where})", found.attention_before),
        (f"Attention after ({where})", found.attention_after),
        ("Influence before", found.influence_before),
        ("Influence after", found.influence_after),
    ]
    return [
        (title, f"{ahead(values):.0%} of it comes from words that stand later.", heat_map(values, found.tokens, title))
        for title, values in maps
    ]


EXPLANATION = (
    "Each row is one word (or a piece of one), each column another. In the attention maps a dark field means: this row's word looks"
    " at that column's word. In the influence maps it means: take that column's word away, and what the model knows of this row's"
    " word changes. Fields below the dashed line (blue) lead to words that were read before, fields above it (orange) to words that"
    " come after. A language model that writes may not see what comes after: before the conversion everything above the line is"
    " empty. A model that marks evidence must: “I do not sleep” and “I do not sleep badly” differ in the word that comes last."
)


def page(found: Inside, model: str) -> str:
    """A complete HTML page with the maps and what they mean; it asks no other host for anything."""
    cut = f"<p>Only the first {len(found.tokens) - 1} tokens are drawn.</p>" if found.cut else ""
    figures = "".join(
        f"<figure>{svg}<figcaption>{html.escape(text)}</figcaption></figure>" for _, text, svg in pictures_of(found)
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Inside the model</title>'
        "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;color:#1f2430}"
        "figure{display:inline-block;margin:0 1rem 1.5rem 0;vertical-align:top}svg{max-width:100%;height:auto}</style>"
        f"<h1>Inside {html.escape(model)}</h1><p>{html.escape(EXPLANATION)}</p>{cut}{figures}</html>\n"
    )


def _shades(values: np.ndarray) -> np.ndarray:
    """From 0 to 1 by row; the diagonal of an influence map (a token moves itself most) and the first column would drown the rest."""
    rest = values.copy()
    rest[:, 0] = 0.0
    np.fill_diagonal(rest, 0.0)
    top = rest.max(axis=1, keepdims=True)
    top[top <= 0] = 1.0
    return np.clip(values / top, 0.0, 1.0)


def _shown(token: str) -> str:
    text = token.strip().replace("\n", "⏎") or "␣"
    return text if len(text) <= 14 else text[:13] + "…"
