"""Gold in the store, and how the answers of several people stand: the one reader of what `storage.gold` decides."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from storage.connection import SETTING
from storage.gold import Settled, settle
from storage.heads import OUT_OF_USE
from storage.label_rows import IS_ANSWERED, IS_LABEL
from storage.label_standing import OF_NO_LABEL, LabelStandingStore
from storage.records import OF_POST, Annotation, Gold, Split
from storage.rows import annotation_from_row, json_cell, to_json
from storage.standing_due import what_is_due
from storage.team_records import GoldRule, Standing
from storage.visibility import IS_MEASURED, OF_ROUND

GOLD_RULE_SETTING = "gold_rule"
TEXTS_AT_ONCE = 2000
_SEEN = "standing_seen"
_ALL_OF_SEVERAL = (  # answers in the order of the primary key, so by reviewer, as `_standing_rows` writes them
    "SELECT post_id, criterion_id, group_concat(annotation_id) AS answers FROM annotation_head h"
    " WHERE verdict IS NOT NULL{counted} GROUP BY post_id, criterion_id HAVING count(*) > 1"
)
_COUNTED = f" AND NOT {IS_MEASURED.format(h='h')}"
_CHANGED = (
    "SELECT n.post_id, n.criterion_id FROM ({several}) n LEFT JOIN (SELECT post_id, criterion_id, max(id) AS decision FROM adjudication"
    " WHERE true{due} GROUP BY post_id, criterion_id) d USING (post_id, criterion_id)"
    " LEFT JOIN standing s USING (post_id, criterion_id)"
    " WHERE s.adjudication_id IS NOT coalesce(d.decision, 0) OR s.rule IS NOT :rule || n.answers"
)
_GONE = (
    " AND NOT EXISTS (SELECT 1 FROM annotation_head h WHERE h.post_id = standing.post_id"
    f" AND h.criterion_id = standing.criterion_id AND h.verdict IS NOT NULL{_COUNTED} GROUP BY h.post_id HAVING count(*) > 1)"
)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One line of the adjudication queue: what is open, by how many, and how alike their answers are (0 to 1)."""

    post_id: str
    criterion_id: str
    readers: int
    score: float
    state: Standing


class GoldStore(LabelStandingStore):
    """Questions about gold and about agreement between people, answer by answer."""

    def gold_rule(self) -> GoldRule:
        return GoldRule.from_dict(_setting(self, GOLD_RULE_SETTING) or {})

    def gold(self, *, split: Split | None = None, post_ids: Sequence[str] | None = None) -> list[Gold]:
        """The gold answers, in order of post id and criterion id. Training and export both read this.

        split: only posts of that split. post_ids: only these posts.
        """
        return [s.gold for s, _ in self.settled(split=split, post_ids=post_ids) if s.gold is not None]

    def settled(
        self, *, split: Split | None = None, post_ids: Sequence[str] | None = None
    ) -> Iterator[tuple[Settled, list[Annotation]]]:
        """How each (post, criterion) with an answer stands, and the latest annotations it stands on."""
        rule, decisions = self.gold_rule(), self.latest_adjudications(post_ids)
        chosen, values = [f"NOT {IS_MEASURED.format(h='h')}"], {}
        if split is not None:
            chosen.append("(SELECT split FROM post WHERE id = h.post_id) = :split")
            values["split"] = str(split)
        if post_ids is not None:
            chosen.append("h.post_id IN (SELECT value FROM json_each(:ids))")
            values["ids"] = json.dumps(list(post_ids))
        with self.read() as db:
            rows = db.query(  # in the order of the table: nothing is sorted
                "SELECT a.* FROM annotation_head h CROSS JOIN main.annotation a ON a.id = h.annotation_id"
                f" WHERE {' AND '.join(chosen)} ORDER BY h.post_id, h.criterion_id",
                values,
            )
            latest = [annotation_from_row(row) for row in rows]
        for key, group in itertools.groupby(latest, key=lambda a: (a.post_id, a.criterion_id)):
            answers = sorted(group, key=lambda a: a.id or 0)
            text = functools.partial(self._text_of, key[0])
            found = settle(answers, decisions.get(key), rule=rule, text=text)
            if found is not None:
                yield found, answers

    def disagreements(
        self,
        *,
        criterion_id: str | None = None,
        people: Sequence[str] = (),
        states: Sequence[Standing] = (Standing.OPEN,),
        limit: int = 50,
        offset: int = 0,
    ) -> list[Disagreement]:
        """What is to be adjudicated, the worst first. people: only where all of them answered. What is open about a criterion that is out
        of use is listed only where that one is asked for.
        """
        self.refresh_standing()
        where, values = _chosen(criterion_id, people, states)
        with self.read() as db:
            rows = db.query(
                f"SELECT post_id, criterion_id, readers, score, state FROM standing WHERE {where}"
                " ORDER BY score, post_id, criterion_id LIMIT :limit OFFSET :offset",
                {**values, "limit": limit, "offset": offset},
            )
            return [Disagreement(**{**row, "state": Standing(row["state"])}) for row in rows]

    def count_disagreements(
        self,
        *,
        criterion_id: str | None = None,
        people: Sequence[str] = (),
        states: Sequence[Standing] = (Standing.OPEN,),
    ) -> int:
        """How many (post, criterion) pairs `disagreements` would list in all."""
        self.refresh_standing()
        where, values = _chosen(criterion_id, people, states)
        with self.read() as db:
            return int(db.execute(f"SELECT count(*) FROM standing WHERE {where}", values).fetchone()[0])

    def people_with_answers(self) -> list[str]:
        """Who has answered anything."""
        with self.read() as db:
            rows = db.execute(
                "SELECT name FROM reviewer WHERE EXISTS (SELECT 1 FROM main.annotation_head h WHERE h.reviewer = reviewer.name)"
            )
            return [row[0] for row in rows]

    def standing_counts(self, *, round_id: int | None = None) -> dict[str, dict[str, int]]:
        """By criterion id and state: how many posts (of a round, or of all) that several people answered."""
        self.refresh_standing()
        counts: dict[str, dict[str, int]] = {}
        with self.read() as db:
            for row in db.query(
                "SELECT criterion_id, state, count(*) AS n FROM standing WHERE criterion_id <> :no_label AND (:round IS NULL"
                " OR post_id IN (SELECT post_id FROM round_post WHERE round_id = :round)) GROUP BY 1, 2",
                {"round": round_id, "no_label": OF_NO_LABEL},
            ):
                counts.setdefault(row["criterion_id"], {})[row["state"]] = row["n"]
        return counts

    def answers_in_common(
        self, *, round_id: int | None = None, models: Sequence[str] = ()
    ) -> list[tuple[str, str, str, str, str, str]]:
        """(post id, criterion id, person, verdict, spans as JSON, time) of every latest answer to what several people answered.

        round_id: only of that round's readers, on its posts, with the answers that were given to be measured by gold; they count
        nowhere else.
        models: with the predictions of these versions for the same, as "model VERSION". Their time is that of the newest answer which
        they stand beside: when a version came to read a post says nothing about the work.
        """
        counted = _COUNTED if round_id is None else ""
        mine = "" if round_id is None else f" AND {OF_ROUND.format(round=':round')}"
        chosen = f"({_ALL_OF_SEVERAL.format(counted=counted + mine)}) n"
        values = {"round": round_id, "models": json.dumps(list(models))}
        with self.read() as db:
            people = db.execute(
                f"SELECT h.post_id, h.criterion_id, h.reviewer, h.verdict, a.spans, a.created_at FROM {chosen}"
                " CROSS JOIN annotation_head h ON h.post_id = n.post_id AND h.criterion_id = n.criterion_id"
                f" CROSS JOIN main.annotation a ON a.id = h.annotation_id WHERE h.verdict IS NOT NULL{counted}{mine}",
                values,
            ).fetchall()
            if not models:
                return people
            predicted = db.execute(
                "SELECT p.post_id, p.criterion_id, 'model ' || p.model_version,"
                " CASE WHEN p.max_score > 0 THEN 'evidence' ELSE 'no_evidence' END, p.spans"
                f" FROM {chosen} CROSS JOIN prediction p ON p.post_id = n.post_id AND p.criterion_id = n.criterion_id"
                " WHERE p.known AND p.model_version IN (SELECT value FROM json_each(:models))",
                values,
            ).fetchall()
        newest: dict[tuple[str, str], str] = {}
        for post_id, criterion_id, *_, at in people:
            newest[post_id, criterion_id] = max(at, newest.get((post_id, criterion_id), ""))
        return [*people, *((*row, newest[row[0], row[1]]) for row in predicted)]

    def labels_in_common(self, *, round_id: int | None = None) -> list[tuple[str, str, str]]:
        """(post id, person, labels as JSON) of the latest labels of whole posts, of a round or of all; as `answers_in_common`."""
        counted = _COUNTED if round_id is None else f" AND {OF_ROUND.format(round=':round')}"
        with self.read() as db:
            return db.execute(
                "SELECT h.post_id, h.reviewer, a.labels FROM annotation_head h CROSS JOIN main.annotation a ON a.id = h.annotation_id"
                f" WHERE h.criterion_id = :whole AND a.labels IS NOT NULL{counted} ORDER BY 1, 2",
                {"whole": OF_POST, "round": round_id},
            ).fetchall()

    def texts(self, post_ids: Sequence[str]) -> Iterator[str]:
        """The posts' texts in the order of the ids, read in pieces: as many as there are, in little memory."""
        for first in range(0, len(post_ids), TEXTS_AT_ONCE):
            with self.read() as db:
                rows = db.execute(
                    "SELECT post.text FROM json_each(?) given CROSS JOIN post ON post.id = given.value ORDER BY given.key",
                    [json.dumps(list(post_ids[first : first + TEXTS_AT_ONCE]))],
                ).fetchall()
            yield from (row[0] for row in rows)

    def refresh_standing(self) -> int:
        """Work out anew what has changed since the last time: answers, adjudications, the rule. Returns how many pairs of post and
        criterion; labels of posts are brought up to date beside them.
        """
        rule = f"{to_json(self.gold_rule().to_dict())} of "
        with self.read() as db:
            labels = db.once(SETTING, "attributes")
            due = what_is_due(db, _SEEN, rule + (labels[0] if labels else ""))
        labelled = self.refresh_labels(due)
        values = {**due.values, "rule": rule}
        several = _ALL_OF_SEVERAL.format(counted=_COUNTED + due.of("h."))
        kept = f"FROM standing WHERE NOT {IS_LABEL.format(row='')}{due.of('')}"
        with self.read() as db:
            changed = db.execute(_CHANGED.format(several=several, due=due.of("")), values)
            pairs = {(post_id, criterion_id) for post_id, criterion_id in changed}
            counts = f"SELECT (SELECT count(*) {kept}) > (SELECT count(*) FROM ({several}))"
            is_over = bool(db.execute(counts, values).fetchone()[0])
        rows = self._standing_rows(pairs, rule) if pairs else []
        if pairs or is_over or labelled or due.is_news:
            with self.write(durable=False) as db:  # worked out anew after a power cut
                db.conn.execute(f"DELETE {kept}{_GONE}", values)
                db.conn.executemany("INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
                due.remember(db)
        return len(rows)

    def _standing_rows(self, pairs: set[tuple[str, str]], rule: str) -> list[list[Any]]:
        posts = sorted({post_id for post_id, _ in pairs})
        decisions = self.latest_adjudications(posts)
        rows = []
        for settled, latest in self.settled(post_ids=posts):
            decided = [a for a in latest if a.decided]
            key = (latest[0].post_id, latest[0].criterion_id)
            if key not in pairs or len(decided) < 2 or settled.score is None:
                continue
            answers = ",".join(str(a.id) for a in sorted(decided, key=lambda a: a.reviewer))
            decision = decisions.get(key)
            rows.append(
                [
                    *key,
                    len(decided),
                    max(a.id or 0 for a in decided),
                    (decision.id if decision else 0),
                    rule + answers,
                    str(settled.standing),
                    settled.score,
                ]
            )
        return rows

    def _text_of(self, post_id: str) -> str:
        with self.read() as db:
            return str(db.execute("SELECT text FROM post WHERE id = ?", [post_id]).fetchone()[0])


def _setting(store: GoldStore, key: str) -> Any:
    with store.read() as db:
        return next(
            (json_cell(row["value"]) for row in db.query("SELECT value FROM setting WHERE key = ?", [key])), None
        )


def _chosen(criterion_id: str | None, people: Sequence[str], states: Sequence[Standing]) -> tuple[str, dict[str, Any]]:
    where = ["state IN (SELECT value FROM json_each(:states))"]
    values: dict[str, Any] = {"states": json.dumps([str(s) for s in states])}
    if criterion_id:
        where.append("criterion_id = :criterion")
        values["criterion"] = criterion_id
    else:
        where.append(f"(state <> 'open' OR criterion_id NOT IN ({OUT_OF_USE}))")
    for number, person in enumerate(people):
        where.append(IS_ANSWERED.format(row="standing.", who=f":person{number}"))
        values[f"person{number}"] = person
    return " AND ".join(where), values
