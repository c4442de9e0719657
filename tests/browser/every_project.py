"""The projects in which every page is looked at in every state (`every_page.py`): demo posts, a team of another domain, trainings."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from annotator.people import invitations
from annotator.people.accounts import Accounts
from annotator.project import STARTED, default_criteria
from annotator.review.about import save_about
from annotator.teams import rounds
from annotator.teams.rounds import RoundPlan
from annotator.training.promotion import PromotionRule
from annotator.training.run import TrainingWish, enqueue_training
from storage.criteria_file import criteria_set_of_text
from storage.jobs import Jobs
from storage.records import (
    AnnotatedSpan,
    Annotation,
    JobKind,
    JobStatus,
    ModelVersion,
    Post,
    Prediction,
    Role,
    Span,
    Split,
    Verdict,
)
from storage.store import Store, open_store
from tests.annotator.reviewed_project import QUICK, a_reviewed_project
from tests.browser.conftest import running_app

PATIENCE_MS = 120_000
TEXTS = (
    "I have not slept more than three hours since the move. Nothing tastes of anything. My sister asked what I was looking"
    " forward to and I could not name one thing. Work is fine, people are kind. Still I lie there and count the cars.",
    "The bees are quiet in winter. I cannot sleep at night and in the morning everything feels grey and empty.",
    "Ich kann seit Wochen nicht mehr schlafen und alles ist grau. Morgens komme ich nicht aus dem Bett und weiss nicht, wozu.",
)
MARKS = {
    "SLEEP_ISSUES": ("I have not slept more than three hours since the move.", "I cannot sleep at night"),
    "APPETITE_CHANGE": ("Nothing tastes of anything.",),
    "ANHEDONIA": ("My sister asked what I was looking forward to and I could not name one thing.",),
    "DEPRESSED_MOOD": ("everything feels grey and empty.",),
}
ADVERTS = (
    "We are looking for a nurse with three years on a ward. You speak Dutch. Shifts are planned a month ahead.",
    "Our bakery needs somebody who likes early mornings. No experience needed; we teach you. Driving licence welcome.",
)
JOBS = """
about:
  subject: requirements in job advertisements
  language: en
  notice: Mark what an applicant must bring.
  reminder: It reads advertisements. It does not judge people.
criteria:
  - {id: EXPERIENCE, name: Experience, text: The advertisement asks for experience., guideline: Mark what is asked for.,
     examples: [two years in a kitchen], counterexamples: [we have been in business for two years]}
  - {id: LANGUAGE, name: Language, text: The advertisement asks for a language., guideline: Mark the language and its level.}
  - {id: LICENCE, name: Licence or certificate to be shown before the first day, text: A licence is asked for., guideline: Mark it.}
"""


def _site(folder: Path, *, posts: bool) -> None:
    """A project whose predictions were written here, or one without anything."""
    store = open_store(folder)
    store.save_criteria(default_criteria())
    store.set_setting(STARTED, True)
    if posts:
        store.add_model(ModelVersion(id="m1", path="kept-here"))
        store.activate_model("m1", by=None)
        for number, text in enumerate(TEXTS * 4):
            post = Post(id=f"p{number}", text=text, split=Split.TRAIN)
            store.add_posts([post])
            store.add_predictions(_predictions(store.criteria(), post))
        _read_by_two(store)
    store.close()


def _read_by_two(store: Store) -> None:
    """Two people have read a few posts and do not agree on one criterion."""
    for person in ("ben", "cleo"):
        store.ensure_reviewer(person, Role.REVIEWER)
        for number in (6, 7, 9, 10):
            post = store.post(f"p{number}")
            for criterion, quotes in MARKS.items():
                found = [q for q in quotes if q in post.text and (person, criterion) != ("cleo", "SLEEP_ISSUES")]
                spans = tuple(AnnotatedSpan(at := post.text.index(q), at + len(q)) for q in found)
                verdict = Verdict.EVIDENCE if spans else Verdict.NO_EVIDENCE
                store.add_annotation(Annotation(post.id, criterion, person, verdict, spans), expected_revision=0)


def _predictions(criteria: Any, post: Post) -> list[Prediction]:
    found = []
    for c in criteria:
        quotes = [q for q in MARKS.get(c.id, ()) if q in post.text]
        spans = tuple(Span(at := post.text.index(q), at + len(q), 0.87) for q in quotes)
        found.append(Prediction(post.id, c.id, "m1", spans, no_evidence_score=0.1 if spans else 0.9))
    return found


def _trained(folder: Path, *, steps: int | None, times: int = 1, base: str = "base") -> None:
    """A reviewed project with trainings that wait for the worker: quick ones, or one that takes long. The second has nothing to better."""
    a_reviewed_project(folder)
    store = open_store(folder)
    config = QUICK if steps is None else dataclasses.replace(QUICK, max_steps=steps)
    wish = TrainingWish(config, base=base, rule=PromotionRule(margin=1.0, min_posts=1))
    for number in range(times):
        enqueue_training(Jobs(store), dataclasses.replace(wish, note="again" * number), by="ana")
    store.close()


def _signed(folder: Path) -> None:
    _site(folder, posts=True)
    store = open_store(folder)
    Accounts(store).add("ana", Role.ADMIN, "correct horse battery")
    store.close()


def _jobs(folder: Path) -> None:
    """A team that reads job advertisements: another domain than that of the default criteria, and a name that is long."""
    store = open_store(folder)
    chosen = criteria_set_of_text(JOBS, "jobs.yaml")
    store.save_criteria(chosen.criteria)
    save_about(store, chosen.about)
    store.set_setting(STARTED, True)
    Accounts(store).add("ana", Role.ADMIN, "correct horse battery")
    ana = store.reviewer("ana")
    store.add_posts(
        [Post(f"ad-{n}", ADVERTS[n % len(ADVERTS)] + f" Reference {n}.", split=Split.TRAIN) for n in range(12)]
    )
    people = ("ana", "ben", "Maximiliane-Theodora_von_Hohenlohe-Waldenburg-Schillingsfuerst")
    for name in people[1:]:
        store.ensure_reviewer(name, Role.REVIEWER)
    rounds.set_up(
        store, RoundPlan("first reading", people, posts=4, blind=False, overlap={2: 1.0}), model_version=None, by=ana
    )
    for assigned in store.assigned():
        text = store.post(assigned.post_id).text
        spans = (AnnotatedSpan(0, len(text) // 2),) if assigned.reviewer != "ben" else ()
        verdict = Verdict.EVIDENCE if spans else Verdict.NO_EVIDENCE
        answer = Annotation(assigned.post_id, "EXPERIENCE", assigned.reviewer, verdict, spans)
        store.add_annotation(answer, expected_revision=0)
    invitations.invite(store, "cleo", Role.ADJUDICATOR, by=ana)
    store.close()


PROJECTS: dict[str, tuple[Callable[[Path], Any], bool]] = {  # what makes it, and whether it has a worker
    "site": (lambda folder: _site(folder, posts=True), False),
    "empty": (lambda folder: _site(folder, posts=False), False),
    "demo": (lambda folder: None, False),
    "reviewed": (a_reviewed_project, False),
    "trained": (lambda folder: _trained(folder, steps=None), True),
    "aside": (lambda folder: _trained(folder, steps=None, times=2), True),
    "failed": (lambda folder: _trained(folder, steps=None, base="nowhere"), True),
    "running": (lambda folder: _trained(folder, steps=100_000), True),
    "signed": (_signed, False),
    "jobs": (_jobs, False),
}


@contextmanager
def project(name: str) -> Iterator[str]:
    """The address of the app on a project of that name."""
    make, worker = PROJECTS[name]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "data"
        folder.mkdir()
        make(folder)
        with running_app(folder, worker=worker) as url:
            if name in ("trained", "aside", "failed"):
                _wait_for_training(folder)
            yield url


def _wait_for_training(folder: Path) -> None:
    store = open_store(folder)
    jobs, end = Jobs(store), time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < end:
        [job] = jobs.jobs(kind=JobKind.TRAIN, limit=1)
        if job.status not in (JobStatus.QUEUED, JobStatus.RUNNING):
            break
        time.sleep(0.2)
    store.close()
