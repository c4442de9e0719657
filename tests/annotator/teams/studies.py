"""A study of synthetic posts, carried out by drawn answers: two rounds, a change of wording in between, adjudications."""

from __future__ import annotations

import random

from annotator.teams import adjudicating
from annotator.teams.rounds import RoundPlan, close, set_up
from storage.records import AnnotatedSpan, Annotation, Criterion, Post, Reviewer, Role, Verdict
from storage.store import Store
from storage.team_records import Round, Suggestions

LEAD = Reviewer("eva", Role.ADMIN)
JUDGE = Reviewer("jo", Role.ADJUDICATOR)
READERS = ("ana", "ben", "cem", "dag")
SENTENCES = (
    "I have not slept in weeks and lie awake.",
    "Nothing is fun any more 🌙.",
    "i am tired all day!",
    "The dog is well.",
    "My head is slow; I forget names.",
    "We ate soup.",
)


def a_team(store: Store, posts: int, criteria: list[Criterion]) -> None:
    """The people, and posts of two sources by twenty authors."""
    for name in READERS:
        store.ensure_reviewer(name)
    store.add_reviewer(LEAD.name, LEAD.role)
    store.add_reviewer(JUDGE.name, JUDGE.role)
    store.save_criteria(criteria)
    draw = random.Random(1)
    store.add_posts(
        [
            Post(
                id=f"p{n:03d}",
                text=" ".join(draw.sample(SENTENCES, 4)) + f" Night {n}.",
                source=f"s{n % 2}",
                author=f"writer{n % 20}",
            )
            for n in range(posts)
        ]
    )


def a_round(store: Store, name: str, posts: int, *, seed: int, suggestions: Suggestions = Suggestions.SHOWN) -> Round:
    """30 % of the posts are read by two people."""
    plan = RoundPlan(name, READERS, overlap={1: 0.7, 2: 0.3}, posts=posts, seed=seed, suggestions=suggestions)
    return set_up(store, plan, model_version=None, by=LEAD)


def read(store: Store, round_: Round, *, day: str, seed: int, care: float = 0.85, share: float = 1.0) -> None:
    """Everybody reads what they were given: like a hidden truth with probability `care`, in seconds, some in bulk, some unsure."""
    draw = random.Random(seed)
    versions = {c.id: c.version for c in store.criteria()}
    given = store.assigned(round_id=round_.id)
    for a in given[: int(len(given) * share)]:
        text = store.post(a.post_id).text
        before = store.annotations_of(a.post_id, a.reviewer)
        for criterion in versions:
            truth = random.Random(f"{a.post_id} {criterion}").random() < 0.3
            verdict = Verdict.EVIDENCE if truth == (draw.random() < care) else Verdict.NO_EVIDENCE
            if draw.random() < 0.04:
                verdict = Verdict.UNSURE
            start = draw.choice([0, 0, 0, 2, 20])
            spans = (AnnotatedSpan(start, start + draw.choice([18, 18, 25])),) if verdict is Verdict.EVIDENCE else ()
            assert spans == () or spans[0].end <= len(text)
            answer = Annotation(
                a.post_id,
                criterion,
                a.reviewer,
                verdict,
                spans,
                criterion_version=versions[criterion],
                seconds=None if draw.random() < 0.1 else round(draw.lognormvariate(2, 1.5), 1),
                bulk=draw.random() < 0.2,
                created_at=f"{day}T{draw.randrange(8, 18):02d}:{draw.randrange(60):02d}:{draw.randrange(60):02d}Z",
            )
            known = before.get(criterion)
            store.add_annotation(answer, expected_revision=known.revision if known else 0)


def adjudicate(store: Store, *, leave: int, seed: int) -> None:
    """The judge decides all but `leave` disagreements: mostly as one of the readers, sometimes that it cannot be decided."""
    draw = random.Random(seed)
    while (found := adjudicating.queue(store, JUDGE))["total"] > leave:
        case = found["cases"][0]
        shown = adjudicating.case(store, JUDGE, case["post_id"], case["criterion_id"])
        lane = draw.choice(
            sorted((one for one in shown["lanes"] if one["verdict"] != "unsure"), key=lambda one: one["answer"])
        )
        outcome = "undecidable" if draw.random() < 0.1 else lane["verdict"]
        wire = {
            "post_id": case["post_id"],
            "criterion_id": case["criterion_id"],
            "outcome": outcome,
            "spans": lane["spans"] if outcome == "evidence" else [],
            "expected_revision": shown["revision"],
            "reason": "As the guideline says.",
            "error_kind": draw.choice(shown["error_kinds"]),
        }
        adjudicating.decide(store, JUDGE, wire)


def the_study(store: Store, criteria: list[Criterion], *, posts: int = 200) -> None:
    """Two rounds over all posts; between them one wording changes; of the second a tenth is left unread, some disagreements open."""
    a_team(store, posts, criteria)
    first = a_round(store, "first", posts // 2, seed=1)
    read(store, first, day="2026-10-05", seed=2)
    close(store, first.id, expected_revision=first.revision, by=LEAD)
    changed = criteria[0]
    store.save_criteria(
        [
            Criterion(changed.id, changed.name, changed.text, changed.guideline + " Not naps.", position=0),
            *criteria[1:],
        ]
    )
    second = a_round(store, "second", posts - posts // 2, seed=3, suggestions=Suggestions.RANDOM)
    read(store, second, day="2026-11-16", seed=4, care=0.6, share=0.9)
    adjudicate(store, leave=7, seed=5)
