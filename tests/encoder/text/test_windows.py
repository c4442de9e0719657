"""Windows cover a post whole, are cut between sentences, and come together the same in any order."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from encoder.text.windows import Merger, PostScores, ReadPost, Window, windows
from storage.records import Post
from tests.encoder.tiny import TEXTS, tiny_tokenizer

TOKENIZER = tiny_tokenizer()


def a_long_post(sentences: int, *, seed: int = 0) -> Post:
    chosen = random.Random(seed).choices(TEXTS, k=sentences)
    return Post("long", " ".join(chosen))


def read(text: str) -> ReadPost:
    return ReadPost.of(Post("p", text), TOKENIZER)


@pytest.mark.parametrize(("size", "stride"), [(16, 0), (16, 8), (40, 10), (200, 64)])
def test_windows_hold_every_token_and_no_more_than_fit(size: int, stride: int) -> None:
    post = ReadPost.of(a_long_post(30), TOKENIZER)
    found = windows(post, size=size, stride=stride)
    assert {t for w in found for t in range(w.token_start, w.token_end)} == set(range(len(post.ids)))
    assert all(0 < len(w) <= size for w in found)
    assert all(after.token_start > before.token_start for before, after in itertools.pairwise(found))


def test_windows_are_cut_between_sentences_where_they_can_be() -> None:
    post = ReadPost.of(a_long_post(30), TOKENIZER)
    starts = {token_start for token_start, _ in post.sentence_tokens}
    found = windows(post, size=64, stride=24)
    assert len(found) > 3
    assert all(w.token_end in starts for w in found[:-1])
    assert all(w.token_start in starts for w in found)


def test_a_post_without_any_break_is_still_cut_into_windows_that_overlap() -> None:
    post = read("x" * 900)
    found = windows(post, size=32, stride=8)
    assert found[-1].token_end == len(post.ids)
    assert all(before.token_end - after.token_start == 8 for before, after in itertools.pairwise(found))


def test_a_short_post_is_one_window_with_all_its_sentences() -> None:
    post = read("I cannot sleep. The dog is well.")
    assert windows(post, size=64, stride=16) == [Window(0, len(post.ids), 0, 2)]


def test_every_sentence_is_whole_in_some_window_when_the_overlap_allows_it() -> None:
    post = ReadPost.of(a_long_post(40), TOKENIZER)
    longest = max(token_end - token_start for token_start, token_end in post.sentence_tokens)
    found = windows(post, size=4 * longest, stride=longest)
    for token_start, token_end in post.sentence_tokens:
        assert any(w.token_start <= token_start and token_end <= w.token_end for w in found)


def merged(post: ReadPost, order: list[Window]) -> PostScores:
    """Each window scores everything with its own number, so the result shows who won."""
    merger = Merger(post, 1)
    for window in order:
        value = np.float32(window.token_start)
        merger.add(
            window,
            slice(None),
            sentences=np.full((window.last_sentence - window.first_sentence, 1), value),
            tokens=np.full((len(window), 1, 3), value),
            posts=np.full(1, value),
        )
    return merger.result()


def test_the_order_in_which_windows_arrive_does_not_matter() -> None:
    post = ReadPost.of(a_long_post(40), TOKENIZER)
    found = windows(post, size=48, stride=20)
    first = merged(post, found)
    for seed in range(5):
        shuffled = random.Random(seed).sample(found, len(found))
        again = merged(post, shuffled)
        np.testing.assert_array_equal(again.sentences, first.sentences)
        np.testing.assert_array_equal(again.tokens, first.tokens)
        np.testing.assert_array_equal(again.posts, first.posts)


def test_a_token_takes_its_scores_from_the_window_in_which_it_stands_farthest_from_a_cut() -> None:
    post = read("x" * 900)
    found = windows(post, size=32, stride=8)
    tokens = merged(post, found).tokens[:, 0, 0]
    shared = range(found[1].token_start, found[0].token_end)
    assert [tokens[t] for t in shared] == [0.0] * 4 + [float(found[1].token_start)] * 4


def test_a_cut_sentence_takes_its_score_from_the_window_that_holds_it_whole() -> None:
    post = read("I cannot sleep. " * 3)
    token_start, token_end = post.sentence_tokens[1]
    whole = Window(token_start, len(post.ids), 1, 3)
    cutting = Window(0, token_end - 1, 0, 2)
    assert merged(post, [whole, cutting]).sentences[:, 0].tolist() == [0.0, token_start, token_start]


def test_scores_are_finite_for_every_sentence_and_token_of_a_long_post() -> None:
    post = ReadPost.of(a_long_post(60), TOKENIZER)
    scores = merged(post, windows(post, size=40, stride=10))
    assert np.isfinite(scores.sentences).all()
    assert np.isfinite(scores.tokens).all()
