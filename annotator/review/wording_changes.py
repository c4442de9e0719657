"""What became different between two wordings of a criterion, word by word. Pure; no markup."""

from __future__ import annotations

import difflib
import re

from storage.records import Criterion

MOST_WORDS = 3000
"""Longer texts are compared line by line: comparing words takes time by the square of their number."""
_WORDS = re.compile(
    r"\w+\s*|\s+|[^\w\s]\s*"
)  # with the space after them: compared by themselves, spaces take time by the square
_PARTS = (("Name", "name"), ("The model reads", "text"), ("Guideline", "guideline"))
_LISTS = (("Examples", "examples"), ("No evidence", "counterexamples"))


def changes(before: Criterion, after: Criterion) -> list[dict[str, object]]:
    """Each part that differs as {"part": its name, "pieces": [[sign, text]]}; signs are = for kept, - for gone, + for new."""
    texts = [(name, getattr(before, key), getattr(after, key)) for name, key in _PARTS]
    texts += [(name, "\n".join(getattr(before, key)), "\n".join(getattr(after, key))) for name, key in _LISTS]
    return [{"part": name, "pieces": pieces(old, new)} for name, old, new in texts if old != new]


def pieces(old: str, new: str) -> list[tuple[str, str]]:
    """The two texts as one: joined, those with = and - are the old one, those with = and + the new one."""
    one, other = _WORDS.findall(old), _WORDS.findall(new)
    if max(len(one), len(other)) > MOST_WORDS:
        one, other = old.splitlines(keepends=True), new.splitlines(keepends=True)
    found: list[tuple[str, str]] = []
    for _, i, j, k, m in difflib.SequenceMatcher(None, one, other).get_opcodes():
        if one[i:j] == other[k:m]:
            found.append(("=", "".join(one[i:j])))
            continue
        found += [("-", "".join(one[i:j])), ("+", "".join(other[k:m]))]
    return [(sign, text) for sign, text in _joined(found) if text]


def _joined(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Words that went and came one after the other as one passage: a space alone parts none."""
    joined: list[tuple[str, str]] = []
    for n, (sign, text) in enumerate(found):
        between = sign == "=" and not text.strip() and 0 < n < len(found) - 1
        if between or (sign != "=" and len(joined) > 1 and joined[-1][0] == "+"):
            signs = ("-", "+") if between else (sign,)
            joined[-2:] = [(s, old + text if s in signs else old) for s, old in joined[-2:]]
        else:
            joined.append((sign, text))
    return joined
