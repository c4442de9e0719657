"""Tags in a text that are called like criteria: the text stays, and what is not read is said."""

from __future__ import annotations

import pytest

from storage.formats.inline_tags import with_tags_said
from storage.formats.rows import ImportRow

NAMES = ("SLEEP_ISSUES", "FATIGUE")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("I <SLEEP_ISSUES>lie awake</SLEEP_ISSUES>.", ["SLEEP_ISSUES"]),
        ('I <e id="1" label="fatigue">am worn</e> out, <FATIGUE>so tired</FATIGUE>.', ["fatigue", "FATIGUE"]),
        ("I [SLEEP_ISSUES]lie awake[/SLEEP_ISSUES].", ["SLEEP_ISSUES"]),
        ("I [lie awake](SLEEP_ISSUES).", ["SLEEP_ISSUES"]),
        ("I <b>lie</b> awake [here](http://x.y/FATIGUE), fatigue < sleep.", []),
    ],
)
def test_tags_are_said(text: str, named: list[str]) -> None:
    row = with_tags_said(ImportRow(1, "p", text), NAMES)
    assert row.text == text
    assert [reason.partition(":")[0] for _, reason in row.notes] == named
    assert [name for _, name, _, _ in row.account] == named
