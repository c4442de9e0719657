"""Labels that stand as tags inside a text (`<SLEEP>lying awake</SLEEP>`): the text is stored as it stands, and the labels are said."""

from __future__ import annotations

import functools
import re
from collections import Counter
from dataclasses import replace

from storage.formats.ledger import LABEL, Outcome
from storage.formats.rows import ImportRow

WHY = "stands as a tag inside a text, which is kept as it stands; not read as a label"


def with_tags_said(row: ImportRow, names: tuple[str, ...]) -> ImportRow:
    """The row; where tags in its text are called like a criterion, with a note and a count of what is not read. names: of criteria."""
    if not row.text or not names or not any(sign in row.text for sign in ("</", "[/", "](")):
        return row
    pattern = _tags(names)
    found = Counter(next(filter(None, m.groups())) for m in pattern.finditer(row.text))
    account = dict(row.account)
    for name, count in found.items():
        key = (LABEL, name, Outcome.LEFT, WHY)
        account[key] = account.get(key, 0) + count
    return replace(row, notes=(*row.notes, *(("label", f"{name}: {WHY}") for name in found)), account=account)


@functools.lru_cache(maxsize=8)
def _tags(names: tuple[str, ...]) -> re.Pattern[str]:
    """`<NAME>`, `<e label="NAME">` (a closing tag stands somewhere), `[NAME]…[/NAME]`, `[words](NAME)`."""
    one = "|".join(map(re.escape, sorted(filter(None, names), key=len, reverse=True)))
    return re.compile(
        rf"""<(?:[\w:.-]+\s+[^<>]*?=\s*["'])?({one})["']?(?:\s[^<>]*)?>|\[({one})\]|\]\(({one})\)""", re.IGNORECASE
    )
