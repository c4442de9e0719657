"""Which posts a round is made of: drawn by strata, put in order. The same seed draws the same posts."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from storage.team_records import Candidate

LIKELY = 0.5  # the model's best span score from which it expects evidence


class PostOrder(StrEnum):
    """In which order the posts of a round are read. What the model has not read comes last in the orders that ask it."""

    LOT = "lot"
    UNCERTAIN = "uncertain"
    EVIDENCE = "evidence"
    CAME = "came"


class Expectation(StrEnum):
    """What the model expects of a post."""

    LIKELY = "likely"
    UNLIKELY = "unlikely"
    UNREAD = "unread"


def expectation(candidate: Candidate) -> Expectation:
    if candidate.evidence is None:
        return Expectation.UNREAD
    return Expectation.LIKELY if candidate.evidence >= LIKELY else Expectation.UNLIKELY


STRATA: Mapping[str, Callable[[Candidate], str]] = {
    "source": lambda candidate: candidate.source or "",
    "expectation": expectation,
}
"""By what a sample can be stratified."""


def sample(
    candidates: Sequence[Candidate], count: int | None, *, seed: int, strata: Sequence[str] = tuple(STRATA)
) -> list[str]:
    """`count` post ids in random order, each stratum by its share; without a count all of them."""
    draw = random.Random(seed)  # noqa: S311 - no secret: the same seed makes the same round
    groups: dict[tuple[str, ...], list[str]] = {}
    for candidate in candidates:
        groups.setdefault(tuple(STRATA[name](candidate) for name in strata), []).append(candidate.post_id)
    wanted = len(candidates) if count is None else min(count, len(candidates))
    exact = {key: wanted * len(ids) / max(len(candidates), 1) for key, ids in groups.items()}
    taken = {key: math.floor(share) for key, share in exact.items()}
    for key in sorted(exact, key=lambda k: (taken[k] - exact[k], k))[: wanted - sum(taken.values())]:
        taken[key] += 1
    chosen = [post_id for key in sorted(groups) for post_id in draw.sample(sorted(groups[key]), taken[key])]
    draw.shuffle(chosen)
    return chosen


def in_order(chosen: Sequence[str], candidates: Sequence[Candidate], order: PostOrder) -> list[str]:
    """The posts, which are in random order, in the order in which they are to be read."""
    if order is PostOrder.LOT:
        return list(chosen)
    known = {candidate.post_id: candidate for candidate in candidates}
    return sorted(chosen, key=lambda post_id: _rank(known[post_id], order))


def mixed_in(posts: Sequence[Any], more: Sequence[Any], *, seed: int) -> list[Any]:
    """All of `posts` in their order, with `more` at random places between them."""
    draw = random.Random(f"mixed:{seed}")  # noqa: S311 - no secret
    places = set(draw.sample(range(len(posts) + len(more)), len(more)))
    first, second = iter(posts), iter(more)
    return [next(second if place in places else first) for place in range(len(posts) + len(more))]


def _rank(candidate: Candidate, order: PostOrder) -> float:
    if order is PostOrder.CAME:
        return candidate.came
    score = candidate.uncertainty if order is PostOrder.UNCERTAIN else candidate.evidence
    return math.inf if score is None else -score
