"""Questions about labels of whole posts, as the Adjudicate page shows and decides them. The rest of a case is `adjudicating`'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from storage.records import OF_POST, Annotation, InvalidRecord
from storage.store import Store
from storage.team_records import Outcome, answered_under, label_asked, label_question

Wire = dict[str, Any]


def questions(store: Store) -> list[Wire]:
    """What can be adjudicated beside the criteria: the labels of posts that are in use."""
    return [{"id": label_question(s.name), "name": name_of(s.name)} for s in store.attributes().of_posts]


def name_of(scale: str) -> str:
    return f"{scale}, of the whole post"


def title(question: str, criteria: Mapping[str, str]) -> str:
    """What the question is called, also one about a label or criterion out of use. criteria: names by id."""
    scale = label_asked(question)
    return criteria.get(question, question) if scale is None else name_of(scale)


def answers_to(question: str, latest: Sequence[Annotation]) -> list[Annotation]:
    """Those of the latest annotations of a post that answer the question: a verdict on the criterion, or a level of the label."""
    scale, under = label_asked(question), answered_under(question)
    of_question = [a for a in latest if a.criterion_id == under]
    return [a for a in of_question if (a.decided if scale is None else dict(a.labels).get(scale))]


def shown(store: Store, scale: str, answers: Sequence[Annotation]) -> Wire:
    """What a case has in place of spans: the level that each reader gave, in the order of the lanes, and those that can be decided."""
    given = [dict(a.labels)[scale] for a in answers]
    known = next((s for s in store.attributes().labels if s.name == scale), None)
    levels = known.levels if known else ()
    return {"given": given, "levels": list(dict.fromkeys((*levels, *given)))}


def level_decided(store: Store, question: str, outcome: Outcome, given: Any) -> str:
    """The level of a decision, '' where it has none. Raises InvalidRecord for a level that the label never had."""
    scale, level = label_asked(question), str(given or "")
    if scale is None or outcome is not Outcome.LABEL:
        return ""
    store.attributes().check_labels([(scale, level)])
    return level


def own_level(store: Store, post_id: str, reviewer: str, scale: str) -> str:
    """The level that the person gave, '' for none."""
    own = store.annotations_of(post_id, reviewer).get(OF_POST)
    return dict(own.labels).get(scale, "") if own else ""


def check_words(outcome: Outcome, spans: Any) -> None:
    """Raises InvalidRecord where a label is decided as if it were evidence."""
    if outcome in (Outcome.EVIDENCE, Outcome.NO_EVIDENCE) or spans:
        raise InvalidRecord("A label of the post is decided by one of its levels, or cannot be decided.")
