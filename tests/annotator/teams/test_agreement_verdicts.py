"""Coefficients on verdicts against published worked examples and independent libraries."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from annotator.teams.agreement import verdicts
from tests.annotator.teams.oracles import nominal_alpha

# Krippendorff 2004, Content Analysis, 11.3: four observers, twelve units, five values; 0 is a missing value
FOUR_OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
)
# the same, 11.3.1: two observers, ten units, two values
TWO_OBSERVERS = np.array([[1, 2, 1, 1, 1, 1, 1, 1, 2, 1], [2, 2, 2, 1, 1, 2, 1, 1, 1, 1]])
# Artstein and Poesio 2008, table 2: statements and requests for information
DIALOGUE_ACTS = np.array([[20.0, 20.0], [10.0, 50.0]])
# the usual textbook table of Fleiss' kappa: ten subjects, fourteen people, five categories
TEXTBOOK = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)


def counts_of(ratings: np.ndarray) -> np.ndarray:
    """Ratings 1 to k, 0 where missing, shape (people, units), as counts of shape (units, k)."""
    person, unit = np.nonzero(ratings)
    category = ratings[person, unit] - 1
    return verdicts.counts_of(unit, category, units=ratings.shape[1], categories=int(ratings.max()))


def of(coefficient: str, counts: np.ndarray) -> float:
    return float(verdicts.COEFFICIENTS[coefficient](verdicts.sums_by_unit(counts).sum(axis=0)))


def units_of(confusion: np.ndarray) -> np.ndarray:
    """Counts of shape (units, k) of two people with that confusion matrix."""
    k = len(confusion)
    rows = [np.eye(k)[i] + np.eye(k)[j] for i in range(k) for j in range(k) for _ in range(int(confusion[i, j]))]
    return np.array(rows)


@pytest.mark.parametrize(
    ("coefficient", "published"),
    [("percent", 0.818), ("fleiss_kappa", 0.761), ("gwet_ac1", 0.775), ("alpha", 0.743)],
)
def test_four_observers_with_missing_values_give_the_published_figures(coefficient: str, published: float) -> None:
    assert round(of(coefficient, counts_of(FOUR_OBSERVERS)), 3) == published


def test_krippendorffs_two_observers_give_his_alpha() -> None:
    assert round(of("alpha", counts_of(TWO_OBSERVERS)), 3) == 0.095


def test_artstein_and_poesios_example_gives_their_percent_pi_and_kappa() -> None:
    counts = units_of(DIALOGUE_ACTS)
    assert round(of("percent", counts), 3) == 0.7
    assert round(of("fleiss_kappa", counts), 3) == 0.341  # for two people, Fleiss' is Scott's pi
    assert round(float(verdicts.cohen_kappa(DIALOGUE_ACTS.ravel())), 3) == 0.348


def test_fleiss_textbook_table_gives_its_kappa() -> None:
    assert round(of("fleiss_kappa", TEXTBOOK.astype(float)), 3) == 0.210


@pytest.mark.parametrize("seed", range(20))
def test_alpha_equals_its_definition_on_random_data(seed: int) -> None:
    random = np.random.default_rng(seed)
    ratings = random.integers(1, 4, size=(int(random.integers(2, 6)), 30))
    ratings[random.random(ratings.shape) < 0.3] = 0
    by_definition = nominal_alpha([[v for v in unit if v] for unit in ratings.T.tolist()])
    assert of("alpha", counts_of(ratings)) == pytest.approx(by_definition, abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_cohens_kappa_equals_scikit_learns_on_random_data(seed: int) -> None:
    random = np.random.default_rng(seed)
    one, other = random.integers(0, 3, size=(2, 40))
    confusion = np.zeros((3, 3))
    np.add.at(confusion, (one, other), 1)
    assert float(verdicts.cohen_kappa(confusion.ravel())) == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)


def test_the_mean_of_kappas_is_weighted_by_shared_units_and_leaves_out_the_undefined() -> None:
    one = np.array([[4, 1, 0], [1, 4, 0], [0, 0, 0]])
    other = np.array([[1, 1, 0], [2, 6, 0], [0, 0, 0]])
    undefined = np.diag([9, 0, 0])
    kappas = [float(verdicts.cohen_kappa(m.ravel().astype(float))) for m in (one, other)]
    mean = float(verdicts.mean_cohen_kappa(np.concatenate([m.ravel() for m in (one, undefined, other)]).astype(float)))
    assert mean == pytest.approx((10 * kappas[0] + 10 * kappas[1]) / 20)


@pytest.mark.parametrize("coefficient", ["fleiss_kappa", "gwet_ac1", "alpha"])
def test_unanimous_answers_have_a_percent_and_no_chance_corrected_figure(coefficient: str) -> None:
    counts = np.array([[3.0], [3.0]])
    assert of("percent", counts) == 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        assert np.isnan(of(coefficient, counts))
        assert coefficient == "gwet_ac1" or np.isnan(of(coefficient, np.array([[3.0, 0.0], [3.0, 0.0]])))
