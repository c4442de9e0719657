"""Rounds: which posts are read by whom. Assignment is balanced over people and pairs, and nobody is given a post twice."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotator.people.accounts import allow
from annotator.teams.naming import called_before
from annotator.teams.sampling import STRATA, Expectation, PostOrder, expectation, in_order, mixed_in, sample
from annotator.words import counted
from storage.records import InvalidRecord, Reviewer, Role, Split
from storage.store import Store
from storage.team_records import (
    Assigned,
    Candidate,
    PostsWanted,
    Round,
    RoundChange,
    RoundKind,
    RoundPost,
    Suggestions,
)

__all__ = ["RoundPlan", "change_people", "close", "give_out", "preview", "progress", "sample", "set_up"]

LONGEST_NAME = 80
RESERVED_MINUTES = 60
RESERVED_SETTING = "reserved_minutes"


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """What a lead asks for. overlap: share of the posts by how many people read each. posts: how many; None for all that fit.

    source, split, query, expects, unread: which posts fit; a training round takes only posts with gold that its people do not know.
    strata: by what the sample is stratified. gold_posts: how many posts with gold are mixed into a gold check, for everybody.
    """

    name: str
    people: tuple[str, ...]
    kind: RoundKind = RoundKind.MAIN
    blind: bool = True
    suggestions: Suggestions = Suggestions.SHOWN
    overlap: Mapping[int, float] | None = None
    posts: int | None = None
    source: str | None = None
    split: Split | None = None
    query: str = ""
    expects: Expectation | None = None
    unread: bool = True
    strata: tuple[str, ...] = tuple(STRATA)
    order: PostOrder = PostOrder.LOT
    gold_posts: int = 0
    deadline: str | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """A round as it would be made. fitting: how many posts it could have been drawn from."""

    round: Round
    posts: Sequence[RoundPost]
    given: Sequence[Assigned]
    fitting: int


def set_up(store: Store, plan: RoundPlan, *, model_version: str | None, by: Reviewer) -> Round:
    """Choose the posts, give them out and store the round. Raises NotAllowed, InvalidRecord."""
    drawn = _drawn(store, plan, model_version=model_version, by=by)
    return store.add_round(drawn.round, drawn.posts, drawn.given)


def preview(store: Store, plan: RoundPlan, *, model_version: str | None, by: Reviewer) -> dict[str, Any]:
    """What `set_up` would make: posts, who would get how many, which pairs would meet. Nothing is stored. Raises as `set_up`."""
    drawn = _drawn(store, plan, model_version=model_version, by=by)
    rows = {name: Counter[str]() for name in plan.people}
    checks = {p.post_id for p in drawn.posts if p.gold and plan.kind is RoundKind.GOLD_CHECK}
    readers: dict[str, list[str]] = {}
    for a in drawn.given:
        rows[a.reviewer].update(posts=1, hidden=int(a.hide_suggestions), gold=int(a.post_id in checks))
        readers.setdefault(a.post_id, []).append(a.reviewer)
    pairs = Counter(pair for names in readers.values() for pair in itertools.combinations(sorted(names), 2))
    return {
        "posts": len(drawn.posts),
        "fitting": drawn.fitting,
        "people": [
            {"person": name, **{n: found[n] for n in ("posts", "hidden", "gold")}} for name, found in rows.items()
        ],
        "readers": {str(n): count for n, count in sorted(Counter(map(len, readers.values())).items())},
        "pairs": [{"one": one, "other": other, "posts": count} for (one, other), count in sorted(pairs.items())],
        "missing": sum(p.readers for p in drawn.posts) - len(drawn.given),
        "notes": [*_doubts(plan, pairs, drawn), *_strangers(store, plan.people, by)],
    }


def _drawn(store: Store, plan: RoundPlan, *, model_version: str | None, by: Reviewer) -> Drawn:
    allow(by, Role.ADJUDICATOR)
    overlap = _checked(store, plan, by)
    candidates = _candidates(store, plan, model_version)
    chosen = sample(candidates, plan.posts, seed=plan.seed, strata=plan.strata)
    if not chosen:
        raise InvalidRecord(_NOTHING_TRAINS if plan.kind is RoundKind.TRAINING else _NOTHING_FITS)
    posts = _with_readers(chosen, overlap, gold=plan.kind is RoundKind.TRAINING, seed=plan.seed)
    by_id = {p.post_id: p for p in posts}
    posts = [by_id[post_id] for post_id in in_order(chosen, candidates, plan.order)]
    posts = mixed_in(posts, _checks(store, plan, by_id, model_version), seed=plan.seed)
    given = give_out(posts, plan.people, store.readers_of([p.post_id for p in posts]), plan.suggestions, seed=plan.seed)
    made = Round(
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
            "split": plan.split and str(plan.split),
            "query": plan.query,
            "expects": plan.expects and str(plan.expects),
            "unread": plan.unread,
            "strata": list(plan.strata),
            "order": str(plan.order),
            "gold_posts": plan.gold_posts,
            "model": model_version,
            "criteria": {c.id: c.version for c in store.criteria()},
        },
        deadline=plan.deadline or None,
        created_by=by.name,
    )
    return Drawn(made, posts, given, len(candidates))


_NOTHING_FITS = "No post fits: choose another source, or let posts in that somebody has read."
_NOTHING_TRAINS = "No post fits: a training round needs posts with gold that none of its people has read. Adjudicate some, or import some."


def _candidates(store: Store, plan: RoundPlan, model_version: str | None) -> list[Candidate]:
    trains = plan.kind is RoundKind.TRAINING
    wanted = PostsWanted(plan.source, plan.split, plan.query, unread=plan.unread and not trains)
    found = store.candidates(wanted, model_version=model_version)
    if plan.expects is not None:
        found = [c for c in found if expectation(c) is plan.expects]
    if not trains:
        return found
    store.refresh_standing()
    gold = store.posts_with_gold(unknown_to=plan.people)
    return [c for c in found if c.post_id in gold]


def _checks(
    store: Store, plan: RoundPlan, taken: Mapping[str, RoundPost], model_version: str | None
) -> list[RoundPost]:
    """The posts with gold that are mixed into a gold check. Raises InvalidRecord if there are not so many."""
    if plan.kind is not RoundKind.GOLD_CHECK:
        return []
    store.refresh_standing()
    gold = store.posts_with_gold(unknown_to=plan.people) - set(taken)
    if len(gold) < plan.gold_posts:
        raise InvalidRecord(
            f"Posts with gold that none of these people has read: {len(gold)}. You asked for {plan.gold_posts}."
            " Ask for fewer, or adjudicate some first."
        )
    known = store.candidates(PostsWanted(unread=False, among=sorted(gold)), model_version=model_version)
    chosen = sample(known, plan.gold_posts, seed=plan.seed)
    return [RoundPost(post_id, len(plan.people), gold=True) for post_id in chosen]


def _doubts(plan: RoundPlan, pairs: Mapping[tuple[str, str], int], drawn: Drawn) -> list[str]:
    found = []
    if plan.posts is not None and len(drawn.posts) - plan.gold_posts < plan.posts:
        found.append(f"Only {counted(drawn.fitting, 'post fits', 'posts fit')}, not {plan.posts}.")
    if not pairs and plan.kind is not RoundKind.TRAINING:
        found.append("No post is read by two people: nothing could be said about agreement.")
    if missing := sum(p.readers for p in drawn.posts) - len(drawn.given):
        found.append(
            f"{counted(missing, 'reader is', 'readers are')} missing: these people have read some of the posts already."
        )
    if plan.deadline and plan.deadline < dt.datetime.now(dt.UTC).date().isoformat():
        found.append("The deadline is in the past.")
    return found


def _strangers(store: Store, people: Sequence[str], by: Reviewer) -> list[str]:
    """Who could not sign in to read: named in an import, say, or the one who worked here before there were accounts."""
    if not store.has_accounts():
        return []
    known = {i.reviewer for i in store.identities()} | {i.reviewer for i in store.open_invitations()}
    unknown = [p for p in people if p not in known and store.password_hash(p) is None]
    names = called_before(store, by).all(unknown)
    return [f"Without an account nobody can sign in and read: {', '.join(names)}. Invite them first."] if names else []


def give_out(
    posts: Sequence[RoundPost],
    people: Sequence[str],
    readers: Mapping[str, set[str]],
    suggestions: Suggestions,
    *,
    seed: int,
    load: Mapping[str, float] | None = None,
) -> list[Assigned]:
    """Who reads which post: those with least to read, then the pairs that met least, then by lot.

    readers: who has a post already, by post id; they count among its readers and are not given it again. load: posts that people have.
    """
    draw = random.Random(f"assign:{seed}")  # noqa: S311 - no secret
    has, met = defaultdict[str, float](float, load or {}), Counter[frozenset[str]]()
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

    What has been answered, or is open on a screen now, stays with who has it. Raises NotAllowed, InvalidRecord, Conflict.
    """
    people = tuple(dict.fromkeys(people))
    with store.write():  # nobody begins a post while it is taken away
        known = open_round(store, round_id, by)
        _check_people(store, people, by, already=known.people)
        came, left = sorted(set(people) - set(known.people)), sorted(set(known.people) - set(people))
        taken = {(post_id, name) for post_id, name in untouched(store, round_id) if name not in people or came}
        given = missing_readers(store, known, people, without=taken)
        change = RoundChange(
            what="people",
            detail={"came": came, "left": left, "given": len(given), "taken": len(taken)},
            people=people,
            taken=sorted(taken),
            given=given,
        )
        return store.change_round(round_id, change, expected_revision=expected_revision, by=by.name)


def untouched(store: Store, round_id: int, *, reviewer: str | None = None) -> set[tuple[str, str]]:
    """(post id, person) of what was given in a round and is neither begun nor open on a screen: others can be given it.

    reviewer: only of this person.
    """
    kept_open = store.open_on_screens(round_id, since=reserved_since(store))
    rows = store.assigned(round_id=round_id, reviewer=reviewer)
    return {(a.post_id, a.reviewer) for a in rows if not a.decided} - kept_open


def left_behind(store: Store, known: Round) -> set[tuple[str, str]]:
    """As `untouched`, of the people who read in the round no more: what they had open when they left has come back."""
    outside = [p.reviewer for p in store.round_progress(known.id) if p.left and p.reviewer not in known.people]
    return {kept for name in outside for kept in untouched(store, known.id, reviewer=name)}


def missing_readers(
    store: Store, known: Round, people: Sequence[str], *, without: set[tuple[str, str]] | None = None
) -> list[Assigned]:
    """Who else has to read what, for the posts of a round to have the readers that they are to have.

    people: who may be given posts, as far as they can sign in. without: (post id, person) that are taken away at the same time.
    """
    taken = without or set()
    kept = [a for a in store.assigned(round_id=known.id) if (a.post_id, a.reviewer) not in taken]
    posts = store.round_posts(known.id)
    readers = {
        post_id: {name for name in names if (post_id, name) not in taken}
        for post_id, names in store.readers_of([p.post_id for p in posts]).items()
    }
    gone = Counter(a.post_id for a in kept if a.reviewer not in people)
    wanted = [RoundPost(p.post_id, max(0, p.readers - gone[p.post_id]), p.gold) for p in posts]
    resting = set(people) - can_read(store)
    load = {**Counter(a.reviewer for a in kept if a.reviewer in people), **dict.fromkeys(resting, math.inf)}
    given = give_out(wanted, people, readers, known.suggestions, seed=known.seed, load=load)
    return [a for a in given if a.reviewer not in resting]  # what nobody else can read waits for a reader


def close(store: Store, round_id: int, *, expected_revision: int, by: Reviewer, closed: bool = True) -> Round:
    """Close a round, so that its readers see one another's answers; or open it again. Raises NotAllowed, Conflict."""
    allow(by, Role.ADJUDICATOR)
    change = RoundChange(what="closed" if closed else "reopened", closed=closed)
    return store.change_round(round_id, change, expected_revision=expected_revision, by=by.name)


def progress(store: Store, round_id: int) -> list[dict[str, Any]]:
    """Per person of a round: posts given, done (every criterion decided), begun, left."""
    return [
        {"person": p.reviewer, "assigned": p.assigned, "done": p.done, "begun": p.begun, "left": p.left}
        for p in store.round_progress(round_id)
    ]


def open_round(store: Store, round_id: int, by: Reviewer) -> Round:
    """The round, to be changed. Raises NotAllowed, NotFound, and InvalidRecord if it is closed."""
    allow(by, Role.ADJUDICATOR)
    known = store.round(round_id)
    if known.closed_at is not None:
        raise InvalidRecord(f"Round {known.name} is closed. Open it again to change who reads what.")
    return known


def reserved_since(store: Store) -> str:
    """A post that somebody opened after this moment is theirs until they leave it or the time is over."""
    minutes = float(store.setting(RESERVED_SETTING) or RESERVED_MINUTES)
    return (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _checked(store: Store, plan: RoundPlan, by: Reviewer) -> dict[int, float]:
    if not 1 <= len(plan.name.strip()) <= LONGEST_NAME or not plan.name.isprintable():
        raise InvalidRecord(f"Give the round a name of at most {LONGEST_NAME} characters.")
    _check_people(store, plan.people, by)
    if plan.posts is not None and plan.posts < 1:
        raise InvalidRecord("A round has at least one post.")
    if unknown := [name for name in plan.strata if name not in STRATA]:
        raise InvalidRecord(f"A sample is stratified by {' and '.join(STRATA)}, not by {unknown[0]!r}.")
    if plan.kind is RoundKind.GOLD_CHECK and (plan.gold_posts < 1 or not plan.blind):
        raise InvalidRecord("A gold check is blind, and says how many posts with gold are mixed in.")
    if plan.kind is not RoundKind.GOLD_CHECK and plan.gold_posts:
        raise InvalidRecord("Posts with gold are mixed into a gold check only.")
    check_deadline(plan.deadline)
    overlap = dict(plan.overlap or {1: 1.0})
    if min(overlap) < 1 or max(overlap) > len(plan.people):
        raise InvalidRecord(
            f"A post cannot have {max(overlap)} readers: {counted(len(plan.people), 'person is', 'people are')} chosen."
            " Choose more people, or fewer readers."
            if max(overlap) > len(plan.people)
            else "Each post has at least one reader."
        )
    if not all(math.isfinite(share) and share >= 0 for share in overlap.values()):
        raise InvalidRecord("A share of the posts is a number from 0 to 1.")
    if not math.isclose(sum(overlap.values()), 1.0, abs_tol=1e-6):
        raise InvalidRecord("The shares of the posts have to add up to 1.")
    return overlap


def can_read(store: Store) -> set[str]:
    """Who is not disabled."""
    return {r.name for r in store.reviewers() if r.disabled_at is None}


def _check_people(store: Store, people: Sequence[str], by: Reviewer, *, already: Sequence[str] = ()) -> None:
    """Raises InvalidRecord if nobody reads, somebody twice, or somebody who is not there or cannot sign in (and is not in it already)."""
    if not people or len(set(people)) < len(people):
        raise InvalidRecord("Choose who reads in the round, each person once.")
    usable = can_read(store)
    if unknown := [p for p in people if p not in usable and p not in already]:
        raise InvalidRecord(f"There is no reviewer {called_before(store, by)(unknown[0])!r} who could read.")


def check_deadline(deadline: str | None) -> None:
    """Raises InvalidRecord if it is neither nothing nor a day."""
    try:
        if deadline:
            dt.date.fromisoformat(deadline)
    except ValueError:
        raise InvalidRecord(f"{deadline!r} is no day. Write it as 2026-12-31.") from None


def _with_readers(chosen: Sequence[str], overlap: Mapping[int, float], *, gold: bool, seed: int) -> list[RoundPost]:
    """How many people read each of the posts, which are in random order; what rounding leaves is read by the fewest."""
    counts = {readers: math.floor(share * len(chosen) + 1e-9) for readers, share in overlap.items()}
    counts[min(overlap)] += len(chosen) - sum(counts.values())
    readers = [number for number, count in counts.items() for _ in range(count)]
    random.Random(f"readers:{seed}").shuffle(readers)  # noqa: S311 - no secret
    return [RoundPost(post_id, number, gold) for post_id, number in zip(chosen, readers, strict=True)]
