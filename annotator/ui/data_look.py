"""The look at a file on the Data page: its first posts as they will be stored, counts, and what becomes of everything in it.

Every piece of text is escaped: a file is somebody else's.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Sequence

from annotator.exchange.looking import FileLook, LookedPost
from annotator.review.language import others_among
from annotator.words import counted
from storage.formats.ledger import NO_LOSS, Outcome

SHOWN_CHARACTERS, AROUND = 420, 80
SHOWN_ENTRIES, SHOWN_ISSUES = 40, 8
OUTCOMES = {str(Outcome.KEPT): "kept with the post"}  # in the words of the page


def shown(look: FileLook, language: str = "") -> str:
    """The look as HTML. language: the one that the project's criteria are for, '' for any."""
    if look.problem:
        return f'<p class="import-problem">{html.escape(look.problem)}</p>'
    parts = [_counts(look), _language(look, language), _mojibake(look), _left(look), _issues(look)]
    posts = "".join(_post(p) for p in look.posts)
    parts += [f'<ol class="import-posts" tabindex="0" aria-label="The first posts">{posts}</ol>'] if posts else []
    return '<div class="import-look">' + "".join(parts) + "</div>"


def _counts(look: FileLook) -> str:
    report = look.report
    rows = counted(report.rows, "row") if look.whole else f"the first {counted(report.rows, 'row')}"
    words = [
        f"Of {rows}: {counted(report.imported, 'post')}",
        f"{report.duplicates:,} there already",
        f"{report.rejected_count:,} refused",
    ]
    if report.generated_ids:
        words.append(f"{counted(report.generated_ids, 'id')} made from the texts")
    answers = ", ".join(f"{html.escape(c)} {html.escape(v)} {n:,}" for (c, v), n in sorted(look.counts.items()))
    return f"<p>{'; '.join(words)}.</p><p>{answers or 'No answers in the file.'}</p>"


def _language(look: FileLook, language: str) -> str:
    line = others_among([post.text for post in look.posts], language)
    return f'<p class="import-language">{html.escape(line)}</p>' if line else ""


def _mojibake(look: FileLook) -> str:
    report = look.report
    if not report.mojibake_examples:
        return ""
    pairs = "".join(
        f"<li><del>{html.escape(e['before'])}</del> → <ins>{html.escape(e['after'])}</ins></li>"
        for e in report.mojibake_examples
    )
    done = (
        f"{report.mended_rows:,} texts are mended"
        if report.mended_rows
        else "“Mend wrongly decoded texts” repairs them"
    )
    return f'<div class="import-mojibake"><p>{report.mojibake_rows:,} texts look wrongly decoded; {done}:</p><ul>{pairs}</ul></div>'


def _left(look: FileLook) -> str:
    """What is not taken: left out, or a label that was not read, in a warning colour; kept in meta below it."""
    entries = [e for e in look.report.ledger if e["outcome"] != Outcome.TAKEN and e["detail"] not in NO_LOSS]
    if not entries:
        return ""
    lines = []
    for entry in entries[:SHOWN_ENTRIES]:
        unread = entry["outcome"] == Outcome.LEFT or entry["detail"]  # what is kept in silence is no label
        kind = "import-left" if unread else "import-kept"
        detail = f": {html.escape(entry['detail'])}" if entry["detail"] else ""
        name = f"{html.escape(entry['what'])} <b>{html.escape(entry['name'])}</b>"
        words = OUTCOMES.get(entry["outcome"], entry["outcome"])
        lines.append(f'<li class="{kind}">{name}: {html.escape(words)}, {counted(entry["count"], "time")}{detail}</li>')
    if len(entries) > SHOWN_ENTRIES:
        lines.append(f"<li>and {len(entries) - SHOWN_ENTRIES} more</li>")
    return f"<details open><summary>Not read as a text, an id or an answer</summary><ul>{''.join(lines)}</ul></details>"


def _issues(look: FileLook) -> str:
    if not look.issues:
        return ""
    lines = "".join(
        f"<li>Row {i.row}, {html.escape(i.kind)}: {html.escape(i.reason)}</li>" for i in look.issues[:SHOWN_ISSUES]
    )
    more = "<li>and more: check the whole file</li>" if len(look.issues) > SHOWN_ISSUES else ""
    return f"<details><summary>Rows that are not taken as they stand</summary><ul>{lines}{more}</ul></details>"


def _post(post: LookedPost) -> str:
    marks = sorted({(s, e, c) for c, _, spans in post.answers for s, e in spans})
    without = [f"{c}: {v}" for c, v, spans in post.answers if not spans]
    head = html.escape(f"{post.id} ({post.split})") + (f" · {html.escape(', '.join(without))}" if without else "")
    return f'<li><div class="import-id">{head}</div><div dir="auto" class="import-text">{_marked(post.text, marks)}</div></li>'


def _marked(text: str, marks: Sequence[tuple[int, int, str]]) -> str:
    """The text with its passages marked; a long one is cut to what is around them."""
    cuts = sorted({0, len(text), *(p for s, e, _ in marks for p in (s, e))})
    keep = _windows(len(text), marks)
    parts = []
    for start, end in itertools.pairwise(cuts):
        names = sorted({c for s, e, c in marks if s <= start and end <= e})
        words = "".join(_kept(text, start, end, keep))
        title = html.escape(", ".join(names), quote=True)
        parts.append(f'<mark title="{title}">{words}</mark><sup>{title}</sup>' if names else words)
    return "".join(parts)


def _windows(length: int, marks: Iterable[tuple[int, int, str]]) -> list[tuple[int, int]]:
    if length <= SHOWN_CHARACTERS:
        return [(0, length)]
    found = [(max(0, s - AROUND), min(length, e + AROUND)) for s, e, _ in marks]
    return sorted(found) or [(0, SHOWN_CHARACTERS)]


def _kept(text: str, start: int, end: int, windows: Sequence[tuple[int, int]]) -> Iterable[str]:
    """The part of the text that lies in the windows, escaped, with dots where something is left away."""
    at = start
    for first, last in windows:
        first, last = max(first, at), min(last, end)
        if first < last:
            yield ("…" if first > at else "") + html.escape(text[first:last])
            at = last
    if at < end:
        yield "…"
