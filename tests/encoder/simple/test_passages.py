from __future__ import annotations

import numpy as np

from encoder.examples import Example, Label
from encoder.simple.features import FeatureCache, features_of
from encoder.simple.learner import reviewed_for
from encoder.simple.marking import decoded, find_passages
from encoder.simple.passages import TAGS, characters, decode_tags, tags_of, word_ranges
from encoder.simple.tried import Tried
from encoder.simple.units import Unit, choose_unit
from storage.records import Post, Verdict
from tests.builders import a_post, a_span
from tests.encoder.simple.answers import posts_with_answers


def test_tags_and_back_give_the_same_spans() -> None:
    post = a_post("One two 🙂 three, four five.\nSix “seven” eight.")
    spans = [a_span(post, "two 🙂 three"), a_span(post, "four five"), a_span(post, "Six"), a_span(post, "seven")]
    words = features_of(post.text).words
    tags = tags_of(words, spans)
    assert [characters(words, found) for found in word_ranges(tags)] == spans


def test_neighboring_passages_stay_two() -> None:
    post = a_post("apple pie apple soup")
    spans = [a_span(post, "apple pie"), a_span(post, "apple soup")]
    words = features_of(post.text).words
    assert [characters(words, found) for found in word_ranges(tags_of(words, spans))] == spans


def test_no_passage_begins_in_its_middle() -> None:
    scores = np.log(np.array([[0.1, 0.2, 0.7], [0.6, 0.1, 0.3], [0.1, 0.2, 0.7]]))
    tags = decode_tags(scores)
    assert all(tag != 2 or (at and tags[at - 1] != 0) for at, tag in enumerate(tags))
    assert list(tags) == [1, 2, 2]


def test_several_settings_are_decoded_at_once_as_one_by_one() -> None:
    scores = np.random.default_rng(0).normal(size=(4, 30, TAGS))
    together = decode_tags(scores)
    assert [list(row) for row in together] == [list(decode_tags(one)) for one in scores]


def test_the_unit_is_the_one_that_people_mark_in() -> None:
    examples = posts_with_answers()
    nights, food = choose_unit(examples, "NIGHTS"), choose_unit(examples, "FOOD")
    assert (nights.unit, nights.reason) == (Unit.SENTENCE, "12 of 12 marked passages are whole sentences.")
    assert (food.unit, food.reason) == (Unit.PASSAGE, "0 of 16 marked passages are whole sentences.")
    assert choose_unit(examples, "OTHER").unit is Unit.SENTENCE


def test_posts_that_are_decoded_together_get_the_tags_that_each_gets_alone() -> None:
    examples = [*posts_with_answers(5), Example(Post("empty", "🙂"), {"FOOD": Label(Verdict.NO_EVIDENCE)})]
    reviewed = reviewed_for("FOOD", examples, {}, FeatureCache())
    rng = np.random.default_rng(0)
    tried, logits = [], []
    for one in reviewed:
        scores = rng.normal(size=(len(one.features.words), TAGS))
        logits.append(rng.normal(size=len(one.features.sentences)))
        tried.append(Tried.of(one, logits[-1], scores))
    setting = np.array([0.0, 1.5]), np.array([0.25, 1.0])
    for one, own, tags in zip(tried, logits, decoded(tried, logits, setting), strict=True):
        for number, (boldness, share) in enumerate(zip(*setting, strict=True)):
            alone = find_passages(one.tag_scores, own, one.reviewed.features, boldness=boldness, share=share)
            together = [characters(one.reviewed.features.words, r) for r in word_ranges(tags[number])]
            assert [span for span, _ in alone] == together
