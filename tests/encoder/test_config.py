"""The two configs: what they accept, and that they come back from JSON as they were."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from encoder.config import CONFIG_FILE, EncoderConfig, InvalidConfig, TrainConfig
from encoder.errors import ModelUnusable


def test_the_encoder_config_comes_back_from_its_file(tmp_path: Path) -> None:
    config = EncoderConfig(
        scoring="packed", known_criteria=("SLEEP", "MOOD"), thresholds={"SLEEP": 0.3}, temperature=1.5, wide_buckets=64
    )
    config.save(tmp_path)
    assert EncoderConfig.load(tmp_path) == config


def test_the_train_config_comes_back_from_json() -> None:
    config = TrainConfig(method="lora", max_steps=20, report_to=("tensorboard",))
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_the_defaults_are_valid_and_frozen() -> None:
    EncoderConfig().validate()
    TrainConfig().validate()
    with pytest.raises(FrozenInstanceError):
        EncoderConfig().temperature = 2.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scoring": "one-pass"}, "scoring is 'one-pass'"),
        ({"pooling": "cls"}, "pooling is 'cls'"),
        ({"window_tokens": 4}, "window_tokens is 4"),
        ({"window_tokens": 64, "stride_tokens": 40}, "more than half"),
        ({"temperature": 0.0}, "temperature 0.0"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"thresholds": {"SLEEP": 1.5}}, "threshold of SLEEP"),
        ({"wide_buckets": 64}, "needs known_criteria"),
        ({"known_criteria": ("A", "A")}, "twice"),
        ({"prompt_tokens": ("[A]",)}, "6 different tokens"),
    ],
)
def test_an_impossible_encoder_is_refused_with_the_setting_that_is_wrong(change: dict, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words.replace("[", r"\[")):
        EncoderConfig().changed(**change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": "adapter"}, "method is 'adapter'"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"learning_rate": -1.0}, "learning_rate -1.0"),
        ({"hidden_dropout": 1.0}, "hidden_dropout is 1.0"),
        ({"report_to": ("email",)}, "report_to is 'email'"),
    ],
)
def test_an_impossible_training_is_refused_with_the_setting_that_is_wrong(change: dict, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words):
        TrainConfig().changed(**change)


def test_a_setting_that_does_not_exist_is_named() -> None:
    with pytest.raises(InvalidConfig, match="no setting window_size"):
        EncoderConfig.from_dict({"window_size": 3})


@pytest.mark.parametrize(
    "text", ["not json", "[]", '{"scoring": "none"}', '{"window_tokens": "many"}', '{"thresholds": 3}']
)
def test_a_damaged_config_file_makes_the_model_unusable(tmp_path: Path, text: str) -> None:
    (tmp_path / CONFIG_FILE).write_text(text)
    with pytest.raises(ModelUnusable, match=CONFIG_FILE):
        EncoderConfig.load(tmp_path)


def test_a_criterion_has_its_own_threshold_or_the_default() -> None:
    config = EncoderConfig(thresholds={"SLEEP": 0.2}, default_threshold=0.6)
    assert (config.threshold("SLEEP"), config.threshold("MOOD")) == (0.2, 0.6)
    assert config.knows("ANYTHING")
    assert not config.changed(known_criteria=("SLEEP",)).knows("MOOD")
