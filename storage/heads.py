"""The SQL that keeps `annotation_head`, the latest answer of each (post, criterion, reviewer), and what is counted from it."""

from __future__ import annotations

_OF_ORIGIN = "(SELECT count(*) FROM json_each(a.spans) WHERE json_extract(value, '$[2]') = '{}')"
_ORIGINS = ", ".join(_OF_ORIGIN.format(origin) for origin in ("accepted", "adjusted", "added"))
_COPIED = ("annotation_id", "verdict", "import_id", "accepted", "adjusted", "added", "rejected")

IN_USE = "version = (SELECT max(version) FROM criterion v WHERE v.id = criterion.id) AND active"
"""The condition on `criterion` for the current wordings of the criteria in use."""
OUT_OF_USE = f"SELECT id FROM criterion GROUP BY id HAVING NOT total({IN_USE})"

RECOUNT_REVIEWS = (
    "DELETE FROM post_review",
    "INSERT INTO post_review (reviewer, post_id, decided) SELECT reviewer, post_id, count(*) FROM main.annotation_head"
    f" WHERE verdict IS NOT NULL AND criterion_id IN (SELECT id FROM criterion WHERE {IN_USE}) GROUP BY reviewer, post_id",
)
"""After another set of criteria came into use."""


def replace_heads(source: str, *, import_id: str = "a.import_id") -> str:
    """The statement that makes the annotations `a` of `source` (all that follows FROM) the heads, in their order."""
    return (
        "INSERT INTO main.annotation_head (post_id, criterion_id, reviewer, annotation_id, verdict, import_id,"
        " accepted, adjusted, added, rejected)"
        f" SELECT a.post_id, a.criterion_id, a.reviewer, a.id, a.verdict, {import_id}, {_ORIGINS},"
        f" json_array_length(a.rejected) FROM {source}"
        " ON CONFLICT (post_id, criterion_id, reviewer) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in _COPIED)
    )
