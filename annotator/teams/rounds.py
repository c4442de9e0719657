"""Rounds: which posts are read by whom. Assignment is balanced over people and pairs, and nobody is given a post twice."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotator.people.accounts import allow
from storage.records import InvalidRecord, Reviewer, Role
from storage.rounds import Assigned, Candidate, RoundPost
from storage.store import Store
from storage.team_records import Round, RoundKind, Suggestions

LIKELY = 0.5  # the model's best span score from which it expects evidence


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """What a lead asks for. overlap: share of the posts by how many people read each. posts: how many; None for all that fit."""

    name: str
    people: tuple[str, ...]
    kind: RoundKind = RoundKind.MAIN
    blind: bool = True
    suggestions: Suggestions = Suggestions.SHOWN
    overlap: Mapping[int, float] | None = None
    posts: int | None = None
    source: str | None = None
    unread: bool = True
    deadline: str | None = None
    seed: int = 0


def set_up(store: Store, plan: RoundPlan, *, model_version: str | None, by: Reviewer) -> Round:
    """Choose the posts, give them out and store the round. Raises NotAllowed, InvalidRecord."""
    allow(by, Role.ADJUDICATOR)
    overlap = _checked(store, plan)
    candidates = store.candidates(model_version=model_version, source=plan.source, unread=plan.unread)
    chosen = sample(candidates, plan.posts, seed=plan.seed)
    if not chosen:
        raise InvalidRecord("No post fits: choose another source, or let posts in that somebody has read.")
    posts = _with_readers(chosen, overlap, seed=plan.seed)
    given = give_out(posts, plan.people, store.readers_of([p.post_id for p in posts]), plan.suggestions, seed=plan.seed)
    return store.add_round(
        Round(
            id=0,
            name=plan.name.strip(),
            kind=plan.kind,
            blind=plan.blind,
            suggestions=plan.suggestions,
            people=plan.people,
            overlap=overlap,
            seed=plan.seed,
            chosen={
                "posts": len(posts),
                "of": len(candidates),
                "source": plan.source,
                "unread": plan.unread,
                "strata": "source and the model's expectation",
                "model": model_version,
            },
            deadline=plan.deadline,
            created_by=by.name,
        ),
        posts,
        given,
    )


def sample(candidates: Sequence[Candidate], count: int | None, *, seed: int) -> list[str]:
    """`count` post ids in random order, each stratum (source, whether the model expects evidence) by its share."""
    draw = random.Random(seed)  # noqa: S311 - no secret: the same seed makes the same round
    strata: dict[tuple[str, str], list[str]] = {}
    for candidate in candidates:
        expected = "unread" if candidate.evidence is None else "likely" if candidate.evidence >= LIKELY else "unlikely"
        strata.setdefault((candidate.source or "", expected), []).append(candidate.post_id)
    wanted = len(candidates) if count is None else min(count, len(candidates))
    exact = {key: wanted * len(ids) / max(len(candidates), 1) for key, ids in strata.items()}
    taken = {key: math.floor(share) for key, share in exact.items()}
    for key in sorted(exact, key=lambda k: (taken[k] - exact[k], k))[: wanted - sum(taken.values())]:
        taken[key] += 1
    chosen = [post_id for key in sorted(strata) for post_id in draw.sample(sorted(strata[key]), taken[key])]
    draw.shuffle(chosen)
    return chosen


def give_out(
    posts: Sequence[RoundPost],
    people: Sequence[str],
    readers: Mapping[str, set[str]],
    suggestions: Suggestions,
    *,
    seed: int,
    load: Mapping[str, int] | None = None,
) -> list[Assigned]:
    """Who reads which post: those with least to read, then the pairs that met least, then by lot.

    readers: who has a post already, by post id; they count among its readers and are not given it again. load: posts that people have.
    """
    draw = random.Random(f"assign:{seed}")  # noqa: S311 - no secret
    has, met = Counter(load or {}), Counter[frozenset[str]]()
    given: list[Assigned] = []
    halves = {person: draw.random() < 0.5 for person in people}
    for post in posts:
        there = readers.get(post.post_id, set()) & set(people)
        for _ in range(post.readers - len(there)):
            free = [p for p in people if p not in there and p not in readers.get(post.post_id, set())]
            if not free:
                break
            chosen = min(free, key=lambda p: (has[p], sum(met[frozenset((p, q))] for q in there), draw.random()))
            halves[chosen] = not halves[chosen]
            hide = suggestions is Suggestions.HIDDEN or (suggestions is Suggestions.RANDOM and halves[chosen])
            met.update(frozenset((chosen, q)) for q in there)
            there = there | {chosen}
            has[chosen] += 1
            given.append(Assigned(post.post_id, chosen, None, hide_suggestions=hide))
    return given


def change_people(store: Store, round_id: int, people: Sequence[str], *, expected_revision: int, by: Reviewer) -> Round:
    """Others read on: what those who leave have not begun goes to the rest; newcomers take from those who have most left.

    What has been answered stays with who answered it. Raises NotAllowed, InvalidRecord, Conflict.
    """
    allow(by, Role.ADJUDICATOR)
    known, everybody = store.round(round_id), {r.name for r in store.reviewers()}
    if missing := sorted(set(people) - everybody) or (not people):
        raise InvalidRecord(
            f"There is no reviewer {missing[0]!r}." if isinstance(missing, list) else "Choose at least one person."
        )
    assigned = store.assigned(round_id=round_id)
    newcomers = set(people) - set(known.people)
    open_again = [a for a in assigned if not a.decided and (a.reviewer not in people or newcomers)]
    taken = {(a.post_id, a.reviewer) for a in open_again}
    kept = [a for a in assigned if (a.post_id, a.reviewer) not in taken]
    readers: dict[str, set[str]] = {p: set() for p in {a.post_id for a in assigned}}
    for post_id, names in store.readers_of(sorted(readers)).items():
        readers[post_id] = {name for name in names if (post_id, name) not in taken}
    posts = store.round_posts(round_id)
    gone = {p.post_id: sum(1 for a in kept if a.post_id == p.post_id and a.reviewer not in people) for p in posts}
    wanted = [RoundPost(p.post_id, max(0, p.readers - gone[p.post_id]), p.gold) for p in posts]
    load = Counter(a.reviewer for a in kept if a.reviewer in people)
    given = give_out(wanted, people, readers, known.suggestions, seed=known.seed, load=load)
    return store.change_round(
        round_id, expected_revision=expected_revision, people=people, taken=sorted(taken), given=given, by=by.name
    )


def close(store: Store, round_id: int, *, expected_revision: int, by: Reviewer, closed: bool = True) -> Round:
    """Close a round, so that its readers see one another's answers; or open it again. Raises NotAllowed, Conflict."""
    allow(by, Role.ADJUDICATOR)
    return store.change_round(round_id, expected_revision=expected_revision, closed=closed, by=by.name)


def progress(store: Store, round_id: int) -> list[dict[str, Any]]:
    """Per person of a round: posts given, done (every criterion decided), begun, left."""
    rows: dict[str, Counter[str]] = {name: Counter() for name in store.round(round_id).people}
    for a in store.assigned(round_id=round_id):
        rows.setdefault(a.reviewer, Counter()).update(
            assigned=1, done=int(a.done), begun=int(a.decided > 0 and not a.done), left=int(not a.done)
        )
    names = ("assigned", "done", "begun", "left")
    return [{"person": person, **{n: counts[n] for n in names}} for person, counts in sorted(rows.items())]


def _checked(store: Store, plan: RoundPlan) -> dict[int, float]:
    if not plan.name.strip():
        raise InvalidRecord("Give the round a name.")
    if not plan.people or len(set(plan.people)) < len(plan.people):
        raise InvalidRecord("Choose who reads in the round, each person once.")
    usable = {r.name for r in store.reviewers() if r.disabled_at is None}
    if unknown := [p for p in plan.people if p not in usable]:
        raise InvalidRecord(f"There is no reviewer {unknown[0]!r} who could read.")
    overlap = dict(plan.overlap or {1: 1.0})
    if min(overlap) < 1 or max(overlap) > len(plan.people):
        raise InvalidRecord(
            f"{max(overlap)} readers for a post are more than the {len(plan.people)} people of the round."
        )
    if min(overlap.values()) < 0 or not math.isclose(sum(overlap.values()), 1.0, abs_tol=1e-6):
        raise InvalidRecord("The shares of the posts have to add up to 1.")
    return overlap


def _with_readers(chosen: Sequence[str], overlap: Mapping[int, float], *, seed: int) -> list[RoundPost]:
    """How many people read each of the posts, which are in random order; what rounding leaves is read by the fewest."""
    counts = {readers: math.floor(share * len(chosen) + 1e-9) for readers, share in overlap.items()}
    counts[min(overlap)] += len(chosen) - sum(counts.values())
    readers = [number for number, count in counts.items() for _ in range(count)]
    random.Random(f"readers:{seed}").shuffle(readers)  # noqa: S311 - no secret
    return [RoundPost(post_id, number) for post_id, number in zip(chosen, readers, strict=True)]
