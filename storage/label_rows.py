"""SQL: questions about labels of posts (`team_records.label_question`) among those about criteria, and whose answers they are."""

from __future__ import annotations

from storage.records import OF_POST
from storage.team_records import label_question

IS_LABEL = f"({{row}}criterion_id >= '{label_question('')}' AND {{row}}criterion_id < '{OF_POST};')"
"""Whether a row of `standing` or `adjudication` is about a label of a post. `{row}`: '' or the row's name and a dot."""
ANSWERED_UNDER = f"CASE WHEN {IS_LABEL} THEN '{OF_POST}' ELSE {{row}}criterion_id END"
"""What stands for a criterion in the answers to such a row: as `team_records.answered_under`."""
IS_ANSWERED = (
    "EXISTS (SELECT 1 FROM annotation_head h WHERE h.post_id = {row}post_id AND h.criterion_id = "
    + ANSWERED_UNDER
    + " AND h.reviewer = {who} AND (h.verdict IS NOT NULL OR EXISTS (SELECT 1 FROM main.annotation a CROSS JOIN json_each(a.labels) given"
    f" WHERE a.id = h.annotation_id AND '{label_question('')}' || given.key = {{row}}criterion_id)))"
)
"""Whether a person has answered what such a row asks: `{who}` has a verdict, or has given that label."""
