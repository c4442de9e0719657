"""The list of posts: finding them by the queue's filters, and what can be done to many at once. No gradio, no torch."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any, Protocol

from annotator.people.accounts import allow
from annotator.review.decisions import Model, Wire
from annotator.teams.naming import Called, called_before
from storage.jobs import Jobs
from storage.queue import QueueFilter, QueueItem
from storage.records import InvalidRecord, Job, JobKind, JobStatus, Reviewer, Role, Split
from storage.store import Store

MOST_AT_ONCE = 10_000
MOST_WITHDRAWN = 500
"""Posts that are taken out at once: everybody's save waits for it."""
STILL_ELSEWHERE = (
    "Backups and snapshots made before, files that were exported, trainings that wait to be resumed and models that learned from these"
    " posts still hold something of them: delete or make those anew as well. An app that runs forgets them when it is started again."
)
EXCERPT = 160
READ_IN_THE_APP = 100
"""Up to here the app's own model reads the posts that somebody asks for; more of them are a job with progress."""


class Reader(Model, Protocol):
    """The served model, which can be asked to read posts before all others."""

    def prefetch(self, post_ids: Sequence[str]) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Portion:
    """How much of a list. after: `place` of the last post of the portion before; or `offset`: how many posts come before."""

    limit: int = 30
    offset: int = 0
    after: str = ""


def find_posts(
    store: Store, model: Model, reviewer: Reviewer, wanted: QueueFilter, portion: Portion = Portion()
) -> Wire:
    """A portion of the posts that fit: {"total", "at_least", "posts": [{"post_id", "excerpt", "split", "state", "place", ...}]}.

    at_least: more fit than were counted. assigned: the people whom a post was given to; a reader sees only themselves there, as a post
    that more people read than others might be a check by gold.
    """
    items = store.queue(wanted, me=reviewer.name, model_version=model.version, **dataclasses.asdict(portion))
    total = store.count_queue(wanted, me=reviewer.name, model_version=model.version)
    called = called_before(store, reviewer)
    with store.read():  # one transaction for what is asked of each post
        shown = [_unmarked(store, _at_hit(store, item, wanted.query), reviewer) for item in items]
    return {
        "total": total.posts,
        "at_least": total.at_least,
        "posts": [_wire(item, reviewer, called) for item in shown],
    }


def all_ids(store: Store, model: Model, reviewer: Reviewer, wanted: QueueFilter) -> list[str]:
    """The ids of every post that fits, at most MOST_AT_ONCE."""
    return store.queue_ids(wanted, me=reviewer.name, model_version=model.version, limit=MOST_AT_ONCE)


def choices(store: Store, me: Reviewer) -> Wire:
    """What the filters can be set to; people as they are called before `me`."""
    return {
        "criteria": [{"id": c.id, "name": c.name} for c in store.criteria()],
        "sources": store.sources(),
        "reviewers": called_before(store, me).all(r.name for r in store.reviewers() if r.disabled_at is None),
    }


def assign(store: Store, post_ids: Sequence[str], to: str, *, by: Reviewer) -> int:
    """Give posts to a reviewer, as they are called before `by`; everybody may take posts, adjudicators and admins may give them to others.

    Returns how many are new to them. Raises NotAllowed, NotFound.
    """
    if to != by.name:
        allow(by, Role.ADJUDICATOR, Role.ADMIN)
    return store.assign(_checked(store, post_ids), store.reviewer(called_before(store, by).person(to)).name, by=by.name)


def unassign(store: Store, post_ids: Sequence[str], taken_from: str, *, by: Reviewer) -> int:
    """Take posts from a reviewer, as they are called before `by`; everybody may give back their own. Returns how many they had.

    Raises NotAllowed, NotFound, InvalidRecord.
    """
    if taken_from != by.name:
        allow(by, Role.ADJUDICATOR, Role.ADMIN)
    return store.unassign(_checked(store, post_ids), store.reviewer(called_before(store, by).person(taken_from)).name)


def change_split(store: Store, post_ids: Sequence[str], split: str, *, by: Reviewer) -> int:
    """Move posts to another split: an admin's explicit decision. Returns how many. Raises NotAllowed, InvalidRecord."""
    allow(by, Role.ADMIN)
    if split not in {str(s) for s in Split}:
        raise InvalidRecord(f"{split!r} is no split; it is train, dev or test.")
    return store.set_split(_checked(store, post_ids), Split(split))


def withdraw(store: Store, post_ids: Sequence[str], *, by: Reviewer) -> Wire:
    """Take posts out for good, with all that was said of them: {"count", "words"}. Raises NotAllowed for who is no admin, InvalidRecord."""
    allow(by, Role.ADMIN)
    ids = _checked(store, post_ids)
    if len(ids) > MOST_WITHDRAWN:
        raise InvalidRecord(f"Choose at most {MOST_WITHDRAWN} posts to withdraw at once, not {len(ids)}.")
    return {"count": store.withdraw_posts(ids, by=by.name).posts, "words": STILL_ELSEWHERE}


def predict(store: Store, jobs: Jobs, model: Reader, post_ids: Sequence[str], *, by: Reviewer) -> Wire:
    """Have the model read these posts before all others: {"count", "job"}, `job` being None where the app reads them itself.

    Reviewers can ask for READ_IN_THE_APP of them at once. Raises InvalidRecord.
    """
    ids = _checked(store, post_ids)
    if len(ids) <= READ_IN_THE_APP or by.role is Role.REVIEWER:
        model.prefetch(ids[:READ_IN_THE_APP])
        return {"count": len(ids[:READ_IN_THE_APP]), "job": None}
    if model.version is None:
        raise InvalidRecord("No model is in service that could read posts. Put one in service on the Retrain page.")
    job = jobs.enqueue(JobKind.PREDICT, {"model": store.model(model.version).id, "posts": ids}, by=by.name)
    return {"count": len(ids), "job": job_wire(job)}


def prediction_job(jobs: Jobs, job_id: int | None = None) -> Wire | None:
    """That prediction of chosen posts; without an id the one that runs, or waits first; None if there is none."""
    if job_id is not None:
        return job_wire(_chosen_posts(jobs.get(job_id)))
    unfinished = jobs.jobs(kind=JobKind.PREDICT, statuses=(JobStatus.RUNNING, JobStatus.QUEUED))
    asked_for = [job for job in unfinished if "posts" in job.payload]
    return job_wire(min(asked_for, key=lambda j: (j.status is JobStatus.QUEUED, j.id))) if asked_for else None


def job_wire(job: Job) -> Wire:
    return {
        "id": job.id,
        "posts": len(job.payload["posts"]),
        "status": str(job.status),
        "progress": job.progress,
        "message": job.message,
        "error": job.error,
        "stopping": job.cancel_requested,
    }


def stop_prediction(jobs: Jobs, job_id: int, *, by: Reviewer) -> Wire:
    """Ask such a job to stop; what it has predicted stays. Raises NotAllowed, InvalidRecord, NotFound."""
    allow(by, Role.ADJUDICATOR, Role.ADMIN)
    _chosen_posts(jobs.get(job_id))
    return job_wire(jobs.request_cancel(job_id))


def _chosen_posts(job: Job) -> Job:
    if job.kind is not JobKind.PREDICT or "posts" not in job.payload:
        raise InvalidRecord(f"Job {job.id} is not a prediction of chosen posts.")
    return job


def _checked(store: Store, post_ids: Sequence[str]) -> list[str]:
    if not post_ids:
        raise InvalidRecord("Choose at least one post.")
    if len(post_ids) > MOST_AT_ONCE:
        raise InvalidRecord(f"Choose at most {MOST_AT_ONCE} posts at once, not {len(post_ids)}.")
    known = store.known_post_ids(post_ids)
    if missing := [post_id for post_id in post_ids if post_id not in known]:
        raise InvalidRecord(f"There is no post {missing[0]!r} (any more). Load the list again.")
    return list(post_ids)


def _at_hit(store: Store, item: QueueItem, query: str) -> QueueItem:
    """The item with an excerpt around the first word that was searched for."""
    words = [re.escape(word) for word in re.findall(r"\w+", query)]
    if not words:
        return item
    text = store.post(item.post_id).text
    hit = re.search(r"\b(?:" + "|".join(words) + r")", text, re.IGNORECASE)
    if hit is None or hit.end() < EXCERPT - 40:
        return item
    start = text.rfind(" ", 0, max(0, hit.start() - 50)) + 1
    return dataclasses.replace(item, excerpt=f"…{text[start : start + EXCERPT]}")


def _unmarked(store: Store, item: QueueItem, reviewer: Reviewer) -> QueueItem:
    """The item without the model's scores where a reader is to read the post without its marks."""
    if reviewer.role is not Role.REVIEWER or not store.hides_suggestions(item.post_id, reviewer.name):
        return item
    return dataclasses.replace(item, evidence=None, uncertainty=None)


def _wire(item: QueueItem, reviewer: Reviewer, called: Called) -> dict[str, Any]:
    given = dataclasses.asdict(item)
    people = called.all(name for name in item.assigned if reviewer.role is not Role.REVIEWER or name == reviewer.name)
    return {**given, "split": str(item.split), "assigned": people, "state": _state(item)}


def _state(item: QueueItem) -> str:
    if item.decided >= item.criteria:
        return "reviewed"
    if item.skipped:
        return "skipped"
    return "started" if item.decided else "open"
