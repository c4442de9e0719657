"""The queue as SQL: its orders, its conditions, and the small sets that it can start from.

An **order** is a list of walks along an index, best first. What a walk does not hold comes with the next one: a post that the
model has not read has no score, so it comes after all that have one. A **condition** is SQL about one post, `post` being its row
and `s` its score. A **start** is a filter by which the posts can be looked up: where it finds few, they are looked up and
sorted; where it finds many, the walk meets one of them soon. So no question reads more than a small part of a million posts.

Tables are named with `main.`: the views that hide unfinished imports cannot be told which index to use. `post` is visible by
a condition of its own while there are such imports.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from storage.connection import PENDING
from storage.fulltext import fts_query
from storage.records import InvalidRecord, Split, Verdict
from storage.visibility import VISIBLE_HEAD


class QueueOrder(StrEnum):
    """`round`: what `assigned_to` was given, round by round, in the order of each; what was given in a closed round is left out."""

    UNCERTAIN = "uncertain"
    EVIDENCE = "evidence"
    NEWEST = "newest"
    RANDOM = "random"
    DOUBTS = "doubts"
    ROUND = "round"


class ReviewState(StrEnum):
    """Of a post, for one reviewer. `todo` is open and not skipped; in the order `doubts`, whatever holds a doubted answer.

    `outdated`: they decided a criterion under a wording that is no longer current.
    """

    TODO = "todo"
    SKIPPED = "skipped"
    REVIEWED = "reviewed"
    OUTDATED = "outdated"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What is asked of the queue. None or empty means: no such condition.

    min_score/max_score: the post's best span score, with `criterion` its best one for that. criterion with verdict: somebody's
    latest verdict for it. reviewer: posts on which that person has a verdict. outside_rounds: only posts that no open round holds.
    query: words to find in the text (FTS5).
    """

    order: QueueOrder = QueueOrder.RANDOM
    state: ReviewState = ReviewState.TODO
    criterion: str | None = None
    verdict: Verdict | None = None
    min_score: float | None = None
    max_score: float | None = None
    split: Split | None = None
    source: str | None = None
    reviewer: str | None = None
    assigned_to: str | None = None
    outside_rounds: bool = False
    query: str = ""


@dataclass(frozen=True, slots=True)
class Walk:
    """Posts along one index.

    table: what it walks along, with its alias. index: of that table. joined: how a post's row finds its row there, None when
    the table is `post` itself. where: which part of the index. columns: what it is sorted by, all in one direction; together
    they are different for every post, so that a walk can go on from where another ended.
    """

    table: str
    index: str
    columns: tuple[str, str]
    descending: bool
    post_id: str = "post.id"
    joined: str | None = None
    where: str = "1"

    @property
    def source(self) -> str:
        walked = f"{self.table} INDEXED BY {self.index}"
        return walked if self.joined is None else f"{walked} CROSS JOIN main.post AS post ON post.id = {self.post_id}"

    @property
    def order_by(self) -> str:
        return ", ".join(f"{column} {'DESC' if self.descending else 'ASC'}" for column in self.columns)

    @property
    def beyond(self) -> tuple[str, str]:
        """The conditions for what comes after :at_0, :at_1, one after the other: a row of both would be sought by the first alone."""
        first, second = self.columns
        sign = "<" if self.descending else ">"
        return f"{first} = :at_0 AND {second} {sign} :at_1", f"{first} {sign} :at_0"


def _by_score(column: str) -> Walk:
    return Walk(
        table="post_score AS s",
        index=f"post_score_{column}",
        columns=(f"s.{column}", "s.post_id"),
        descending=True,
        post_id="s.post_id",
        joined="s.post_id = post.id AND s.model_version = :model",
        where="s.model_version = :model",
    )


_STILL_OPEN = "ifnull({given}.round_id, 0) NOT IN (SELECT id FROM round WHERE closed_at IS NOT NULL)"
_SHUFFLED = Walk("main.post AS post", "post_shuffle", ("post.shuffle", "post.number"), descending=False)
NOT_READ = Walk(
    "main.post AS post",
    "post_shuffle",
    ("post.shuffle", "post.number"),
    descending=False,
    where="NOT EXISTS (SELECT 1 FROM post_score n WHERE n.post_id = post.id AND n.model_version = :model)",
)
"""What the model has not read yet, in random order."""

WALKS: dict[QueueOrder, tuple[Walk, ...]] = {
    QueueOrder.UNCERTAIN: (_by_score("uncertainty"), NOT_READ),
    QueueOrder.EVIDENCE: (_by_score("evidence"), NOT_READ),
    QueueOrder.NEWEST: (
        Walk("main.post AS post", "post_newest", ("post.imported_at", "post.number"), descending=True),
    ),
    QueueOrder.RANDOM: (_SHUFFLED,),
    QueueOrder.DOUBTS: (
        Walk(
            table="post_doubt AS d",
            index="post_doubt_worst",
            columns=("d.doubt", "d.post_id"),
            descending=True,
            post_id="d.post_id",
            joined="d.post_id = post.id",
        ),
    ),
    QueueOrder.ROUND: (
        Walk(
            table="assignment AS w",
            index="assignment_place",
            columns=("w.place", "w.post_id"),
            descending=False,
            post_id="w.post_id",
            joined="w.post_id = post.id AND w.reviewer = :assigned_to",
            where=f"w.reviewer = :assigned_to AND {_STILL_OPEN.format(given='w')}",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Start:
    """Posts that one filter looks up. table: as in FROM. where: on it. joined: how `post` is found from it."""

    table: str
    where: str
    joined: str
    repeats: bool = False  # whether it may give a post more than once
    implies: str = ""  # the condition that all its posts fit, which need not be looked at again

    def source(self, joins: str) -> str:
        return f"{self.table} CROSS JOIN main.post AS post ON {self.joined} {joins}"


@dataclass(frozen=True, slots=True)
class QueuePlan:
    """One question of the queue, as SQL.

    conditions: on a post, `@id` standing for its id, cheapest first. starts: the sets that it can be answered from.
    values: of the parameters.
    """

    walks: tuple[Walk, ...]
    conditions: tuple[str, ...]
    starts: tuple[Start, ...]
    values: dict[str, Any]

    def _where(self, start: Start) -> str:
        return " AND ".join([start.where, *(c for c in self.conditions if c != start.implies)])

    def walk_sql(self, walk: Walk, *, part: str = "1") -> str:
        """Rows (id, first column, second column) of the walk that fit; part: a condition of `walk.beyond`."""
        where = [walk.where, part, *self.conditions]
        return (
            f"SELECT {walk.post_id}, {', '.join(walk.columns)} FROM {walk.source} {self._joins(walk)}"
            f" WHERE {' AND '.join(where)} ORDER BY {walk.order_by} LIMIT :limit"
        ).replace("@id", walk.post_id)

    def count_sql(self, walk: Walk) -> str:
        """How many of the walk fit, counted up to :limit."""
        where = " AND ".join([walk.where, *self.conditions])
        fits = f"SELECT 1 FROM {walk.source} {self._joins(walk)} WHERE {where} LIMIT :limit"
        return f"SELECT count(*) FROM ({fits})".replace("@id", walk.post_id)

    def start_sql(self, start: Start) -> str:
        """How many posts the start has, counted up to :limit."""
        return f"SELECT count(*) FROM (SELECT 1 FROM {start.table} WHERE {start.where} LIMIT :limit)"

    def collect_sql(self, start: Start) -> str:
        """Rows (id, then the columns of each walk of the order) of the start that fit, in no order, some more than once."""
        joins = dict.fromkeys(f"LEFT JOIN {w.table} ON {w.joined}" for w in self.walks if w.joined is not None)
        if _needs_score(self.conditions):
            joins.setdefault(f"LEFT JOIN post_score AS s ON {_SCORE_OF_POST}")
        columns = ", ".join(column for walk in self.walks for column in walk.columns)
        source = start.source(" ".join(joins))
        return f"SELECT post.id, {columns} FROM {source} WHERE {self._where(start)}".replace("@id", "post.id")

    def count_from_sql(self, start: Start) -> str:
        """How many posts of the start fit, counted up to :limit; of one that gives each post once."""
        joins = f"LEFT JOIN post_score AS s ON {_SCORE_OF_POST}" if _needs_score(self.conditions) else ""
        fits = f"SELECT 1 FROM {start.source(joins)} WHERE {self._where(start)} LIMIT :limit"
        return f"SELECT count(*) FROM ({fits})".replace("@id", "post.id")

    def check_sql(self) -> str:
        """Those of the posts :ids (JSON) that fit."""
        joins = f"LEFT JOIN post_score AS s ON {_SCORE_OF_POST}" if _needs_score(self.conditions) else ""
        where = " AND ".join(["1", *self.conditions])
        return (
            "SELECT post.id FROM json_each(:ids) AS given CROSS JOIN main.post AS post ON post.id = given.value"
            f" {joins} WHERE {where}"
        ).replace("@id", "post.id")

    def _joins(self, walk: Walk) -> str:
        if walk.table.startswith("post_score") or not _needs_score(self.conditions):
            return ""
        return f"LEFT JOIN post_score AS s ON {_SCORE_OF_POST}"


_SCORE_OF_POST = "s.post_id = post.id AND s.model_version = :model"


def _needs_score(conditions: tuple[str, ...]) -> bool:
    return any("s.evidence" in condition for condition in conditions)


def plan(wanted: QueueFilter, *, me: str, model_version: str | None, criteria: int, hides_pending: bool) -> QueuePlan:
    """How to answer `wanted` for reviewer `me`. criteria: how many are in use. Raises InvalidRecord for a search of no words, and
    for the order of rounds without the person whose it is.
    """
    if wanted.order is QueueOrder.ROUND and not wanted.assigned_to:
        raise InvalidRecord("The order of a round is for what somebody was given: say who it is assigned to.")
    values: dict[str, Any] = {
        "me": me,
        "model": model_version or "",
        "needed": criteria,
        "criterion": wanted.criterion,
        "verdict": wanted.verdict and str(wanted.verdict),
        "min_score": wanted.min_score,
        "max_score": wanted.max_score,
        "split": wanted.split and str(wanted.split),
        "source": wanted.source,
        "reviewer": wanted.reviewer,
        "assigned_to": wanted.assigned_to,
    }
    parts: list[str] = []
    starts: list[Start] = []
    for look in (_doubted, _state, _assigned, _score, _answers, _post_columns, _words):
        condition, start = look(wanted, criteria)
        parts += condition
        starts += start
    if hides_pending:
        parts.append(f"ifnull(post.import_id, 0) NOT IN ({PENDING})")
    if wanted.query.strip():
        values["match"] = fts_query(wanted.query)
    return QueuePlan(WALKS[wanted.order], tuple(parts), tuple(starts), values)


Looked = tuple[list[str], list[Start]]

_DONE = "SELECT 1 FROM post_review r WHERE r.reviewer = :me AND r.post_id = @id AND r.decided >= :needed"
_IN_A_ROUND = "SELECT 1 FROM round_post i CROSS JOIN round ON round.id = i.round_id AND round.closed_at IS NULL WHERE i.post_id = @id"
_OLDER_WORDING = (
    "h.reviewer = :me AND h.verdict IS NOT NULL AND (SELECT a.criterion_version FROM main.annotation a WHERE a.id = h.annotation_id)"
    " < (SELECT CASE WHEN c.active THEN c.version ELSE 0 END FROM criterion c WHERE c.id = h.criterion_id"
    " ORDER BY c.version DESC LIMIT 1)"
)
_PUT_OFF = "SELECT 1 FROM post_visit v WHERE v.reviewer = :me AND v.post_id = @id AND v.skipped_at IS NOT NULL"


_DOUBTED = (
    "EXISTS (SELECT 1 FROM doubt x CROSS JOIN main.annotation_head h ON h.post_id = x.post_id AND h.criterion_id = x.criterion_id"
    f" AND h.annotation_id = x.annotation_id WHERE x.post_id = @id AND {VISIBLE_HEAD.format(h='h')})"
)


def _doubted(wanted: QueueFilter, criteria: int) -> Looked:
    """In the order by doubts, only posts with an answer that is doubted and that one may see."""
    return ([_DOUBTED] if wanted.order is QueueOrder.DOUBTS else []), []


def _state(wanted: QueueFilter, criteria: int) -> Looked:
    if wanted.state is ReviewState.ANY:
        return [], []
    if wanted.order is QueueOrder.DOUBTS and wanted.state is ReviewState.TODO:
        return [f"NOT EXISTS ({_PUT_OFF})"], []
    if wanted.state is ReviewState.OUTDATED:
        found = f"EXISTS (SELECT 1 FROM main.annotation_head h WHERE h.post_id = @id AND {_OLDER_WORDING})"
        table = "main.annotation_head AS h INDEXED BY annotation_head_reviewer"
        return [found], [Start(table, _OLDER_WORDING, "post.id = h.post_id", repeats=True, implies=found)]
    if criteria == 0:  # nothing to decide: every post is reviewed
        return ["1" if wanted.state is ReviewState.REVIEWED else "0"], []
    if wanted.state is ReviewState.REVIEWED:
        done = Start(
            "post_review AS r INDEXED BY post_review_decided",
            "r.reviewer = :me AND r.decided >= :needed",
            "post.id = r.post_id",
        )
        return [f"EXISTS ({_DONE})"], [done]
    if wanted.state is ReviewState.SKIPPED:
        skipped = Start(
            "post_visit AS v INDEXED BY post_visit_skipped",
            "v.reviewer = :me AND v.skipped_at IS NOT NULL",
            "post.id = v.post_id",
        )
        return [f"EXISTS ({_PUT_OFF})", f"NOT EXISTS ({_DONE})"], [skipped]
    return [f"NOT EXISTS ({_DONE})", f"NOT EXISTS ({_PUT_OFF})"], []


def _assigned(wanted: QueueFilter, criteria: int) -> Looked:
    free = [f"NOT EXISTS ({_IN_A_ROUND})"] if wanted.outside_rounds else []
    if not wanted.assigned_to:
        return free, []
    theirs = "g.reviewer = :assigned_to"
    if wanted.order is QueueOrder.ROUND:
        theirs += f" AND {_STILL_OPEN.format(given='g')}"
    given = f"SELECT 1 FROM assignment g WHERE g.post_id = @id AND {theirs}"
    table = "assignment AS g INDEXED BY assignment_of_reviewer"
    return [f"EXISTS ({given})", *free], [Start(table, theirs, "post.id = g.post_id")]


def _score(wanted: QueueFilter, criteria: int) -> Looked:
    """The range of scores; a criterion alone means: any evidence for it, unless it goes with a verdict or a person."""
    bounds = [("min_score", ">="), ("max_score", "<=")]
    limits = [f"{{score}} {sign} :{name}" for name, sign in bounds if getattr(wanted, name) is not None]
    if wanted.criterion is None:
        if not limits:
            return [], []
        where = " AND ".join(limits).format(score="s.evidence")
        table = "post_score AS e INDEXED BY post_score_evidence"
        start = f"e.model_version = :model AND {where.replace('s.evidence', 'e.evidence')}"
        return [where], [Start(table, start, "post.id = e.post_id")]
    if not limits:
        if wanted.verdict or wanted.reviewer:
            return [], []
        limits = ["{score} > 0"]
    where = " AND ".join(limits).format(score="p.max_score")
    one = "SELECT 1 FROM main.prediction p WHERE p.post_id = @id AND p.criterion_id = :criterion AND p.model_version = :model"
    table = "main.prediction AS p INDEXED BY prediction_of_model"
    start = f"p.model_version = :model AND p.criterion_id = :criterion AND {where}"
    return [f"EXISTS ({one} AND {where})"], [Start(table, start, "post.id = p.post_id")]


def _answers(wanted: QueueFilter, criteria: int) -> Looked:
    if not wanted.verdict and not wanted.reviewer:
        return [], []
    where = "h.verdict = :verdict" if wanted.verdict else "h.verdict IS NOT NULL"
    where += " AND h.criterion_id = :criterion" if wanted.criterion else ""
    where += " AND h.reviewer = :reviewer" if wanted.reviewer else ""
    where += f" AND {VISIBLE_HEAD.format(h='h')}"
    index = "annotation_head_reviewer" if wanted.reviewer else "annotation_head_verdict"
    of_post = where.replace(
        "h.verdict = :verdict", "+h.verdict = :verdict"
    )  # + : by the post, never all of that verdict
    found = f"EXISTS (SELECT 1 FROM main.annotation_head h WHERE h.post_id = @id AND {of_post})"
    table = f"main.annotation_head AS h INDEXED BY {index}"
    return [found], [Start(table, where, "post.id = h.post_id", repeats=True, implies=found)]


def _post_columns(wanted: QueueFilter, criteria: int) -> Looked:
    parts, starts = [], []
    if wanted.split:
        parts.append("post.split = :split")
    if wanted.source:
        parts.append("post.source = :source")
        starts.append(Start("main.post AS o INDEXED BY post_source", "o.source = :source", "post.number = o.number"))
    return parts, starts


def _words(wanted: QueueFilter, criteria: int) -> Looked:
    if not wanted.query.strip():
        return [], []
    one = "SELECT 1 FROM post_fts WHERE post_fts MATCH :match AND post_fts.rowid = post.number"
    found = f"EXISTS ({one})"
    return [found], [Start("post_fts", "post_fts MATCH :match", "post.number = post_fts.rowid", implies=found)]
