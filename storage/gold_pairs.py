"""What gold there is, counted by what a training wants to know of it. Kept in `gold_pair`, so that no count reads the answers."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from storage.gold_answers import GoldStore
from storage.heads import OUT_OF_USE
from storage.records import LIKENESS_MARK, SAME_WORDS_MARK, Gold, SpanOrigin, Split, Verdict
from storage.rows import to_json
from storage.standing_due import what_is_due

POSTS_AT_ONCE = 100
"""Worked out in one transaction: a save waits no longer than for these."""
_SEEN = "gold_seen"
_AWAITED = "(post_id, criterion_id) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:awaited))"
Pairs = Collection[tuple[str, str]]
"""(post id, criterion id)"""


@dataclass(frozen=True, slots=True)
class GoldCount:
    """So many gold answers about a criterion that are alike; agreed and marked as of `gold_pair`. new: how many of them are new;
    rejected: predicted spans that are no evidence, in all of them.
    """

    criterion_id: str
    verdict: Verdict
    agreed: bool | None
    marked: bool
    answers: int
    rejected: int
    new: int


class GoldPairStore(GoldStore):
    """Questions about how much gold there is: `refresh_gold_pairs` has to come before."""

    def refresh_gold_pairs(self) -> None:
        """Work out anew what has changed since the last time: answers, adjudications, the rule."""
        rule = to_json(self.gold_rule().to_dict())
        with self.read() as db:
            due = what_is_due(db, _SEEN, rule)
            posts = due.posts(db, beside="gold_pair")
        for first in range(0, len(posts), POSTS_AT_ONCE):
            some = posts[first : first + POSTS_AT_ONCE]
            with self.write(durable=False) as db:  # where it is stored, so that no answer comes in between
                rows = [_row(settled.gold) for settled, _ in self.settled(post_ids=some) if settled.gold]
                db.conn.execute(
                    "DELETE FROM gold_pair WHERE post_id IN (SELECT value FROM json_each(?))", [json.dumps(some)]
                )
                db.conn.executemany("INSERT INTO gold_pair VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        if due.is_news:
            with self.write(durable=False) as db:
                due.remember(db)

    def gold_counts(self, *, since: int, awaited: Pairs) -> list[GoldCount]:
        """The gold answers by what they say, but for those to `awaited`. New are those since the annotation of that id."""
        with self.read() as db:
            rows = db.execute(
                "SELECT criterion_id, verdict, agreed, marked, count(*), sum(rejected), sum(answer > :since)"
                f" FROM gold_pair INDEXED BY gold_pair_alike WHERE NOT {_AWAITED} GROUP BY 1, 2, 3, 4",
                {"since": since, "awaited": json.dumps(list(awaited))},
            ).fetchall()
        return [
            GoldCount(criterion, Verdict(verdict), None if agreed is None else bool(agreed), bool(marked), *numbers)
            for criterion, verdict, agreed, marked, *numbers in rows
        ]

    def gold_posts(self, *, since: int, awaited: Pairs) -> dict[Split, tuple[int, int]]:
        """By split, on how many posts there is gold for a criterion in use that is not `awaited`, and on how many of them new gold."""
        with self.read() as db:
            rows = db.execute(
                "SELECT post.split, count(*), total(g.new) FROM (SELECT post_id, max(answer) > :since AS new FROM gold_pair"
                f" WHERE criterion_id NOT IN ({OUT_OF_USE}) AND NOT {_AWAITED} GROUP BY post_id) g"
                " CROSS JOIN post ON post.id = g.post_id GROUP BY 1",
                {"since": since, "awaited": json.dumps(list(awaited))},
            ).fetchall()
        return dict.fromkeys(Split, (0, 0)) | {Split(name): (posts, int(new)) for name, posts, new in rows}

    def count_gold_of(self, pairs: Pairs) -> int:
        """How many of them have gold."""
        with self.read() as db:
            return int(
                db.execute(
                    "SELECT count(*) FROM json_each(?) given CROSS JOIN gold_pair g ON g.post_id = json_extract(given.value, '$[0]')"
                    " AND g.criterion_id = json_extract(given.value, '$[1]')",
                    [json.dumps(list(pairs))],
                ).fetchone()[0]
            )


def _row(gold: Gold) -> list[Any]:
    return [
        gold.post_id,
        gold.criterion_id,
        gold.annotation.id or 0,
        str(gold.verdict),
        len(gold.rejected),
        _agreed_with_model(gold),
        _model_marked(gold),
    ]


def _agreed_with_model(gold: Gold) -> bool | None:
    """Whether the reviewer left the model's marks as they were; None if they saw none or others beside, or confirmed in bulk."""
    annotation = gold.annotation
    if annotation.model_version is None or annotation.bulk or _not_the_models(annotation.model_version):
        return None
    return not annotation.rejected and all(s.origin is SpanOrigin.ACCEPTED for s in annotation.spans)


def _model_marked(gold: Gold) -> bool:
    marked = gold.rejected or any(s.predicted for s in gold.annotation.spans)
    return bool(marked) and not _not_the_models(gold.annotation.model_version or "")


def _not_the_models(version: str) -> bool:
    """Whether some of what was shown was not the model's: likeness to a criterion, or words that were accepted elsewhere."""
    return any(version.endswith(f"+ {mark}") or f"+ {mark} " in version for mark in (LIKENESS_MARK, SAME_WORDS_MARK))
