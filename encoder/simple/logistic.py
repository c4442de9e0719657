"""Regularized logistic regression, binary and over tags, fitted exactly: convex, so the same data give the same weights.

Unlike scikit-learn's, it starts from given weights, takes an offset (what another model says already) and stops at a limit of
CPU time with the best weights so far, so that a fit can go on at the next decision.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit

from encoder.measure.metrics import Bools, Floats, Ints
from encoder.simple.vectors import WithVectors

TOLERANCE = 1e-4
MOST_ITERATIONS = 60


Table: TypeAlias = sparse.csr_matrix | npt.NDArray[Any] | WithVectors
"""Rows of features, sparse, dense or both."""


class _OutOfTime(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Linear:
    """weights: (columns, outputs); bias: (outputs,). converged is False where the time was too short."""

    weights: Floats
    bias: Floats
    converged: bool = True

    def logits(self, table: Table) -> Floats:
        """(rows, columns) -> (rows, outputs)."""
        found: Floats = np.asarray(table @ self.weights) + self.bias
        return found


def fit_binary(
    table: Table,
    gold: Bools,
    *,
    strength: float,
    start: Linear | None = None,
    seconds: float | None = None,
) -> Linear:
    """Weights of one yes-or-no question.

    table: (rows, columns), whose products are computed in its own number type; gold: (rows,). strength: how much the data count
    against the prior that all weights are 0 (scikit-learn's C). start: weights to begin with. seconds: CPU time after which the
    best so far is returned.
    """
    sign = np.where(gold, 1.0, -1.0)
    transposed, kind = _transposed(table), table.dtype

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights, bias = flat[:-1].astype(kind, copy=False), flat[-1]
        margin = sign * (table @ weights + bias)
        slope = -sign * expit(-margin)
        value = np.logaddexp(0.0, -margin).sum() + 0.5 / strength * weights @ weights
        return float(value), np.append(transposed @ slope.astype(kind, copy=False) + weights / strength, slope.sum())

    first = np.append(start.weights[:, 0], start.bias[0]) if start else np.zeros(table.shape[1] + 1)
    flat, converged = _minimize(loss, first, seconds)
    return Linear(flat[:-1, None], flat[-1:], converged)


def fit_tags(
    table: Table,
    tags: Ints,
    count: int,
    *,
    strength: float,
    start: Linear | None = None,
    seconds: float | None = None,
) -> Linear:
    """Weights of a choice among `count` tags, tags (rows,) in [0, count); else as `fit_binary`."""
    rows, columns = table.shape
    hot = np.zeros((rows, count))
    hot[np.arange(rows), tags] = 1.0
    transposed, kind = _transposed(table), table.dtype

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights, bias = flat[:-count].reshape(columns, count).astype(kind, copy=False), flat[-count:]
        chances = log_softmax(table @ weights + bias)
        slope = np.exp(chances) - hot
        value = -(chances * hot).sum() + 0.5 / strength * float((weights * weights).sum())
        return float(value), np.concatenate(
            [(transposed @ slope.astype(kind, copy=False) + weights / strength).ravel(), slope.sum(0)]
        )

    first = (
        np.concatenate([start.weights.ravel(), start.bias]) if start is not None else np.zeros((columns + 1) * count)
    )
    flat, converged = _minimize(loss, first, seconds)
    return Linear(flat[:-count].reshape(columns, count), flat[-count:], converged)


def fit_around(table: Floats, gold: Bools, *, around: Floats, strength: float) -> Floats:
    """Weights of a few dense columns, pulled towards `around` instead of 0, the last of them the bias: (columns + 1,).

    All but the bias are 0 or more: more of what speaks for evidence never speaks against it.

    table: (rows, columns); gold: (rows,).
    """
    sign = np.where(gold, 1.0, -1.0)
    whole = np.column_stack([table, np.ones(len(table))])

    def loss(weights: Floats) -> tuple[float, Floats]:
        margin = sign * (whole @ weights)
        away = weights - around
        slope = -sign * expit(-margin)
        return float(np.logaddexp(0.0, -margin).sum() + 0.5 / strength * away @ away), whole.T @ slope + away / strength

    bounds = [(0.0, None)] * table.shape[1] + [(None, None)]
    found: Floats = minimize(loss, around.astype(np.float64), jac=True, method="L-BFGS-B", bounds=bounds).x
    return found


def fit_tags_around(parts: Sequence[Floats], tags: Ints, *, around: Floats, strength: float) -> Floats:
    """Weights of a few answers about tags, (parts,), none below 0, pulled towards `around`.

    parts: log probabilities, (rows, tags) each; tags: (rows,).
    """
    rows = np.arange(len(tags))

    def loss(weights: Floats) -> tuple[float, Floats]:
        chances = log_softmax(sum(w * part for w, part in zip(weights, parts, strict=True)))
        away = weights - around
        expected = np.exp(chances)
        slope = [float((expected * part).sum() - part[rows, tags].sum()) for part in parts]
        return float(-chances[rows, tags].sum() + 0.5 / strength * away @ away), np.array(slope) + away / strength

    found: Floats = minimize(
        loss, around.astype(np.float64), jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(parts)
    ).x
    return found


def tag_loss(chances: Floats, tags: Ints) -> float:
    """Mean nats per tag of log probabilities (rows, tags)."""
    return float(-chances[np.arange(len(tags)), tags].mean()) if len(tags) else 0.0


def log_loss(logits: Floats, gold: Bools) -> float:
    """Mean nats per answer; 0 without any."""
    if not len(gold):
        return 0.0
    return float(np.logaddexp(0.0, np.where(gold, -1.0, 1.0) * logits).mean())


def log_softmax(logits: Floats) -> Floats:
    """(rows, tags) -> log probabilities of the same shape."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found


def _transposed(table: Table) -> Any:
    if isinstance(table, WithVectors):
        return table.transposed()
    return table.T if isinstance(table, np.ndarray) else table.T.tocsr()


def _minimize(loss: Any, first: Floats, seconds: float | None) -> tuple[Floats, bool]:
    """The minimum by L-BFGS, and whether it was reached in time."""
    end = None if seconds is None else time.thread_time() + seconds
    best: list[Any] = [np.inf, first]

    def timed(flat: Floats) -> tuple[float, Floats]:
        value, slope = loss(flat)
        if value < best[0]:
            best[:] = [value, flat.copy()]
        if end is not None and time.thread_time() > end:
            raise _OutOfTime
        return value, slope

    try:
        found = minimize(
            timed, first, jac=True, method="L-BFGS-B",
            options={"maxiter": MOST_ITERATIONS, "ftol": 1e-5, "gtol": TOLERANCE, "maxcor": 6},
        )  # fmt: skip
    except _OutOfTime:
        return best[1], False
    return found.x, True
