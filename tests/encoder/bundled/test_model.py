"""The bundled model as it ships: small, quick to load, with a card, and right about a few sentences nobody could miss."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from encoder.bundled.corpus import CRITERIA
from encoder.network.hub import BUNDLED_DIRECTORY
from encoder.predict import Predictor
from recipes.bundled_model.build import read_wordings
from recipes.bundled_model.card import write_card
from storage.records import Criterion, Post

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load("bundled")


def test_its_files_are_at_most_thirty_megabytes() -> None:
    assert sum(path.stat().st_size for path in BUNDLED_DIRECTORY.iterdir()) <= 30 * MEGABYTE


def test_its_card_says_what_it_is_made_of_and_what_it_must_not_be_used_for() -> None:
    card = (BUNDLED_DIRECTORY / "README.md").read_text("utf-8")
    assert card.startswith("---\n")
    for words in ("synthetic", "no highlight never means no risk", "not a medical device", "random weights", "MiniLM"):
        assert words.lower() in card.lower(), words


def test_its_card_holds_its_own_figures(tmp_path: Path) -> None:
    for name in ("config.json", "evidence_config.json", "metrics.json", "run.json"):
        shutil.copy(BUNDLED_DIRECTORY / name, tmp_path)
    for weights in BUNDLED_DIRECTORY.glob("*.safetensors"):
        (tmp_path / weights.name).symlink_to(weights)
    write_card(tmp_path)
    assert (tmp_path / "README.md").read_text("utf-8") == (BUNDLED_DIRECTORY / "README.md").read_text("utf-8")


def test_its_figures_stand_beside_those_of_both_baselines() -> None:
    metrics = json.loads((BUNDLED_DIRECTORY / "metrics.json").read_text("utf-8"))
    assert set(metrics["test"]["criteria"]) == set(CRITERIA)
    assert set(metrics["beside"]) == {"tfidf", "keywords"}
    own = metrics["test"]["micro"]["f1"]
    assert all(own > metrics["beside"][name]["test"]["micro"]["f1"] for name in metrics["beside"])


@pytest.mark.parametrize(
    ("criterion", "sentence"),
    [
        ("SLEEP_ISSUES", "I have been awake since three every night this week."),
        ("SUICIDAL_THOUGHTS", "I keep thinking that I would rather be dead."),
        ("FATIGUE", "I am so tired that even a shower is too much."),
        ("WORTHLESSNESS", "I am a burden to everyone and I hate myself."),
    ],
)
def test_it_highlights_the_sentence_that_says_it(predictor: Predictor, criterion: str, sentence: str) -> None:
    text = f"We moved here in May. {sentence} The neighbors are friendly."
    criteria = {c.id: c for c in read_wordings()[0]}
    (found,) = predictor.predict([Post("p", text)], [criteria[criterion]])
    assert [span.quote(text) for span in found.spans] == [sentence]


def test_a_criterion_it_never_saw_is_unknown_rather_than_guessed(predictor: Predictor) -> None:
    (found,) = predictor.predict(
        [Post("p", "I wash my hands fifty times.")], [Criterion("OCD", "Rituals", "Washes hands.")]
    )
    assert not found.known
    assert found.spans == ()
