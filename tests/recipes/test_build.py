"""The build script on a handful of the corpus: its tokenizer, its stages, and a directory that serves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from encoder.bundled import corpus
from encoder.predict import Predictor
from recipes.bundled_model import build
from recipes.bundled_model.tokenizer import train_tokenizer
from recipes.bundled_model.warmup import ReadTexts
from storage.records import Post

TEXTS = [item.text for item in corpus.read_items()[:400]]


def test_tokens_of_any_text_lie_on_its_characters() -> None:
    tokenizer = train_tokenizer(TEXTS, 900)
    text = "I’m SOOO tired\n\nof 2 a.m. 😀 café “ok” <0x41> don't"
    encoded = tokenizer.encode(text)
    covered = {i for start, end in zip(encoded.map.starts, encoded.map.ends, strict=True) for i in range(start, end)}
    assert covered == {i for i, ch in enumerate(text) if not ch.isspace()}
    assert tokenizer.id_of("<0x41>") not in encoded.ids


def test_a_word_is_the_same_token_wherever_it_stands() -> None:
    tokenizer = train_tokenizer(TEXTS, 900)
    (alone,) = tokenizer.ids("the")
    assert tokenizer.ids("Of the\nThe") == [*tokenizer.ids("of"), alone, alone]


def test_each_token_knows_its_word() -> None:
    tokenizer = train_tokenizer(TEXTS, 900)
    read = ReadTexts.of(["the unbelievable dog"], tokenizer)
    assert read.words[0][0] == 0
    assert read.words[0][-1] == 2
    assert sorted(set(read.words[0].tolist())) == [0, 1, 2]


def test_the_wordings_begin_with_one_text_per_criterion() -> None:
    wordings = build.read_wordings()
    assert len(wordings) >= 3
    assert all([c.id for c in wording] == list(corpus.CRITERIA) for wording in wordings)


@pytest.mark.slow
def test_the_script_makes_a_model_directory_that_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [item for number, item in enumerate(corpus.read_items()) if number % 50 == 0]
    posts = corpus.read_posts()[::40]
    monkeypatch.setattr(corpus, "read_items", lambda: few)
    monkeypatch.setattr(corpus, "read_posts", lambda: posts)
    (tmp_path / "general.txt").write_text("\n".join(TEXTS[:100]), encoding="utf-8")
    options = build.read_options(
        ["--general-text", str(tmp_path / "general.txt"), "--teacher", "none", "--warmup-steps", "3", "--steps", "3"]
    )
    options.shape = build.Shape(vocabulary=700, hidden=32, layers=1, heads=2, feed_forward=32)
    options.output = tmp_path / "model"
    torch.manual_seed(0)
    build.save(build.build(options), options.output)
    predictor = Predictor.load(options.output)
    criteria = build.read_wordings()[0]
    predictions = predictor.predict(
        [Post("p", "I was awake at three again. The dog is well.")], criteria, threshold=0.0
    )
    assert predictor.known_criteria == frozenset(corpus.CRITERIA)
    assert [len(p.spans) for p in predictions] == [2] * 9
    card = (options.output / "README.md").read_text(encoding="utf-8")
    assert "1 layers of width 32" in card
    assert "Not measured yet" in card
