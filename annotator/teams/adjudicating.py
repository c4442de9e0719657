"""Adjudication: what is open, everybody's answers side by side, and the decision. Everything is plain JSON; offsets are code points."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from annotator.people.accounts import NotAllowed, allow
from annotator.teams import label_questions
from annotator.teams.naming import ADJUDICATION, Called, called_in_adjudication
from encoder.text.sentences import sentences
from storage.attributes import Attributes, joined
from storage.gold import gold_of, likeness, say_the_same
from storage.matching import Words
from storage.records import Annotation, InvalidRecord, NotFound, Reviewer, Role, Span, merge_overlapping
from storage.rows import passage_from_list, passages_to_list, ranges_to_list
from storage.store import Store
from storage.team_records import Adjudication, Outcome, Standing, label_asked

Wire = dict[str, Any]
ERROR_KINDS = (
    "span too wide",
    "span too narrow",
    "overlooked",
    "not about the writer",
    "another criterion",
    "guideline unclear",
)
MOST_LISTED = 100
MOST_SHOWN = 200
MAX_REASON_CHARACTERS = 4000


def rules(store: Store) -> Wire:
    """What the project has set: whether names are shown, whether one may decide about one's own answer, the kinds of error."""
    return {"names": False, "own": False, "error_kinds": list(ERROR_KINDS), **(store.setting(ADJUDICATION) or {})}


def queue(
    store: Store, me: Reviewer, *, criterion: str | None = None, people: Sequence[str] = (), done: bool = False
) -> Wire:
    """What is to be adjudicated, the worst first, or (done) what has been, and who can be chosen.

    people: only what all of them have answered, called as they are here. Raises NotAllowed, InvalidRecord.
    """
    allow(me, Role.ADJUDICATOR)
    called = called_in_adjudication(store, me)
    readers = [called.person(person) for person in people]
    states = (Standing.ADJUDICATED, Standing.UNDECIDABLE) if done else (Standing.OPEN,)
    found = store.disagreements(criterion_id=criterion, people=readers, states=states, limit=MOST_LISTED)
    total = len(found)
    if total == MOST_LISTED:
        total = store.count_disagreements(criterion_id=criterion, people=readers, states=states)
    asked = [] if readers else store.handed_over(criterion, decided=done)
    return {
        "total": total + len(asked),
        "people": called.all(store.people_with_answers()),
        "cases": [
            {"post_id": post_id, "criterion_id": criterion_id, "readers": 1, "score": 0.0, "state": "asked"}
            for post_id, criterion_id in asked[:MOST_LISTED]
        ]
        + [
            {
                "post_id": d.post_id,
                "criterion_id": d.criterion_id,
                "readers": d.readers,
                "score": round(d.score, 3),
                "state": str(d.state),
            }
            for d in found
        ],
    }


def case(store: Store, me: Reviewer, post_id: str, criterion_id: str) -> Wire:
    """One disagreement: the text, everybody's answer as a lane, what they share, and the decision so far.

    Of a label of the post: the level that each reader gave, and those that there are.
    Raises NotAllowed, also where `me` still has to read the post blind; NotFound.
    """
    allow(me, Role.ADJUDICATOR)
    post, rule = store.post(post_id), rules(store)
    called = called_in_adjudication(store, me)
    answers = sorted(_answers(store, post_id, criterion_id), key=lambda a: called(a.reviewer))
    if not answers:
        raise NotFound(f"Nobody has decided {criterion_id} in post {post_id}.")
    if {(a.criterion_id, a.reviewer) for a in answers} - store.visible_heads(post_id, me.name):
        raise NotAllowed("You read this post in a blind round yourself: decide it on the Review page first.")
    decisions = store.adjudications(post_id, criterion_id=criterion_id)
    return {
        "post": {"id": post.id, "text": post.text},
        "criterion": _question_wire(store, criterion_id),
        "lanes": [
            {
                "name": called(a.reviewer),
                "answer": a.id,
                "verdict": str(a.verdict),
                "spans": passages_to_list(a.spans),
                "note": a.note if rule["names"] else "",
            }
            for a in answers
        ],
        "sentences": ranges_to_list(sentences(post.text)),
        "shared": passages_to_list(_shared(answers)),
        "union": passages_to_list(_union(answers)),
        "attributes_differ": not _say_the_same(answers, post.text, store.gold_rule().iou),
        "revision": decisions[-1].revision if decisions else 0,
        "decision": _decision_wire(decisions[-1], called) if decisions else None,
        "error_kinds": rule["error_kinds"],
        **(label_questions.shown(store, scale, answers) if (scale := label_asked(criterion_id)) is not None else {}),
    }


def _question_wire(store: Store, criterion_id: str) -> Wire:
    if (scale := label_asked(criterion_id)) is not None:
        return {"id": criterion_id, "name": label_questions.name_of(scale), "guideline": ""}
    criterion = next(c for c in store.criteria(with_inactive=True) if c.id == criterion_id)
    return {"id": criterion.id, "name": criterion.name, "guideline": criterion.guideline or criterion.text}


def decide(store: Store, me: Reviewer, wire: Wire) -> Wire:
    """Store a decision: outcome evidence (with `spans`), no_evidence, label (with `level`, of a label of the post), undecidable, or
    reopened.

    Raises NotAllowed (the role; one's own answer, unless the project allows it; a post that one reads blind), InvalidRecord, Conflict.
    """
    allow(me, Role.ADJUDICATOR)
    post_id, criterion_id = str(wire["post_id"]), str(wire["criterion_id"])
    shown, answers = case(store, me, post_id, criterion_id), _answers(store, post_id, criterion_id)
    if not rules(store)["own"] and me.name in {a.reviewer for a in answers}:
        raise NotAllowed(
            "You have answered this yourself: somebody else has to adjudicate it (the project can allow it)."
        )
    kind = wire.get("error_kind") or None
    if kind is not None and kind not in shown["error_kinds"]:
        raise InvalidRecord(f"{kind!r} is none of the project's kinds of error.")
    outcome = _outcome(wire.get("outcome"))
    if outcome is Outcome.REOPENED and (shown["decision"] or {}).get("outcome") in (None, str(Outcome.REOPENED)):
        raise InvalidRecord("There is no decision to open again.")
    versions = store.criterion_versions(criterion_id)
    if label_asked(criterion_id) is not None:
        label_questions.check_words(outcome, wire.get("spans"))
    stored = store.add_adjudication(
        Adjudication(
            post_id=post_id,
            criterion_id=criterion_id,
            adjudicator=me.name,
            outcome=outcome,
            spans=_spans_of(store, wire),
            reason=str(wire.get("reason") or "")[:MAX_REASON_CHARACTERS],
            error_kind=kind,
            answers=tuple(a.id for a in answers if a.id is not None),
            criterion_version=max((c.version for c in versions), default=1),
            seconds=None if wire.get("seconds") is None else min(max(float(wire["seconds"]), 0.0), 3600.0),
            op_id=wire.get("op_id"),
            level=label_questions.level_decided(store, criterion_id, outcome, wire.get("level")),
        ),
        expected_revision=int(wire["expected_revision"]),
    )
    return {"revision": stored.revision, "decision": _decision_wire(stored, called_in_adjudication(store, me))}


def mine_against_gold(store: Store, me: Reviewer) -> list[Wire]:
    """What became of one's own answers that were adjudicated, the newest first: mine, the decision, its reason and kind of error."""
    rows: list[Wire] = []
    for decision in store.adjudications_of_answers_by(me.name):
        if len(rows) == MOST_SHOWN:
            break
        post_id, criterion_id = decision.post_id, decision.criterion_id
        if (scale := label_asked(criterion_id)) is not None:
            if (row := _my_label(store, me, decision, scale)) and _open_to(store, me, post_id):
                rows.append(row)
            continue
        own = store.annotations_of(post_id, me.name).get(criterion_id)
        if own is None or not own.decided or decision.outcome is Outcome.REOPENED or not _open_to(store, me, post_id):
            continue
        text = store.post(post_id).text
        rows.append(
            {
                "post_id": post_id,
                "criterion_id": criterion_id,
                "mine": str(own.verdict),
                "my_words": [s.span.quote(text) for s in own.spans],
                "gold": str(decision.outcome),
                "gold_words": [s.quote(text) for s in decision.spans],
                "reason": decision.reason,
                "error_kind": decision.error_kind,
                "likeness": _likeness(own, decision, text),
                "at": decision.created_at,
            }
        )
    return rows


def _my_label(store: Store, me: Reviewer, decision: Adjudication, scale: str) -> Wire | None:
    """What became of one's own label of a post; None where one gave none, or it was opened again."""
    own = label_questions.own_level(store, decision.post_id, me.name, scale)
    if not own or decision.outcome is Outcome.REOPENED:
        return None
    undecidable = decision.outcome is Outcome.UNDECIDABLE
    return {
        "post_id": decision.post_id,
        "criterion_id": decision.criterion_id,
        "mine": own,
        "my_words": [],
        "gold": decision.level or str(decision.outcome),
        "gold_words": [],
        "reason": decision.reason,
        "error_kind": decision.error_kind,
        "likeness": None if undecidable else float(own == decision.level),
        "at": decision.created_at,
    }


def _open_to(store: Store, me: Reviewer, post_id: str) -> bool:
    """A decision tells of others' answers: in a blind round it is shown after the round is closed."""
    return me.role is not Role.REVIEWER or not store.is_sealed(post_id)


def _likeness(own: Annotation, decision: Adjudication, text: str) -> float | None:
    if decision.outcome is Outcome.UNDECIDABLE:
        return None
    gold = gold_of([own], decision)
    return None if gold is None else likeness(own, gold.annotation, lambda: Words.of(text))


def _answers(store: Store, post_id: str, criterion_id: str) -> list[Annotation]:
    measured = store.measured_readers(post_id)
    latest = label_questions.answers_to(criterion_id, store.latest_annotations(post_id))
    return [a for a in latest if a.reviewer not in measured]


def _shared(answers: Sequence[Annotation]) -> list[Span]:
    """Spans that everybody has, border for border, with what all say of them."""
    spans = [{(s.start, s.end): s for s in a.spans} for a in answers]
    ranges = sorted(set.intersection(*map(set, spans)))
    return [Span(*place, attributes=joined([own[place].attributes for own in spans])) for place in ranges]


def _union(answers: Sequence[Annotation]) -> list[Span]:
    """All that anybody marked, with what all say who marked it."""
    spans = [s for a in answers for s in a.spans]
    merged = merge_overlapping([s.span for s in spans])
    return [replace(m, attributes=joined([s.attributes for s in spans if m.overlaps(s.span)])) for m in merged]


def _say_the_same(answers: Sequence[Annotation], text: str, iou: float) -> bool:
    words = functools.cache(lambda: Words.of(text))
    return all(say_the_same(one, other, words, iou=iou) for one, other in itertools.combinations(answers, 2))


def _spans_of(store: Store, wire: Wire) -> tuple[Span, ...]:
    """The spans of a decision, with what is said of them. Raises InvalidRecord for what the project cannot say."""
    spans = tuple(sorted(passage_from_list(item) for item in wire.get("spans") or ()))
    said = [span for span in spans if span.attributes]
    attributes = store.attributes() if said else Attributes()
    for span in said:
        attributes.check(span.attributes, where=f"Span {span.start}:{span.end}")
    return spans


def _outcome(given: Any) -> Outcome:
    try:
        return Outcome(given)
    except ValueError as error:
        raise InvalidRecord(f"{given!r} is no decision; it is {', '.join(Outcome)}.") from error


def _decision_wire(decision: Adjudication, called: Called) -> Wire:
    return {
        "outcome": str(decision.outcome),
        "level": decision.level,
        "spans": passages_to_list(decision.spans),
        "reason": decision.reason,
        "error_kind": decision.error_kind,
        "by": called(decision.adjudicator),
        "at": decision.created_at,
    }
