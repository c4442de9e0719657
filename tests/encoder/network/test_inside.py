"""The maps show what the mask does: nothing from later words as a decoder, something as an encoder; and text stays text."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from annotator.cli import main
from encoder.errors import ModelUnusable
from encoder.network.checkpoints import load_encoder, save_encoder
from encoder.network.inside import ahead, look_inside
from encoder.network.pictures import page, pictures_of
from encoder.predict import Predictor
from storage.records import Post
from tests.encoder.tiny import CRITERIA, TEXTS, save_checkpoint, tiny_config, tiny_encoder

TEXT = "I cannot sleep. <b>So</b> tired & sad"


def test_later_words_count_only_after_the_conversion() -> None:
    found = look_inside(tiny_encoder(), TEXT, layer=1, head=1)
    assert len(found.tokens) == len(found.attention_after) == len(found.influence_after)
    assert ahead(found.attention_before) == ahead(found.influence_before) == 0.0
    assert ahead(found.attention_after) > 0.1
    assert ahead(found.influence_after) > 0.01
    np.testing.assert_allclose(found.attention_after.sum(1), 1.0, atol=1e-5)
    assert "".join(found.tokens[1:]) == TEXT


def test_looking_leaves_the_model_as_it_serves() -> None:
    predictor = Predictor(tiny_encoder(), "m")
    posts = [Post("a", " ".join(TEXTS))]
    before = predictor.predict(posts, CRITERIA)
    predictor.look_inside(TEXT)
    assert predictor.predict(posts, CRITERIA) == before
    assert predictor.encoder.attention == "sdpa"


def test_a_long_text_is_cut_and_said_so() -> None:
    found = look_inside(tiny_encoder(), " ".join(TEXTS * 5))
    assert (len(found.tokens), found.cut) == (41, True)
    assert "Only the first 40 tokens are drawn." in page(found, "m")


def test_the_text_of_a_post_is_never_markup() -> None:
    found = look_inside(tiny_encoder(), "<script>alert(1)</script> & so on")
    assert "<script" not in page(found, "<script>")
    for title, words, svg in pictures_of(found):
        root = ElementTree.fromstring(svg)
        assert root.attrib["aria-label"] == title
        assert words.endswith("of it comes from words that stand later.")


@pytest.mark.parametrize(
    ("layer", "head", "words"), [(2, 0, "layers 0 to 1"), (0, 9, "heads 0 to 1"), (-1, 0, "layers 0 to 1")]
)
def test_a_layer_that_is_not_there_is_named(layer: int, head: int, words: str) -> None:
    with pytest.raises(ModelUnusable, match=words):
        look_inside(tiny_encoder(), TEXT, layer=layer, head=head)


def test_nothing_to_look_at_and_a_model_that_never_was_a_decoder(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="no text"):
        look_inside(tiny_encoder(), "")
    encoder = load_encoder(save_checkpoint("t5gemma", tmp_path / "raw"), config=tiny_config())
    with pytest.raises(ModelUnusable, match="never a decoder"):
        look_inside(encoder, TEXT)


def test_the_command_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_encoder(tiny_encoder(), tmp_path / "model")
    (tmp_path / "post.txt").write_text("I cannot sleep at all.")
    out = tmp_path / "inside.html"
    assert main(["inspect", str(tmp_path / "model"), "--post", str(tmp_path / "post.txt"), "--output", str(out)]) == 0
    shares = json.loads(capsys.readouterr().out)["from_later_words"]
    assert shares["attention_before"] == 0.0 < shares["attention_after"]
    assert out.read_text().count("<svg") == 4
    assert main(["inspect", str(tmp_path / "model"), "--post", str(tmp_path / "none.txt"), "--output", str(out)]) == 2
    assert "cannot be read as a text" in capsys.readouterr().err
