"""Distilling the small model anew: what the teacher has read is kept, and the terms go with the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoder.bundled import corpus
from encoder.config import EncoderConfig
from encoder.network import checkpoints
from encoder.network.bases import GEMMA_TERMS, NOTICE_FILE
from encoder.network.hub import BUNDLED_DIRECTORY
from encoder.predict import Predictor
from recipes.bundled_model import build, from_gemma, gemma_view
from storage.records import Post

CRITERIA = build.read_wordings()[0]
TEXTS = [
    "I have not slept for weeks.",
    "The bus was late again.",
    "I have not slept for weeks.",
    "Food tastes of nothing",
]


@pytest.fixture
def small_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled model in the place of the one on real Gemma."""
    monkeypatch.setattr(gemma_view, "GEMMA_DIRECTORY", BUNDLED_DIRECTORY)
    monkeypatch.setattr(from_gemma, "GEMMA_DIRECTORY", BUNDLED_DIRECTORY)


@pytest.mark.usefixtures("small_teacher")
def test_what_the_teacher_has_read_is_its_own_answer_and_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    gemma_view.GemmaView(tmp_path).read(TEXTS, CRITERIA, dtype="float32", say=said.append)
    assert said[-1].startswith("Gemma: 3 of 3 texts")
    monkeypatch.setattr(checkpoints, "load_encoder", pytest.fail)
    again = gemma_view.GemmaView(tmp_path)
    again.read(TEXTS, CRITERIA, dtype="float32", say=said.append)
    assert again.known(["unread", *TEXTS]) == TEXTS
    vectors, logits = again.of(TEXTS)
    predictor = Predictor.load(BUNDLED_DIRECTORY)
    scored = list(predictor.iter_scores([Post(str(n), text) for n, text in enumerate(TEXTS)], CRITERIA))
    wanted = np.stack([scores.sentences.max(0) for scores in scored]) / predictor.config.temperature
    np.testing.assert_allclose(logits, wanted, atol=2e-3)
    assert vectors.shape == (4, predictor.encoder.hidden_size)
    np.testing.assert_array_equal(vectors[0], vectors[2])


@pytest.mark.slow
@pytest.mark.usefixtures("small_teacher")
def test_a_run_leaves_a_model_that_serves_and_carries_the_terms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = [item for number, item in enumerate(corpus.read_items()) if number % 60 == 0]
    posts = corpus.read_posts()[::60]
    monkeypatch.setattr(corpus, "read_items", lambda: few)
    monkeypatch.setattr(corpus, "read_posts", lambda: posts)
    (tmp_path / "general.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    arguments = ["--work", str(tmp_path / "work"), "--output", str(tmp_path / "model")]
    arguments += [
        "--general-text",
        str(tmp_path / "general.txt"),
        "--texts",
        "40",
        "--warmup-steps",
        "3",
        "--steps",
        "3",
    ]
    from_gemma.main(arguments)
    assert "warm-up: step 3 of 3" in capsys.readouterr().out
    predictor = Predictor.load(tmp_path / "model")
    assert len(predictor.predict([Post("p", TEXTS[0])], CRITERIA)) == len(CRITERIA)
    assert predictor.config.distilled_from == EncoderConfig.load(BUNDLED_DIRECTORY).version
    assert GEMMA_TERMS.removeprefix("https://") in (tmp_path / "model" / NOTICE_FILE).read_text(encoding="utf-8")
    assert "license: gemma" in (card := (tmp_path / "model" / "README.md").read_text(encoding="utf-8"))
    assert GEMMA_TERMS in card
