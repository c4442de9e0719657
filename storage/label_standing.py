"""How several people's labels of whole posts stand, kept in `standing` beside the criteria: a row for each post and label.

Its `rule` says of which answers it was worked out, and which labels were in use: what changes either makes it stale.
Where these rows alone would not tell that a post is worked out (nobody's label is in use, or the newest decision is about another), one
more row, of no label, says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from storage.adjudications import AdjudicationStore, adjudication_from_row
from storage.attributes import attributes_from
from storage.connection import SETTING
from storage.gold_labels import settle_label
from storage.label_rows import IS_LABEL
from storage.records import OF_POST, Annotation
from storage.rows import Row, annotation_from_row, json_cell, to_json
from storage.standing_due import Due
from storage.team_records import Adjudication, Standing, label_question
from storage.visibility import IS_MEASURED

OF_NO_LABEL = label_question("")
_OURS = IS_LABEL.format(row="")
_LABELLED = f"h.verdict IS NULL AND h.criterion_id = '{OF_POST}' AND NOT {IS_MEASURED.format(h='h')}"
_SEVERAL = (
    "SELECT h.post_id, group_concat(h.annotation_id) AS answers, max(h.annotation_id) AS newest FROM annotation_head h"
    f" WHERE {_LABELLED}{{due}} GROUP BY h.post_id HAVING count(*) > 1"
)
_CHANGED = (
    "SELECT n.post_id, n.answers, n.newest FROM ({several}) n LEFT JOIN (SELECT post_id, min(rule) AS rule,"
    f" max(adjudication_id) AS decision FROM standing WHERE {_OURS}{{due}} GROUP BY post_id) s USING (post_id)"
    f" LEFT JOIN (SELECT post_id, max(id) AS decision FROM adjudication WHERE {_OURS}{{due}} GROUP BY post_id) d USING (post_id)"
    " WHERE s.rule IS NOT :rule || n.answers OR ifnull(d.decision, 0) IS NOT ifnull(s.decision, 0)"
)
_GONE = (
    f"DELETE FROM standing WHERE {_OURS}{{due}} AND (NOT :used OR post_id NOT IN (SELECT post_id FROM ({{several}})))"
)


class LabelStandingStore(AdjudicationStore):
    """Works out which labels of posts wait for an adjudication."""

    def refresh_labels(self, due: Due) -> bool:
        """Work out anew what has changed since the last time: labels, decisions, which labels are in use. Returns whether anything has."""
        several, values = _SEVERAL.format(due=due.of("h.")), due.values
        with self.read() as db:
            found = db.once(SETTING, "attributes")
            scales = [s.name for s in attributes_from(json_cell(found[0]) if found else None, "the project").of_posts]
            rule = f"{to_json(scales)} of "
            asked = (
                db.query(_CHANGED.format(several=several, due=due.of("")), {**values, "rule": rule}) if scales else ()
            )
            changed: dict[str, Row] = {row["post_id"]: row for row in asked}
            kept = f"SELECT count(DISTINCT post_id) FROM standing WHERE {_OURS}{due.of('')}"
            left = db.execute(kept, values).fetchone()[0]
            if left and scales:
                left -= db.execute(f"SELECT count(*) FROM ({several})", values).fetchone()[0]
            rows = _rows(db, changed, scales, rule) if changed else []
        if not changed and left <= 0:
            return False
        with self.write(durable=False) as db:  # worked out anew after a power cut
            db.conn.execute(_GONE.format(several=several, due=due.of("")), {**values, "used": bool(scales)})
            db.conn.executemany(f"DELETE FROM standing WHERE {_OURS} AND post_id = ?", [[p] for p in changed])
            db.conn.executemany("INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        return True


def _rows(db: Any, changed: Mapping[str, Row], scales: Sequence[str], rule: str) -> list[list[Any]]:
    ids = json.dumps(list(changed))
    answers: dict[str, list[Annotation]] = {}
    for row in db.query(
        "SELECT a.* FROM json_each(?) g CROSS JOIN annotation_head h ON h.post_id = g.value CROSS JOIN main.annotation a"
        f" ON a.id = h.annotation_id WHERE {_LABELLED} ORDER BY a.id",
        [ids],
    ):
        answers.setdefault(row["post_id"], []).append(annotation_from_row(row))
    decisions: dict[tuple[str, str], Adjudication] = {}
    for row in db.query(
        f"SELECT d.* FROM json_each(?) g CROSS JOIN adjudication d ON d.post_id = g.value WHERE {IS_LABEL.format(row='d.')} ORDER BY d.id",
        [ids],
    ):
        decisions[row["post_id"], row["criterion_id"]] = adjudication_from_row(row)
    rows = []
    newest: dict[str, int] = {}
    for (post_id, _), one in decisions.items():
        newest[post_id] = max(newest.get(post_id, 0), one.id or 0)
    for post_id, at in changed.items():
        of, told = f"{rule}{at['answers']}", -1
        for scale in scales:
            question = label_question(scale)
            decision = decisions.get((post_id, question))
            stands = settle_label(scale, answers.get(post_id, ()), decision)
            if stands is None:
                continue
            state = Standing.AGREED if stands.standing is Standing.SINGLE else stands.standing  # one alone asks nothing
            score = 1.0 if stands.score is None else stands.score
            number = (decision.id or 0) if decision else 0
            told = max(told, number)
            rows.append([post_id, question, stands.readers, at["newest"], number, of, str(state), score])
        if told < (last := newest.get(post_id, 0)):
            rows.append([post_id, OF_NO_LABEL, 0, at["newest"], last, of, str(Standing.AGREED), 1.0])
    return rows
