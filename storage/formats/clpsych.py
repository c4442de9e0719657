"""Evidence per user as JSON, in the shape in which CLPsych's shared task of 2024 takes it. Out only.

{"USER": {"posts": [{"post_id", "highlights": ["words", ...], "evidence": [{"criterion", "start", "end", "text"}]}]}}: the highlights
are the task's, the evidence says the same with criterion and offsets. A user is a post's author; a post without one is a user of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from storage.formats.answers import quoted
from storage.formats.rows import ExportContext, ExportPost, Written
from storage.records import Verdict

UNSURE = "answers that are unsure"
ALONE = "posts without an author: each is given as a user of its own"
NOTHING = "reviewed without evidence: such a post has no highlight, as one that was not reviewed for a criterion"
CANNOT_CARRY = (
    UNSURE,
    NOTHING,
    "the text of the posts",
    "who decided, when, and earlier revisions",
    "rejected predictions and where a span came from",
    "split, source, date and further columns of a post",
    "predictions",
    "a user's summary of evidence and level of risk: nobody is asked for them here",
)


def write(posts: Iterable[ExportPost], path: Path, context: ExportContext) -> Written:
    """All evidence is held in memory, its posts' texts are not."""
    written = Written()
    users: dict[str, Any] = {}
    for item in posts:
        written.count(item)
        if item.post.author is None:
            written.leave_out(ALONE)
        user = item.post.author if item.post.author is not None else f"post {item.post.id}"
        users.setdefault(user, {"posts": []})["posts"].append(_post(item, written))
    with path.open("w", encoding="utf-8", newline="") as file:
        json.dump(dict(sorted(users.items())), file, ensure_ascii=False, indent=1)
        file.write("\n")
    return written


def _post(item: ExportPost, written: Written) -> dict[str, Any]:
    evidence = []
    for answer in item.answers:
        if answer.verdict is not Verdict.EVIDENCE:
            written.leave_out(UNSURE if answer.verdict is Verdict.UNSURE else NOTHING)
            continue
        for span in answer.spans:
            words = quoted(item.post, span.start, span.end)
            evidence.append({"criterion": answer.criterion_id, "start": span.start, "end": span.end, "text": words})
    ranges = {(e["start"], e["end"]): e["text"] for e in evidence}
    highlights = [ranges[place] for place in sorted(ranges)]
    return {"post_id": item.post.id, "highlights": highlights, "evidence": evidence}
