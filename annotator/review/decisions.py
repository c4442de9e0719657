"""The use cases of reviewing: which post comes next, what is shown of it, and what happens to a decision.

Everything that goes to the page or comes from it is plain JSON; offsets are code points. A predicted span travels as
[start, end, score, core_start, core_end], a reviewer's span as [start, end, origin, predicted span or null]; either with one item more
where something is said of it (`storage.attributes.said_wire`).
Knows no gradio and no torch: the model is whatever answers to `Model`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from annotator.messages import adapter, checked
from annotator.review.about import about_of
from annotator.review.decision_form import Decision
from annotator.review.language import other_language_at_once
from annotator.review.neighbours import place_by_author
from annotator.review.others import others_wire
from annotator.review.same_words import same_words_here, with_same_words
from annotator.review.undo import UNDO_DEPTH
from annotator.review.why_next import why_next
from annotator.teams.training import round_wire
from encoder.errors import StillReading
from encoder.text.sentences import sentence_ranges
from storage.doubts import Doubt, SecondLook
from storage.queue import QueueFilter, QueueOrder, ReviewState
from storage.records import (
    OF_POST,
    AnnotatedSpan,
    Annotation,
    Conflict,
    Criterion,
    EvidenceError,
    InvalidRecord,
    NotFound,
    Post,
    Prediction,
    Reviewer,
    Span,
    StoreUnavailable,
    Verdict,
)
from storage.rows import annotated_from_list, annotated_to_list, ranges_to_list, span_from_list, span_to_list
from storage.settings import LEARN_AT_ONCE
from storage.store import Store

Wire = dict[str, Any]
TRAIL = 50
OPENING = "opening_post"
"""Setting: the post that somebody sees who has opened none yet."""
READING = "reading"
"""Setting: how who has not chosen reads a post, BY_CRITERION or WHOLE_POST. Projects from before there was a choice have none."""
BY_CRITERION, WHOLE_POST = "criterion", "post"
MAX_NOTE_CHARACTERS = 4000
LEFT_COUNTED = 1000
"""How far the posts left in a filtered queue are counted: with every post that is opened."""


class Model(Protocol):
    """The served model as reviewing sees it; `annotator.models.serving.ModelService` is one."""

    @property
    def version(self) -> str | None: ...

    def status(self) -> str: ...

    def predictions(self, post: Post) -> Mapping[str, Prediction]: ...

    def stored(self, post: Post) -> Mapping[str, Prediction]: ...

    def improved(self, post: Post, predictions: Mapping[str, Prediction]) -> Mapping[str, Prediction]: ...

    def predict_post(self, post: Post) -> Mapping[str, Prediction]: ...

    def hint(self, criterion: Criterion) -> str: ...


# --- which post


def first_post(store: Store, model: Model, reviewer: Reviewer, wanted: QueueFilter) -> str | None:
    """Where to resume: the post that was open last if it is not finished, else the next of the queue; None if all is done."""
    last = store.visited_posts(reviewer.name, limit=1)
    wanted = own_queue(store, reviewer, wanted)
    mine = not wanted.assigned_to or not last or reviewer.name in store.readers_of(last).get(last[0], ())
    if last and mine and wanted.state is ReviewState.TODO and not store.is_skipped(last[0], reviewer.name):
        criteria = {c.id for c in store.criteria()}
        decided = {cid for cid, a in store.annotations_of(last[0], reviewer.name).items() if a.decided}
        if criteria - decided:
            return last[0]
    opening = None if last else store.setting(OPENING)
    if opening and wanted == QueueFilter() and store.known_post_ids([opening]):
        return str(opening)
    return next_post(store, model, reviewer, wanted)


def next_post(
    store: Store, model: Model, reviewer: Reviewer, wanted: QueueFilter, exclude: Sequence[str] = ()
) -> str | None:
    """The next post of the queue that is not among `exclude`, or None when nothing is left."""
    wanted = own_queue(store, reviewer, wanted)
    return store.next_in_queue(wanted, me=reviewer.name, model_version=model.version, exclude=exclude)


def own_queue(store: Store, reviewer: Reviewer, wanted: QueueFilter) -> QueueFilter:
    """The filter, narrowed to what the person was given, in that order, while they read in a round; others read outside the rounds."""
    if wanted.assigned_to or wanted.state is not ReviewState.TODO or wanted.order is QueueOrder.DOUBTS:
        return wanted
    if not store.has_open_rounds():
        return wanted
    if not store.reads_in_a_round(reviewer.name):
        return dataclasses.replace(wanted, outside_rounds=True)
    return dataclasses.replace(wanted, assigned_to=reviewer.name, order=QueueOrder.ROUND)


def trail(store: Store, reviewer: Reviewer) -> list[str]:
    """The posts that the reviewer opened, oldest first: what "previous post" walks back through."""
    return store.visited_posts(reviewer.name, limit=TRAIL)[::-1]


def progress(store: Store, model: Model, reviewer: Reviewer, wanted: QueueFilter) -> Wire:
    """How far the reviewer is: posts in all, reviewed by them, and left in their queue (`at_least` so many, with filters)."""
    wanted = own_queue(store, reviewer, wanted)
    left = store.count_queue(wanted, me=reviewer.name, model_version=model.version, most=LEFT_COUNTED)
    return {
        "posts": store.count_posts(),
        "reviewed": store.count_reviewed(reviewer.name),
        "left": left.posts,
        "at_least": left.at_least,
        "rounds": [round_wire(r) for r in store.rounds_of(reviewer.name)],
    }


# --- what is shown


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """A post as one moment of the store shows it. item: None where predictions may be improved on by reading the post first."""

    post: Post
    hidden: bool
    predictions: Mapping[str, Prediction]
    item: Wire | None


def look_at(store: Store, model: Model, post_id: str, reviewer: Reviewer) -> Seen:
    """The post, for `load_item`; to be called in the transaction that chose it. Never reads the post with a model. Raises NotFound."""
    with store.read():
        post = store.post(post_id)
        hidden = store.hides_suggestions(post_id, reviewer.name)
        stored = {} if hidden else model.stored(post)
        if not all(p.known for p in stored.values()):
            return Seen(post, hidden, stored, None)
        predictions = model.improved(post, stored)
        return Seen(post, hidden, predictions, _shown(store, model, post, reviewer, predictions, hidden=hidden))


def load_item(
    store: Store, model: Model, wanted: str | Seen, reviewer: Reviewer, *, chosen_by: QueueFilter | None = None
) -> Wire:
    """Everything that the page shows of a post. Raises NotFound.

    wanted: its id, or what `look_at` has found. chosen_by: the reviewer's own queue, if that chose the post: then the item says in
    `why` what for.
    Predictions that are missing are made now if the model is loaded; if it is not, or fails, or reads a long post in the
    background, the item says so in `model.status` and `model.missing`, and can be reviewed all the same.
    """
    seen = look_at(store, model, wanted, reviewer) if isinstance(wanted, str) else wanted
    post, hidden, predictions, item = seen.post, seen.hidden, seen.predictions, seen.item
    if item is None:
        predictions = model.improved(post, predictions)  # may read the post: no transaction stays open meanwhile
        with store.read():
            item = _shown(store, model, post, reviewer, predictions, hidden=hidden)
    trouble = ""
    if not hidden and _lacks_predictions(item):
        predictions, trouble = _predictions(model, post)
        with store.read():
            item = _shown(store, model, post, reviewer, predictions, hidden=hidden)
    missing = not hidden and _lacks_predictions(item)
    said = {"version": model.version, "status": trouble or model.status(), "hidden": hidden, "missing": missing}
    why = {} if chosen_by is None else {"why": why_next(chosen_by, _names(item), predictions, hidden=hidden)}
    return {**item, **why, "model": said}


def _names(item: Wire) -> dict[str, str]:
    return {c["id"]: c["name"] for c in item["criteria"]}


def _lacks_predictions(item: Wire) -> bool:
    return any(not c["predicted"] for c in item["criteria"])


def _shown(
    store: Store, model: Model, post: Post, reviewer: Reviewer, predictions: Mapping[str, Prediction], *, hidden: bool
) -> Wire:
    """The post with its criteria: what the model marked, what was answered, and what may be seen of others' answers."""
    mine = store.annotations_of(post.id, reviewer.name)
    predictions = with_same_words(store, reviewer.name, post, predictions, mine)
    others = others_wire(store, post.id, reviewer)
    doubts = [] if hidden else store.doubts_of(post.id, reviewer.name)
    return {
        "post": {
            "id": post.id,
            "text": post.text,
            "split": None if post.split is None else str(post.split),
            "source": post.source,
            "posted_at": post.posted_at,
        },
        "whole": {**_answer(mine.get(OF_POST), (), (), (), None), "labels": _labels_of(mine.get(OF_POST))},
        "place": place_by_author(store, post),
        "language": other_language_at_once(post.text, about_of(store).language),
        "sentences": [list(place) for place in sentence_ranges(post.text)],
        "criteria": [
            {
                **_criterion_wire(c, predictions.get(c.id), mine.get(c.id), others.get(c.id, [])),
                "examples": c.examples,
                "counterexamples": c.counterexamples,
                "hint": model.hint(c) if c.id in predictions and not predictions[c.id].known else "",
                "doubts": [_doubt_wire(d) for d in doubts if d.criterion_id == c.id],
            }
            for c in store.criteria()
        ],
    }


def _predictions(model: Model, post: Post) -> tuple[Mapping[str, Prediction], str]:
    """Predictions that can be had now, and why some cannot ('' if none is missing)."""
    try:
        return model.predict_post(post), ""
    except StillReading as reading:
        return model.predictions(post), f"reading: {reading.fraction:.0%}"
    except EvidenceError as error:
        status = model.status()
        return model.predictions(post), status if status != "ready" else f"failed: {error}"


def _doubt_wire(doubt: Doubt) -> Wire:
    passage = [doubt.passage.start, doubt.passage.end]
    return {"passage": passage, "evidence": doubt.is_evidence, "doubt": doubt.doubt, "answer": doubt.annotation_id}


def look_again(store: Store, reviewer: Reviewer, post_id: str, annotation_id: int, look: str) -> None:
    """Settle what is doubted of an answer: `kept`, or `handed_over` to an adjudicator. Raises NotFound, InvalidRecord."""
    if annotation_id not in {d.annotation_id for d in store.doubts_of(post_id, reviewer.name)}:
        raise NotFound("That answer is no longer doubted: it was changed or looked at again meanwhile.")
    if look not in set(SecondLook):
        raise InvalidRecord(f"{look!r} is none of {', '.join(SecondLook)}.")
    store.look_again(annotation_id, SecondLook(look), by=reviewer.name)


def _criterion_wire(
    criterion: Criterion,
    prediction: Prediction | None,
    mine: Annotation | None,
    others: Sequence[Wire],
) -> Wire:
    return {
        "id": criterion.id,
        "name": criterion.name,
        "guideline": criterion.guideline or criterion.text,
        "version": criterion.version,
        "predicted": prediction is not None,
        "known": prediction.known if prediction else None,
        "no_evidence_score": prediction.no_evidence_score if prediction else None,
        **answer_wire(mine, prediction),
        "others": others,
    }


def answer_wire(mine: Annotation | None, prediction: Prediction | None) -> Wire:
    """The reviewer's answer so far; what the model predicted and nobody has decided stands in `undecided`.

    A decided answer stays tied to the predictions it was made on. An open one takes up those of the model in service.
    """
    if mine is None:
        predicted = prediction.spans if prediction else ()
        version = prediction.model_version if prediction else None
        return _answer(None, (), (), predicted, version)
    undecided, version = mine.undecided, mine.model_version
    if not mine.decided and prediction is not None and prediction.model_version != mine.model_version:
        seen = {(s.start, s.end) for s in (*mine.rejected, *(s.span for s in mine.spans))}
        undecided = tuple(s for s in prediction.spans if (s.start, s.end) not in seen)
        version = prediction.model_version
    return _answer(mine, mine.spans, mine.rejected, undecided, version)


def _answer(
    mine: Annotation | None,
    spans: Sequence[AnnotatedSpan],
    rejected: Sequence[Span],
    undecided: Sequence[Span],
    version: str | None,
) -> Wire:
    return {
        "verdict": str(mine.verdict) if mine and mine.verdict else None,
        "spans": [annotated_to_list(s) for s in spans],
        "rejected": [span_to_list(s) for s in rejected],
        "undecided": [span_to_list(s) for s in undecided],
        "note": mine.note if mine else "",
        "revision": mine.revision if mine else 0,
        "model_version": version,
        "saved_at": mine.created_at if mine else None,
        "decided_on_version": mine.criterion_version if mine else None,
    }


def _labels_of(answer: Annotation | None) -> dict[str, str]:
    return dict(answer.labels) if answer else {}


# --- decisions


def save(store: Store, reviewer: Reviewer, decision: Wire) -> Wire:
    """Append one decision as the reviewer's next revision.

    Returns {"ok": True, "revision", "saved_at", "others"}; or {"ok": False, "conflict": the answer that is stored} when it was
    changed elsewhere; or {"ok": False, "error": why} when it can never be saved as it is. Raises StorageTrouble (full, locked):
    the same decision can be saved later.
    """
    try:
        decision = checked(adapter(Decision), decision, others=True)
        with store.read():
            annotation = read_decision(store, reviewer, decision)
        stored = store.add_annotation(annotation, expected_revision=decision["expected_revision"])
    except Conflict as conflict:
        return {"ok": False, "conflict": conflict_wire(store, reviewer, decision, conflict)}
    except StoreUnavailable:
        raise  # nothing is wrong with the decision: whoever holds it keeps it, and sends it again
    except EvidenceError as error:
        return {"ok": False, "error": str(error)}
    except (KeyError, TypeError, ValueError) as error:
        return {"ok": False, "error": f"The decision cannot be read ({type(error).__name__}: {error})."}
    with store.read():
        others = others_wire(store, stored.post_id, reviewer, criterion_id=stored.criterion_id)
        same = _same_words(store, stored)
    return {
        "ok": True,
        "revision": stored.revision,
        "saved_at": stored.created_at,
        "others": others.get(stored.criterion_id, []),
        "same": ranges_to_list(same),
    }


def _same_words(store: Store, stored: Annotation) -> list[Span]:
    """Where else in the post the words of a decision stand, to be offered; nothing to who reads without suggestions."""
    if not stored.spans or not stored.decided or not store.setting(LEARN_AT_ONCE, True):
        return []
    if store.hides_suggestions(stored.post_id, stored.reviewer):
        return []
    return same_words_here(store.post(stored.post_id), stored)


def read_decision(store: Store, reviewer: Reviewer, wire: Wire) -> Annotation:
    """The annotation that a decision of the page stands for. Raises InvalidRecord, NotFound, KeyError."""
    post = store.post(wire["post_id"])
    hidden = store.hides_suggestions(post.id, reviewer.name)
    spans = tuple(sorted(annotated_from_list(item) for item in wire["spans"]))
    for span in spans:
        if span.predicted is not None:
            span.predicted.check(post.text, where=f"post {post.id}")
    labels = tuple(sorted((wire.get("labels") or {}).items()))
    _check_attributes(store, spans, labels)
    undone = _find_op(store, reviewer, wire["undoes"]) if wire.get("undoes") else None
    before = revision_before(store, undone) if undone else None
    return Annotation(
        post_id=post.id,
        criterion_id=str(wire["criterion_id"]),
        reviewer=reviewer.name,
        verdict=Verdict(wire["verdict"]) if wire.get("verdict") else None,
        spans=spans,
        rejected=tuple(span_from_list(item) for item in wire["rejected"]),
        undecided=tuple(span_from_list(item) for item in wire["undecided"]),
        criterion_version=_shown_version(store, str(wire["criterion_id"]), int(wire["criterion_version"])),
        suggested=False if hidden else True if wire.get("model_version") else None,
        model_version=wire.get("model_version"),
        labels=labels if wire["criterion_id"] == OF_POST else (),
        note=str(wire.get("note") or "")[:MAX_NOTE_CHARACTERS],
        seconds=_seconds(wire.get("seconds")),
        bulk=bool(wire.get("bulk")),
        op_id=str(wire["op_id"]),
        undoes=undone.id if undone else None,
        restored_from=before.id if before else None,
    )


def _check_attributes(store: Store, spans: Sequence[AnnotatedSpan], labels: Sequence[tuple[str, str]]) -> None:
    """Raises InvalidRecord for what the project cannot say of spans and posts. Asks the store only where something is said."""
    said = [span for span in spans if span.attributes]
    if not said and not labels:
        return
    attributes = store.attributes()
    attributes.check_labels(labels)
    for span in said:
        attributes.check(span.attributes, where=f"Span {span.start}:{span.end}")


def _shown_version(store: Store, criterion_id: str, version: int) -> int:
    if criterion_id == OF_POST:
        return 1
    if not store.has_criterion_version(criterion_id, version):
        raise InvalidRecord(f"There is no version {version} of criterion {criterion_id}. Load the post again.")
    return version


def _seconds(given: Any) -> float | None:
    return None if given is None else round(min(max(float(given), 0.0), 3600.0), 1)


def conflict_wire(store: Store, reviewer: Reviewer, decision: Wire, conflict: Conflict) -> Wire:
    stored = store.annotations_of(decision["post_id"], reviewer.name).get(decision["criterion_id"])
    return {
        **answer_wire(stored, None),
        "labels": _labels_of(stored),
        "revision": conflict.current_revision,
        "message": str(conflict),
    }


def revision_before(store: Store, row: Annotation) -> Annotation | None:
    """The same person's answer that a stored one took the place of; None for their first."""
    revisions = store.history(row.post_id, criterion_id=row.criterion_id)
    wanted = (a for a in revisions if a.reviewer == row.reviewer and a.revision == row.revision - 1)
    return next(wanted, None)


def _find_op(store: Store, reviewer: Reviewer, op_id: str) -> Annotation | None:
    recent = store.recent_annotations(reviewer.name, limit=UNDO_DEPTH)
    return next((a for a in recent if a.op_id == op_id), None)
