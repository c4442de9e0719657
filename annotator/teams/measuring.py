"""From the store to the statistics: whose answers are compared, and the tables that pages, exports and commands show."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from annotator.teams.agreement.answers import CATEGORIES, Answers
from annotator.teams.agreement.continua import Marks
from annotator.teams.agreement.figures import Ints
from annotator.teams.agreement.tables import ALL, Agreement, PairRow
from annotator.teams.agreement.trends import Change, Comparisons
from annotator.teams.naming import called_in_adjudication
from annotator.teams.said import agreement_on_attributes
from storage.records import InvalidRecord, Reviewer, Verdict
from storage.store import Store

Wire = dict[str, Any]
ALL_CRITERIA = "all"
DAYS_DRAWN = 21  # up to so many days, time goes by the day
WEEKS_DRAWN = 26


def agreement_of(
    store: Store, *, round_id: int | None = None, models: Sequence[str] = (), seed: int = 0, replicates: int = 1000
) -> Agreement:
    """The agreement of the latest answers to posts that several people answered; of one round, or of all.

    models: versions whose predictions are compared as one more person's. Raises NotFound if there is no such round.
    """
    if round_id is not None:
        store.round(round_id)
    rows = store.answers_in_common(round_id=round_id, models=models)
    return Agreement(_columns(store, rows), threshold=store.gold_rule().iou, seed=seed, replicates=replicates)


def report(store: Store, *, round_id: int | None = None, models: Sequence[str] = (), seed: int = 0) -> Wire:
    """All tables as JSON values: by criterion, pair, round, person and period; where wordings changed, whether agreement fell, and which
    criteria are taken for one another; what is said beside a verdict, where the project defines it; how many answers were changed when
    others' could be seen.
    """
    with store.read():  # one moment for all of it
        agreement = agreement_of(store, round_id=round_id, models=models, seed=seed)
        answers = agreement.answers
        said = agreement_on_attributes(store, round_id=round_id, seed=seed)
        if not len(answers):
            tables = ("criteria", "pairs", "rounds", "people", "periods", "falls", "confusions")
            return {
                "rule": store.gold_rule().to_dict(),
                "seed": seed,
                "changed_late": 0,
                "wordings": wordings(store),
                "attributes": said,
                **{t: [] for t in tables},
            }
        pairs = agreement.by_pair()
        comparisons = Comparisons(answers, agreement.pairs, agreement.bootstrap)
        days = sorted({str(at)[:10] for at in answers.at})
        return {
            "rule": store.gold_rule().to_dict(),
            "seed": seed,
            "changed_late": store.count_changed_late(round_id=round_id),
            "attributes": said,
            "criteria": [_row(row.criterion or ALL_CRITERIA, row) for row in agreement.by_criterion() if row.units],
            "pairs": [
                {
                    "one": p.one,
                    "other": p.other,
                    "units": p.units,
                    "confusion": p.confusion,
                    "figures": _figures(p.figures),
                }
                for p in pairs
            ],
            "rounds": _by_round(store, agreement),
            "people": [_person(name, pairs, comparisons.drift(name)) for name in answers.people],
            "periods": [
                {"period": period, **_row(row.criterion or ALL_CRITERIA, row)}
                for period, row in agreement.over_time(period_of(days))
            ],
            "wordings": wordings(store),
            "falls": [
                {"name": name or ALL_CRITERIA, **comparisons.fall(name).to_dict()} for name in (None, *answers.criteria)
            ],
            "confusions": [list(found) for found in agreement.confusions()],
        }


def passages_mixed_up(
    store: Store, me: Reviewer, one: str, other: str, *, round_id: int | None = None, most: int | None = None
) -> list[Wire]:
    """The passages that one person marked for the one criterion and another person for the other, with their words; at most `most`.

    Without posts that `me` reads blind and has yet to answer; people are called as where answers are adjudicated.
    """
    found = agreement_of(store, round_id=round_id, replicates=1).passages_of(one, other)
    blind = store.yet_to_read_blind(me.name, list({m.post for m in found}))
    hidden = {(post, criterion) for post, criterion, _ in blind}
    kept = [m for m in found if not {(m.post, m.one.criterion), (m.post, m.other.criterion)} & hidden][:most]
    texts = {p.id: p.text for p in store.posts(list({m.post for m in kept}))}
    called = called_in_adjudication(store, me)
    return [
        {
            "post": m.post,
            "marks": [
                {
                    "person": called(mark.person),
                    "criterion": mark.criterion,
                    "start": mark.start,
                    "end": mark.end,
                    "words": texts[m.post][mark.start : mark.end],
                }
                for mark in sorted((m.one, m.other), key=lambda mark: mark.criterion != one)
            ],
        }
        for m in kept
    ]


def period_of(days: Sequence[str]) -> Callable[[str], str]:
    """The first day of a day's period: the day itself, its week or its month, by how long a time all `days` (in order) span."""
    span = (dt.date.fromisoformat(days[-1]) - dt.date.fromisoformat(days[0])).days if days else 0
    if span < DAYS_DRAWN:
        return str

    def monday(day: str) -> str:
        date = dt.date.fromisoformat(day)
        return str(date - dt.timedelta(days=date.weekday()))

    return monday if span < 7 * WEEKS_DRAWN else lambda day: f"{day[:7]}-01"


def wordings(store: Store) -> list[Wire]:
    """When the wording of a criterion was changed, oldest first."""
    return sorted(
        ({"criterion": c.id, "version": c.version, "at": c.created_at} for c in store.wordings() if c.version > 1),
        key=lambda change: (change["at"], change["criterion"]),
    )


def _by_round(store: Store, agreement: Agreement) -> list[Wire]:
    rounds = {r.id: r for r in store.rounds()}
    found, beside = store.rounds_of_posts(agreement.answers.posts), store.answers_beside_rounds()
    rows = [(n, agreement.of_posts(rounds[n].name, found[n], without=beside.get(n, ()))) for n in sorted(found)]
    return [{"round": n, "kind": str(rounds[n].kind), **_row(rounds[n].name, row)} for n, row in rows]


def _person(name: str, pairs: Sequence[PairRow], drift: Change) -> Wire:
    """Somebody against all others: means of their pairs' figures, each weighted by what the pair has in common."""
    theirs = [p for p in pairs if name in (p.one, p.other)]
    row: Wire = {"person": name, "units": sum(p.units for p in theirs), "drift": drift.to_dict()}
    for figure in ("percent", "cohen_kappa", "span_f1"):
        known = [(p.figures[figure].value, p.figures[figure].units) for p in theirs]
        defined = [(value, weight) for value, weight in known if value is not None]
        total = sum(weight for _, weight in defined)
        row[figure] = sum(value * weight for value, weight in defined) / total if total else None
    return row


def gamma_of(
    store: Store, criterion_id: str, *, round_id: int | None = None, seed: int = 0, most: int | None = None
) -> dict[str, Any]:
    """Gamma of one criterion with its seed. Raises InvalidRecord if several people answered no post for it, or more posts than `most`."""
    agreement = agreement_of(store, round_id=round_id, replicates=1)
    if criterion_id not in agreement.answers.criteria:
        raise InvalidRecord(f"No post was answered by several people for {criterion_id!r}.")
    chosen = agreement.answers.criterion == agreement.answers.criteria.index(criterion_id)
    posts = len(np.unique(agreement.answers.post[chosen]))
    if most is not None and posts > most:
        raise InvalidRecord(
            f"Gamma over {posts:,} posts takes minutes. Choose a round, or use: evidence agreement --gamma {criterion_id}"
        )
    found = agreement.gamma(criterion_id, seed=seed)
    return {"criterion": criterion_id, "value": found.value, "texts": found.texts, "seed": seed, "reason": found.reason}


def facts(store: Store) -> list[str]:
    """Agreement in lines of text, for the card and the manifest of an export."""
    agreement = agreement_of(store)
    if not len(agreement.answers):
        return ["No two people decided the same post and criterion: nothing can be said about agreement."]
    row = next(r for r in agreement.by_criterion() if r.criterion == ALL)
    named = {
        "percent": "equal verdicts",
        "fleiss_kappa": "Fleiss' kappa",
        "gwet_ac1": "Gwet's AC1",
        "alpha": "Krippendorff's alpha on verdicts",
        "sentence_alpha": "alpha on sentences",
        "unitizing_alpha": "unitizing alpha on characters",
        "span_f1": f"span F1 at word IoU {store.gold_rule().iou:g}",
    }
    lines = [f"{words}: {row.figures[name]}" for name, words in named.items()]
    return [
        f"Agreement over {row.units:,} pairs of post and criterion, with 95 % intervals by post: {'; '.join(lines)}."
    ]


def _row(name: str, row: Any) -> dict[str, Any]:
    return {"name": name, "posts": row.posts, "units": row.units, "pairs": row.pairs, "figures": _figures(row.figures)}


def _figures(figures: Any) -> dict[str, Any]:
    return {name: figure.to_dict() for name, figure in figures.items()}


def _columns(store: Store, rows: Sequence[tuple[str, str, str, str, str, str]]) -> Answers:
    """rows: (post id, criterion id, person, verdict, spans as JSON, time)."""
    columns = list(zip(*rows, strict=True)) or [()] * 6
    (posts, post), (criteria, criterion), (people, person) = (_numbered(column) for column in columns[:3])
    category = {str(c): n for n, c in enumerate(CATEGORIES)}
    return Answers(
        posts=posts,
        criteria=criteria,
        people=people,
        post=post,
        criterion=criterion,
        person=person,
        verdict=np.array([category[v] for v in columns[3]], dtype=np.int64),
        marks=_marks(columns[3], columns[4]),
        texts=lambda numbers: store.texts([posts[number] for number in numbers]),
        at=np.array(columns[5], dtype="U32"),
    )


def _numbered(column: Sequence[str]) -> tuple[list[str], Ints]:
    """The distinct names in order, and the number of each one's."""
    names = sorted(set(column))
    number = {name: n for n, name in enumerate(names)}
    return names, np.array([number[name] for name in column], dtype=np.int64)


def _marks(verdicts: Sequence[str], spans: Sequence[str]) -> Marks:
    """The spans of the answers that say evidence, each once, in the order of the answers; all JSON is read at once."""
    marked = [n for n, verdict in enumerate(verdicts) if verdict == Verdict.EVIDENCE]
    lists = json.loads(f"[{','.join(spans[n] for n in marked)}]")
    found = [(n, span[0], span[1]) for n, some in zip(marked, lists, strict=True) for span in some]
    distinct = np.unique(np.array(found, dtype=np.int64).reshape(-1, 3), axis=0)
    return Marks(*distinct.T)
