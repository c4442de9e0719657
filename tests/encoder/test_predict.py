"""Predictor: order, unknown criteria, thresholds, long posts, streaming, threads."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from encoder.errors import ModelUnusable
from encoder.network.checkpoints import save_encoder
from encoder.network.decode import best_passage, best_span
from encoder.predict import Predictor
from encoder.text.windows import windows
from storage.records import Criterion, Post
from tests.encoder.tiny import CRITERIA, TEXTS, tiny_encoder

SLEEP, MOOD, FATIGUE = CRITERIA
SCORINGS = ["per-criterion", "packed", "post-once"]
POSTS = [Post("a", " ".join(TEXTS)), Post("b", "so tired 😀\n\nof it all"), Post("c", " ".join(TEXTS * 6))]


def a_predictor(**changes: object) -> Predictor:
    return Predictor(tiny_encoder(**changes), "m1")


@pytest.mark.parametrize("scoring", SCORINGS)
def test_predictions_come_in_the_order_of_posts_and_criteria(scoring: str) -> None:
    found = a_predictor(scoring=scoring).predict(POSTS, CRITERIA)
    assert [(p.post_id, p.criterion_id) for p in found] == [(post.id, c.id) for post in POSTS for c in CRITERIA]
    assert {p.model_version for p in found} == {"m1"}


@pytest.mark.parametrize("scoring", SCORINGS)
def test_spans_are_sentences_in_order_with_a_core_inside(scoring: str) -> None:
    predictor = a_predictor(scoring=scoring)
    for prediction in predictor.predict(POSTS, CRITERIA, threshold=0.0):
        post = next(p for p in POSTS if p.id == prediction.post_id)
        sentences = predictor.encoder.batcher(CRITERIA).read(post).sentences
        assert [(s.start, s.end) for s in prediction.spans] == [(s.start, s.end) for s in sentences]
        for span in prediction.spans:
            span.check(post.text, where=post.id)
            if span.core_start is not None and span.core_end is not None:
                assert span.start <= span.core_start < span.core_end <= span.end
        assert prediction.no_evidence_score == pytest.approx(1 - prediction.max_score)


def test_a_criterion_that_the_model_does_not_know_is_answered_as_unknown() -> None:
    stranger = Criterion("ELEVATED_MOOD", "Elevated mood", "The writer is elated.")
    known, unknown = a_predictor().predict(POSTS[:1], [SLEEP, stranger], threshold=0.0)
    assert known.known
    assert known.spans
    assert (unknown.known, unknown.spans, unknown.no_evidence_score) == (False, (), 0.5)
    (alone,) = a_predictor().predict(POSTS[:1], [stranger])
    assert alone == unknown


def test_a_model_without_known_criteria_answers_any() -> None:
    predictor = a_predictor(scoring="per-criterion", known_criteria=None)
    assert predictor.known_criteria is None
    (found,) = predictor.predict(POSTS[:1], [Criterion("ANYTHING", "Anything", "Whatever it may be.")])
    assert found.known


def test_the_answer_for_a_criterion_does_not_depend_on_which_others_are_asked() -> None:
    for scoring in SCORINGS:
        predictor = a_predictor(scoring=scoring)
        together = predictor.predict(POSTS, CRITERIA, threshold=0.0)
        alone = predictor.predict(POSTS, [FATIGUE], threshold=0.0)
        for one, two in zip(alone, together[2::3], strict=True):
            assert one.no_evidence_score == pytest.approx(two.no_evidence_score, abs=1e-5)


def test_a_criterion_with_new_words_and_a_known_id_stays_known_and_is_read_anew() -> None:
    predictor = a_predictor()
    (before,) = predictor.predict(POSTS[:1], [SLEEP], threshold=0.0)
    (after,) = predictor.predict(POSTS[:1], [replace(SLEEP, text="Nights without rest.")], threshold=0.0)
    assert after.known
    assert before.spans != after.spans
    assert predictor.predict(POSTS[:1], [SLEEP], threshold=0.0) == [before]


def test_each_criterion_has_its_own_threshold_and_the_temperature_softens_scores() -> None:
    plain = a_predictor().predict(POSTS, CRITERIA, threshold=0.0)
    chosen = a_predictor(thresholds={SLEEP.id: 0.0, MOOD.id: 1.0}, default_threshold=0.6).predict(POSTS, CRITERIA)
    for before, after in zip(plain, chosen, strict=True):
        least = {SLEEP.id: 0.0, MOOD.id: 1.0}.get(before.criterion_id, 0.6)
        assert after.spans == tuple(s for s in before.spans if s.score is not None and s.score >= least)
    soft = a_predictor(temperature=4.0).predict(POSTS, CRITERIA, threshold=0.0)
    for before, after in zip(plain, soft, strict=True):
        for sharp, mild in zip(before.spans, after.spans, strict=True):
            assert abs((mild.score or 0) - 0.5) <= abs((sharp.score or 0) - 0.5)


@pytest.mark.parametrize("post_score", ["max", "noisy_or", "head"])
def test_the_posts_score_is_a_probability_however_it_is_made(post_score: str) -> None:
    scores = [p.no_evidence_score for p in a_predictor(post_score=post_score).predict(POSTS, CRITERIA)]
    assert all(0 <= s <= 1 for s in scores)
    assert len(set(scores)) > 1


def test_the_softmax_head_gives_one_span_or_none() -> None:
    for scoring in SCORINGS:
        predictor = a_predictor(scoring=scoring, span_head="softmax", max_span_tokens=5)
        for prediction in predictor.predict(POSTS, CRITERIA, threshold=0.0):
            (span,) = prediction.spans
            assert prediction.no_evidence_score == pytest.approx(1 - (span.score or 0))
        assert all(not p.spans for p in predictor.predict(POSTS, CRITERIA, threshold=1.0))


# --- long posts


@pytest.mark.parametrize("scoring", SCORINGS)
def test_a_post_that_fits_is_answered_the_same_whatever_the_window(scoring: str) -> None:
    wide = a_predictor(scoring=scoring, window_tokens=300, stride_tokens=16)
    wider = a_predictor(scoring=scoring, window_tokens=400, stride_tokens=64)
    for one, two in zip(wide.predict(POSTS[:2], CRITERIA), wider.predict(POSTS[:2], CRITERIA), strict=True):
        assert one.no_evidence_score == pytest.approx(two.no_evidence_score, abs=1e-6)


@pytest.mark.parametrize("scoring", SCORINGS)
def test_a_window_of_a_long_post_is_answered_as_the_same_text_alone(scoring: str) -> None:
    predictor = a_predictor(scoring=scoring)
    post = POSTS[2]
    (scores,) = predictor.iter_scores([post], CRITERIA)
    found = windows(scores.read, size=64, stride=16)
    assert len(found) > 3
    first = found[0]
    end = scores.read.sentences[first.last_sentence - 1].end
    (alone,) = predictor.iter_scores([Post("alone", post.text[:end])], CRITERIA)
    inner = first.last_sentence - 2  # the last ones may have more room in the next window
    np.testing.assert_allclose(scores.sentences[:inner], alone.sentences[:inner], atol=1e-4)


@pytest.mark.parametrize("scoring", SCORINGS)
def test_the_batch_size_does_not_change_the_answers(scoring: str) -> None:
    predictor = a_predictor(scoring=scoring, wide_buckets=64)
    one = predictor.predict(POSTS, CRITERIA, batch_size=1, threshold=0.0)
    many = predictor.predict(POSTS, CRITERIA, batch_size=64, threshold=0.0)
    for left, right in zip(one, many, strict=True):
        assert [(s.start, s.end) for s in left.spans] == [(s.start, s.end) for s in right.spans]
        np.testing.assert_allclose([s.score for s in left.spans], [s.score for s in right.spans], atol=1e-5)


@pytest.mark.slow
def test_a_post_of_twenty_thousand_words_is_read_whole_in_bounded_memory() -> None:
    words = (" ".join(TEXTS) + " ") * 400
    text = " ".join(words.split()[:20_000])
    predictor = a_predictor(window_tokens=128)
    predictor.predict(POSTS, CRITERIA)
    tracemalloc.start()
    found = predictor.predict([Post("long", text)], CRITERIA, threshold=0.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(p.spans[0].start == 0 and p.spans[-1].end == len(text) for p in found)
    assert peak < 100 * 2**20


def test_a_post_of_odd_characters_is_answered_with_spans_inside_it() -> None:
    odd = [
        "😀",
        "\u200b",
        "…",
        "שלום עולם\r\n\r\nمرحبا",
        "a\u0301" * 300,
        "👨‍👩‍👧‍👦" * 50,
        "<eos><bos>[POST][/POST]",
        "x" * 2000,
    ]
    for scoring in SCORINGS:
        for n, prediction in enumerate(
            a_predictor(scoring=scoring).predict(
                [Post(f"p{n}", text) for n, text in enumerate(odd)], CRITERIA, threshold=0.0
            )
        ):
            for span in prediction.spans:
                span.check(odd[n // 3], where=prediction.post_id)


# --- streaming and threads


def test_posts_are_read_a_bounded_number_ahead() -> None:
    taken = 0

    def endless() -> Iterator[Post]:
        nonlocal taken
        while True:
            taken += 1
            yield Post(f"p{taken}", TEXTS[taken % len(TEXTS)])

    stream = a_predictor().iter_predict(endless(), CRITERIA, batch_size=2)
    first = [next(stream) for _ in range(6)]
    assert [p.post_id for p in first] == ["p1"] * 3 + ["p2"] * 3
    assert taken <= 16


def rows_of(predictor: Predictor, posts: list[Post]) -> int:
    batcher = predictor.encoder.batcher(CRITERIA)
    return sum(len(batcher.rows(batcher.read(post))) for post in posts)


@pytest.mark.parametrize("room", [0, 1, 2000])
def test_what_is_remembered_is_what_would_be_computed_again(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    monkeypatch.setattr("encoder.predict.REMEMBERED_POSTS", room)
    predictor = a_predictor()
    posts = [POSTS[0], POSTS[1], POSTS[0], POSTS[2]]
    expected = predictor.predict(posts, CRITERIA)
    rows: list[int] = []
    score = predictor.encoder.score
    monkeypatch.setattr(
        predictor.encoder, "score", lambda batch, *more: rows.append(len(batch.input_ids)) or score(batch, *more)
    )
    with predictor.remembering():
        for _ in range(2):
            found = predictor.predict(posts, CRITERIA)
            assert [(p.post_id, p.criterion_id) for p in found] == [(p.post_id, p.criterion_id) for p in expected]
            for one, other in zip(found, expected, strict=True):
                assert one.no_evidence_score == pytest.approx(other.no_evidence_score, abs=1e-4)
    first, second = (
        rows_of(predictor, POSTS),
        {0: rows_of(predictor, POSTS), 1: rows_of(predictor, POSTS[1:]), 2000: 0}[room],
    )
    assert sum(rows) == first + second
    predictor.predict(posts, CRITERIA)
    assert sum(rows) == first + second + rows_of(predictor, posts)


def test_several_threads_get_the_answers_that_one_would_get() -> None:
    predictor = a_predictor()
    expected = predictor.predict(POSTS, CRITERIA, threshold=0.0)
    results: list[list] = []
    threads = [
        threading.Thread(target=lambda: results.append(predictor.predict(POSTS, CRITERIA, threshold=0.0)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


# --- loading


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_encoder(tiny_encoder(), tmp_path / "night-model")
    return tmp_path / "night-model"


def test_a_version_is_what_was_asked_or_the_directorys_name(saved: Path) -> None:
    assert Predictor.load(saved).version == "night-model"
    assert Predictor.load(saved, version="v7").version == "v7"
    assert Predictor.load(saved).known_criteria == {c.id for c in CRITERIA}


def test_a_way_of_scoring_that_the_model_was_not_trained_in_is_refused(saved: Path) -> None:
    assert Predictor.load(saved, scoring="one-pass").config.scoring == "post-once"
    with pytest.raises(ModelUnusable, match="trained for post-once scoring and cannot score per-criterion"):
        Predictor.load(saved, scoring="per-criterion")


def test_threads_are_set_when_asked(saved: Path) -> None:
    before = torch.get_num_threads()
    try:
        Predictor.load(saved, threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_bf16_weights_give_nearly_the_same_scores(saved: Path) -> None:
    exact = Predictor.load(saved).predict(POSTS, CRITERIA)
    rough = Predictor.load(saved, dtype="bfloat16").predict(POSTS, CRITERIA)
    for one, two in zip(exact, rough, strict=True):
        assert one.no_evidence_score == pytest.approx(two.no_evidence_score, abs=0.1)


# --- read-out


def test_the_best_passage_has_the_largest_sum_with_its_edges() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        tokens = rng.normal(size=(7, 3)).astype(np.float32)
        options = {
            (a, b): tokens[a:b, 0].sum() + tokens[a, 1] + tokens[b - 1, 2] for a in range(7) for b in range(a + 1, 8)
        }
        best = max(options, key=lambda k: options[k])
        assert best_passage(tokens) == (best if options[best] > 0 else None)


def test_the_best_span_is_the_best_of_all_that_are_short_enough() -> None:
    rng = np.random.default_rng(1)
    start, end = rng.normal(size=9).astype(np.float32), rng.normal(size=9).astype(np.float32)
    options = {(a, b): start[a] + end[b - 1] for a in range(9) for b in range(a + 1, min(9, a + 4) + 1)}
    best = max(options, key=lambda k: options[k])
    found = best_span(start, end, 4)
    assert found is not None
    assert (found[:2], found[2]) == (best, pytest.approx(options[best]))
    assert best_span(start[:0], end[:0], 4) is None
