"""A page of headings, paragraphs and tables, written as Markdown or as HTML. Every text in it is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Cell = str | int | float | None
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])")
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1f2430;background:#fff}"
    "table{border-collapse:collapse;display:block;overflow-x:auto;margin:1rem 0;font-size:.9rem}"
    "caption{text-align:left;font-weight:600;padding:.3rem 0}th,td{padding:.3rem .6rem;border:1px solid #d5d9e0;text-align:left}"
)


@dataclass(frozen=True, slots=True)
class Table:
    """caption: above it. rows: each as long as `head`. A table without rows is left out."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


Block = str | Table  # a text that begins with "# " is a heading


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    blocks: tuple[Block, ...]

    def markdown(self) -> str:
        return "\n".join([f"# {_plain(self.title)}", "", *self._markdown_lines()])

    def html(self) -> str:
        """A whole page that needs nothing else."""
        title = html.escape(self.title)
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>\n'
            f"<body><h1>{title}</h1>\n" + "\n".join(map(_html, self._shown())) + "\n</body></html>\n"
        )

    def _shown(self) -> Iterator[Block]:
        return (block for block in self.blocks if not isinstance(block, Table) or block.rows)

    def _markdown_lines(self) -> Iterator[str]:
        for block in self._shown():
            if isinstance(block, Table):
                yield f"**{_plain(block.caption)}**"
                yield ""
                yield f"| {' | '.join(map(_plain, block.head))} |"
                yield f"|{'---|' * len(block.head)}"
                yield from (f"| {' | '.join(_plain(_said(cell)) for cell in row)} |" for row in block.rows)
            elif block.startswith("# "):
                yield f"## {_plain(block[2:])}"
            else:
                yield _plain(block)
            yield ""


def _said(cell: Cell) -> str:
    return "" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _html(block: Block) -> str:
    if isinstance(block, Table):
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in block.head)
        rows = ("".join(f"<td>{html.escape(_said(cell))}</td>" for cell in row) for row in block.rows)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table><caption>{html.escape(block.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    if block.startswith("# "):
        return f"<h2>{html.escape(block[2:])}</h2>"
    return f"<p>{html.escape(block)}</p>"
