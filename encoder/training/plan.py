"""Which posts make up which step: decided before the first step, from the seed alone. No torch.

A run that is resumed, repeated or spread over several processes reads the same posts in the same steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from encoder.config import TrainConfig

_BUCKETED_STEPS = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole run: `steps[s]` are the indices of the examples of step s, for all processes and micro-batches together.

    Indices below `new` are new examples, those from there to `size` replayed ones.
    """

    steps: tuple[tuple[int, ...], ...]
    new: int
    size: int

    def micro_batch(self, step: int, micro: int, *, process: int, processes: int, size: int) -> tuple[int, ...]:
        """The part of a step that one process reads at once."""
        first = (micro * processes + process) * size
        return self.steps[step][first : first + size]


def count_steps(new: int, replayed: int, config: TrainConfig, *, processes: int = 1) -> int:
    """Optimizer steps for so many new examples, with `replayed` old ones to mix in."""
    per_step = config.batch_size * config.accumulation * processes
    share = replayed_share(replayed, config)
    return config.max_steps or max(1, math.ceil(config.epochs * new / (per_step * (1 - share))))


def replayed_share(replayed: int, config: TrainConfig) -> float:
    """The share of replayed examples in each step, from 0 to 1; 0 without any to replay."""
    return config.replay_ratio / (1 + config.replay_ratio) if replayed else 0.0


def plan_steps(lengths: Sequence[int], new: int, config: TrainConfig, *, processes: int = 1) -> Plan:
    """The plan for `new` examples followed by replayed ones; `lengths` are their sizes in characters or tokens.

    Replayed examples are mixed in evenly. Posts of similar length share a step and lie side by side in it, so that little is
    computed on padding; the order of the steps stays random.
    """
    replayed = len(lengths) - new
    share = replayed_share(replayed, config)
    per_step = config.batch_size * config.accumulation * processes
    steps = count_steps(new, replayed, config, processes=processes)
    rng = np.random.default_rng([config.seed, 1])
    stream = _mixed(rng, new, replayed, share, steps * per_step)
    found: list[tuple[int, ...]] = []
    for first in range(0, steps, _BUCKETED_STEPS):
        count = min(_BUCKETED_STEPS, steps - first)
        window = [stream[(first + s) * per_step : (first + s + 1) * per_step] for s in range(count)]
        bucketed = _bucketed(window, lengths, new)
        found.extend(bucketed[s] for s in rng.permutation(count))
    return Plan(tuple(found), new, len(lengths))


def _bucketed(window: Sequence[Sequence[int]], lengths: Sequence[int], new: int) -> list[tuple[int, ...]]:
    """The same examples dealt out again by length, each step with as many new and replayed ones as before, shortest first."""
    by_length = sorted((index for step in window for index in step), key=lambda index: lengths[index])
    fresh = iter([index for index in by_length if index < new])
    old = iter([index for index in by_length if index >= new])
    dealt = [[next(fresh) if index < new else next(old) for index in step] for step in window]
    return [tuple(sorted(step, key=lambda index: lengths[index])) for step in dealt]


def _mixed(rng: np.random.Generator, new: int, replayed: int, share: float, length: int) -> list[int]:
    """A stream of indices in which every `1 / share`-th is a replayed one; each kind is shuffled anew when it runs out."""
    fresh, old = _Deck(rng, new, 0), _Deck(rng, replayed, new)
    return [
        old.draw() if math.floor((k + 1) * share + 1e-9) > math.floor(k * share + 1e-9) else fresh.draw()
        for k in range(length)
    ]


class _Deck:
    """Draws every index once before any comes twice."""

    def __init__(self, rng: np.random.Generator, size: int, first: int) -> None:
        self._rng, self._size, self._first = rng, size, first
        self._left: list[int] = []

    def draw(self) -> int:
        if not self._left:
            self._left = [self._first + int(i) for i in self._rng.permutation(self._size)]
        return self._left.pop()
