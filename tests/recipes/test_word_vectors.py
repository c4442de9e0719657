"""How the vectors of words that come with the program are made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoder.network.bases import GEMMA_TERMS, NOTICE_FILE
from encoder.network.checkpoints import LoadOptions, load_encoder
from encoder.network.hub import BUNDLED_DIRECTORY
from encoder.simple import vectors
from recipes.bundled_model.word_vectors import frequent_words, reduced, states_of, whole_words, write


def test_words_come_from_running_text_and_from_the_vocabulary() -> None:
    assert frequent_words(["a dog, a dog", "a Dog dog ,"]) == ["a", "dog"]
    assert whole_words({"▁dog": 3, "og": 1, "▁": 0, ".": 2, "▁no▁w": 4, "▁don't": 5}) == [".", "dog", "don't"]


def test_a_word_is_read_the_same_whatever_is_read_with_it() -> None:
    encoder = load_encoder(BUNDLED_DIRECTORY, LoadOptions("cpu", "float32"))
    words = ["dog", "extraordinarily", "no", "gloomy"]
    found = states_of(encoder, words)
    assert found.shape == (4, encoder.hidden_size)
    np.testing.assert_allclose(states_of(encoder, words[::-1])[::-1], found, atol=1e-4)
    assert np.linalg.norm(found[0] - found[2]) > 1e-2


def test_what_is_written_is_read_back_with_its_terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = reduced(np.random.default_rng(0).normal(size=(400, 30)) * np.arange(1, 31), 8)
    share = 1 / np.arange(3, 403)
    share /= share.sum()
    np.testing.assert_allclose(share @ table, 0, atol=1e-9)
    np.testing.assert_allclose(share @ table**2, 1, atol=1e-6)
    write(tmp_path, [f"w{n}" for n in range(400)], table)
    monkeypatch.setattr(vectors, "DIRECTORY", tmp_path)
    read = vectors.word_vectors.__wrapped__()
    assert read.rows(["w0", "W399", "w400"]).tolist() == [0, 399, -1]
    np.testing.assert_allclose(read.table * 8**0.5, np.clip(table, -4, 4), atol=0.02)
    assert GEMMA_TERMS.removeprefix("https://") in (tmp_path / NOTICE_FILE).read_text("utf-8")
