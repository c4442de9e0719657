"""Sparse rows of features, and several posts' rows as one matrix. Ids below BUCKETS are hashed n-grams, those above words with a vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

BUCKETS = 1 << 20
"""Hash buckets of the sentence features and of the word features, each."""

Ids = npt.NDArray[np.int32]
Values = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rows:
    """Sparse rows: row i has `ids[starts[i]:starts[i + 1]]` with `values` at the same places."""

    starts: npt.NDArray[np.int64]
    ids: Ids
    values: Values

    def __len__(self) -> int:
        return len(self.starts) - 1

    def beside(self, other: Rows) -> Rows:
        """Each row with what the same row of the other holds after it."""
        own, others = np.diff(self.starts), np.diff(other.starts)
        starts = self.starts + other.starts
        at = np.arange(len(self.ids)) + np.repeat(other.starts[:-1], own)
        other_at = np.arange(len(other.ids)) + np.repeat(self.starts[1:], others)
        ids, values = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
        ids[at], ids[other_at] = self.ids, other.ids
        values[at], values[other_at] = self.values, other.values
        return Rows(starts, ids, values)


def stack_rows(parts: Sequence[Rows], columns: Ids) -> sparse.csr_matrix:
    """The rows of several posts as one matrix (rows, columns); columns: the sorted ids to keep."""
    ids = np.concatenate([p.ids for p in parts]) if parts else np.empty(0, np.int32)
    values = np.concatenate([p.values for p in parts]) if parts else np.empty(0, np.float32)
    lengths = np.concatenate([np.diff(p.starts) for p in parts]) if parts else np.empty(0, np.int64)
    place = np.searchsorted(columns, ids)
    place[place == len(columns)] = 0
    known = columns[place] == ids if len(columns) else np.zeros(len(ids), np.bool_)
    row = np.repeat(np.arange(len(lengths)), lengths)[known]
    starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(lengths)))])
    return sparse.csr_matrix(
        (values[known].astype(np.float64), place[known], starts), shape=(len(lengths), len(columns))
    )


def used_ids(parts: Sequence[Rows]) -> tuple[Ids, npt.NDArray[np.int64]]:
    """The ids that occur, sorted, and in how many rows each does."""
    if not parts:
        return np.empty(0, np.int32), np.empty(0, np.int64)
    ids, counts = np.unique(np.concatenate([p.ids for p in parts]), return_counts=True)
    return ids.astype(np.int32), counts


def used_columns(parts: Sequence[Rows], *, least: int = 1) -> Ids:
    """The buckets of n-grams that occur in at least `least` rows, sorted."""
    ids, counts = used_ids(parts)
    return ids[(counts >= least) & (ids < BUCKETS)]
