"""The ReDSM5 layout: status 1 is evidence, 0 a refused passage; an odd status costs its row, SPECIAL_CASE is no criterion."""

from __future__ import annotations

from pathlib import Path

from storage.formats.rows import ImportRow
from tests.storage.formats.reading import (
    FOOD,
    SLEEP,
    TEXT,
    left_out,
    reasons,
    rows,
    said,
)


def test_posts_and_then_their_annotations(tmp_path: Path) -> None:
    (tmp_path / "redsm5_posts.csv").write_text(f"post_id,text\ns1,{TEXT}\n", "utf-8")
    lines = [
        f"s1,s1_0,{SLEEP},SLEEP_ISSUES,1,much",
        f"s1,s1_1,{FOOD},ANHEDONIA,0,",
        f"s1,s1_2,{FOOD},SPECIAL_CASE,1,",
        "s1,s1_3,x,MOOD,maybe,",
    ]
    head = "post_id,sentence_id,sentence_text,DSM5_symptom,status,explanation"
    (tmp_path / "redsm5_annotations.csv").write_text("\n".join([head, *lines]), "utf-8")
    found = rows(tmp_path)
    post, sleep, food, special = [row for row in found if isinstance(row, ImportRow)]
    assert (post.post_id, post.text) == ("s1", TEXT)
    assert said(sleep) == {"SLEEP_ISSUES": ("evidence", [SLEEP])}
    assert (sleep.labels[0].note, [p.quote for p in food.labels[0].rejected]) == ("much", [FOOD])
    assert said(food) == {"ANHEDONIA": ("no_evidence", [])}
    assert left_out(special) == {"SPECIAL_CASE": "is no criterion"}
    assert reasons(found) == [(5, "redsm5_annotations.csv: the status 'maybe' is neither 0 nor 1")]
