from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from encoder.simple.logistic import fit_around, fit_binary, fit_tags, log_loss, log_softmax


def a_table(rows: int = 80, columns: int = 12, seed: int = 0) -> sparse.csr_matrix:
    return sparse.random(rows, columns, density=0.4, random_state=seed, format="csr")


def test_the_weights_are_those_that_scikit_learn_finds() -> None:
    table = a_table()
    gold = np.asarray(table.sum(axis=1)).ravel() > 2.0
    ours = fit_binary(table, gold, strength=2.0)
    theirs = LogisticRegression(C=2.0, tol=1e-8, max_iter=1000).fit(table, gold)
    assert ours.logits(table)[:, 0] == pytest.approx(theirs.decision_function(table), abs=0.02)


def test_tags_are_those_that_scikit_learn_finds() -> None:
    table = a_table()
    tags = np.asarray(table.argmax(axis=1)).ravel() % 3
    ours = log_softmax(fit_tags(table, tags, 3, strength=2.0).logits(table))
    theirs = LogisticRegression(C=2.0, tol=1e-8, max_iter=1000).fit(table, tags).predict_log_proba(table)
    assert ours == pytest.approx(theirs, abs=0.03)


def test_a_fit_that_runs_out_of_time_goes_on_where_it_stopped() -> None:
    table = a_table(2000, 200)
    gold = np.asarray(table.sum(axis=1)).ravel() > np.median(np.asarray(table.sum(axis=1)))
    began = time.thread_time()
    whole = fit_binary(table, gold, strength=5.0)
    seconds = time.thread_time() - began  # of this machine
    found = fit_binary(table, gold, strength=5.0, seconds=0.0)
    assert not found.converged
    for _ in range(200):
        found = fit_binary(table, gold, strength=5.0, start=found, seconds=seconds / 3)
        if found.converged:
            break
    assert log_loss(found.logits(table)[:, 0], gold) == pytest.approx(
        log_loss(whole.logits(table)[:, 0], gold), rel=0.2
    )


def test_few_answers_leave_the_weights_near_what_they_are_pulled_to() -> None:
    around = np.array([1.0, 0.0, 0.0])
    table, gold = np.array([[2.0, 0.1], [-2.0, -0.1]]), np.array([True, False])
    few = fit_around(table, gold, around=around, strength=0.01)
    assert few == pytest.approx(around, abs=0.02)
    many = fit_around(np.tile(table[:, ::-1], (500, 1)), np.tile(gold, 500), around=around, strength=0.01)
    assert many[1] > 1.0


def test_what_speaks_for_evidence_never_speaks_against_it() -> None:
    table = np.array([[3.0], [2.0], [-2.0], [-3.0]])
    found = fit_around(table, np.array([False, False, True, True]), around=np.array([0.5, 0.0]), strength=10.0)
    assert found[0] == 0.0
