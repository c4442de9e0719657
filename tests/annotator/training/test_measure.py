"""What a new model is compared with: the model in service and the baselines."""

from __future__ import annotations

import pytest

from annotator.training.data import TrainingData
from annotator.training.measure import baseline_predictions, refit_thresholds
from encoder.examples import Example, Label
from encoder.predict import Predictor
from encoder.simple.learner import SimpleLearner
from storage.records import Criterion, Verdict
from tests.encoder.tiny import CRITERIA, tiny_encoder
from tests.encoder.training_data import SLEEP, Stop, examples

NIGHTS = Criterion("NIGHTS", "Nights", "The writer lies awake at night.")
NOTHING = Label(Verdict.NO_EVIDENCE)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """The dev posts say mostly no where the train posts say yes."""
    dev = [
        Example(e.post, {"NIGHTS": NOTHING if n % 2 else e.labels["NIGHTS"], SLEEP: NOTHING})
        for n, e in enumerate(examples("dev", 20, criterion="NIGHTS"))
    ]
    train = tuple(examples("new", 20, criterion="NIGHTS"))
    return TrainingData((*CRITERIA, NIGHTS), train, tuple(dev), (), (), (), (), "")


def test_what_was_learned_beside_an_encoder_is_compared_as_it_is_and_so_ties_with_itself(data: TrainingData) -> None:
    predictor = Predictor(tiny_encoder(), "v1", SimpleLearner.fit(data.train, [NIGHTS]))
    posts = [e.post for e in data.dev]
    before = predictor.predict(posts, [NIGHTS])
    assert any(p.spans for p in before)

    refit_thresholds(predictor, data)

    assert predictor.predict(posts, [NIGHTS]) == before


def test_a_cancel_is_noticed_between_the_criteria_that_the_simple_learner_fits(data: TrainingData) -> None:
    heard: list[float] = []

    def report(done: float) -> None:
        heard.append(done)
        if done >= 0.5:
            raise Stop

    with pytest.raises(Stop):
        baseline_predictions(data, [], report)
    assert heard == [0.0, 0.0, 0.25, 0.5]
