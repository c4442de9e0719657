"""The n-gram table's fit: the module gives the same logits as the fit, and out-of-fold logits never saw their own voice."""

from __future__ import annotations

import numpy as np
import torch

from encoder.network.wide import HashedNgrams
from recipes.bundled_model.linear import fit_table, out_of_fold_logits

TEXTS = [
    "i cannot sleep",
    "awake all night",
    "i cannot sleep at all",
    "the dog is well",
    "lunch with the dog",
    "lunch was well",
]
LABELS = np.array([[1], [1], [1], [0], [0], [0]], np.float32)


def test_the_module_gives_the_logits_of_the_fit() -> None:
    fitted = fit_table(TEXTS, LABELS, 4096)
    table = HashedNgrams(4096, 1)
    fitted.put_into(table)
    with torch.no_grad():
        logits = table(*HashedNgrams.features(TEXTS, 4096)).numpy()
    np.testing.assert_allclose(logits, fitted.logits(TEXTS), atol=1e-4)
    assert (logits[:3] > 0).all()
    assert (logits[3:] < 0).all()


def test_out_of_fold_logits_are_worse_than_those_of_a_table_that_saw_the_texts() -> None:
    voices = ["a", "a", "b", "a", "b", "b"]
    held_out = out_of_fold_logits(TEXTS, LABELS, voices, 4096)
    seen = fit_table(TEXTS, LABELS, 4096).logits(TEXTS)
    sign = 2 * LABELS - 1
    assert (sign * held_out).sum() < (sign * seen).sum()
