"""Records of a table: the columns of Reddit's dumps."""

from __future__ import annotations

from pathlib import Path

from storage.formats.rows import ImportRow
from tests.storage.formats.reading import SLEEP, reasons, rows, write_lines


def test_reddit_lines_keep_the_body_and_count_out_what_was_removed(tmp_path: Path) -> None:
    post = {
        "id": "a1",
        "name": "t3_a1",
        "title": "Cannot sleep",
        "selftext": SLEEP,
        "author": "[deleted]",
        "subreddit": "x",
    }
    found = rows(
        write_lines(
            tmp_path / "in.jsonl",
            post,
            {**post, "id": "a2", "selftext": "[removed]"},
            {**post, "id": "a3", "selftext": ""},
        )
    )
    assert [(r.post_id, r.text, r.author) for r in found if isinstance(r, ImportRow)] == [
        ("a1", SLEEP, None),
        ("a3", "Cannot sleep", None),
    ]
    assert reasons(found) == [(2, "the post's text is a placeholder: [removed]")]
