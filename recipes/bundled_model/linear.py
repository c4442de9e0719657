"""Fits the n-gram table as what it is, a linear model: convex, seconds, and out-of-fold logits for the encoder to build on.

If encoder and table were trained together from the start, the table would have learned the training sentences by heart before
the encoder had learned anything. So the encoder sees, for each training sentence, the logits of a table that was fitted on other
voices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from encoder.network.wide import HashedNgrams

Floats = NDArray[np.float32]
_FOLDS = 7
_RARE = 2


@dataclass(frozen=True)
class FittedTable:
    """weights (buckets, criteria), bias (criteria,), idf (buckets,): what `HashedNgrams` holds."""

    weights: Floats
    bias: Floats
    idf: Floats

    def put_into(self, table: HashedNgrams) -> None:
        with torch.no_grad():
            table.table.weight.copy_(torch.from_numpy(self.weights))
            table.bias.copy_(torch.from_numpy(self.bias))
            table.idf.copy_(torch.from_numpy(self.idf))

    def scaled(self, factor: float) -> FittedTable:
        return FittedTable(factor * self.weights, factor * self.bias, self.idf)

    def logits(self, texts: Sequence[str]) -> Floats:
        """(texts, criteria)."""
        matrix = _matrix(texts, self.idf)
        return np.asarray(matrix @ self.weights + self.bias, np.float32)


def fit_table(texts: Sequence[str], labels: Floats, buckets: int, *, regularization: float = 10.0) -> FittedTable:
    """Logistic regression per criterion on the hashed n-grams of `texts`; labels (texts, criteria) of 0 and 1."""
    idf = inverse_frequencies(texts, buckets)
    weights, bias = _fit(_matrix(texts, idf), labels, regularization)
    return FittedTable(weights, bias, idf)


def out_of_fold_logits(
    texts: Sequence[str], labels: Floats, voices: Sequence[str], buckets: int, *, regularization: float = 10.0
) -> Floats:
    """Logits for each text from a table fitted on other voices only, (texts, criteria)."""
    matrix = _matrix(texts, inverse_frequencies(texts, buckets))
    names = sorted(set(voices))
    place = np.array([names.index(v) % _FOLDS for v in voices])
    logits = np.zeros(labels.shape, np.float32)
    for fold in range(min(_FOLDS, len(names))):
        held_out = place == fold
        weights, bias = _fit(matrix[~held_out], labels[~held_out], regularization)
        logits[held_out] = matrix[held_out] @ weights + bias
    return logits


def inverse_frequencies(texts: Sequence[str], buckets: int) -> Floats:
    """Smoothed idf per bucket, 0 where fewer than two texts use it, (buckets,)."""
    ids, offsets = HashedNgrams.features(texts, buckets)
    del offsets  # a bucket is listed at most once per text
    counts = np.bincount(ids.numpy(), minlength=buckets)
    idf = np.log((1 + len(texts)) / (1 + counts)) + 1.0
    return np.where(counts >= _RARE, idf, 0.0).astype(np.float32)


def _fit(matrix: Any, labels: Floats, regularization: float) -> tuple[Floats, Floats]:
    from sklearn.linear_model import LogisticRegression

    weights = np.zeros((matrix.shape[1], labels.shape[1]), np.float32)
    bias = np.zeros(labels.shape[1], np.float32)
    for k in range(labels.shape[1]):
        model = LogisticRegression(C=regularization, class_weight="balanced", solver="liblinear", max_iter=300)
        model.fit(matrix, labels[:, k] > 0.5)
        weights[:, k], bias[k] = model.coef_[0], model.intercept_[0]
    return weights, bias


def _matrix(texts: Sequence[str], idf: Floats) -> Any:
    """The weighted n-grams of the texts as a sparse matrix, (texts, buckets)."""
    from scipy.sparse import csr_matrix

    table = HashedNgrams(len(idf), 1)
    table.idf.copy_(torch.from_numpy(idf))
    ids, offsets = HashedNgrams.features(texts, len(idf))
    ends = np.append(offsets.numpy(), len(ids))
    return csr_matrix((table.weights(ids, offsets).numpy(), ids.numpy(), ends), shape=(len(texts), len(idf)))
