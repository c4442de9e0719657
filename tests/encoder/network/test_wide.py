"""The hashed n-gram table: the same features in every process, and a linear model that learns from a handful of sentences."""

from __future__ import annotations

import zlib

import pytest
import torch
import torch.nn.functional as F

from encoder.network.wide import HashedNgrams, character_ngrams, word_ngrams


def hashes(*runs: str) -> list[int]:
    return [zlib.crc32(run.encode()) for run in runs]


def test_features_are_runs_of_words_and_pieces_of_words() -> None:
    assert list(word_ngrams(["can't", "sleep"])) == hashes("can't", "can't sleep", "sleep")
    assert list(word_ngrams(["a", "b", "c", "d"]))[:3] == hashes("a", "a b", "a b c")
    assert list(character_ngrams("of")) == hashes(" of", "of ", " of ", " of ")
    assert list(character_ngrams("nap")) == hashes(" na", "nap", "ap ", " nap", "nap ", " nap ")


def test_case_and_kind_of_apostrophe_do_not_matter() -> None:
    ids, _ = HashedNgrams.features(["Can’t SLEEP"], 1000)
    again, _ = HashedNgrams.features(["can't sleep"], 1000)
    assert ids.tolist() == again.tolist()


def test_the_words_of_a_sentence_make_a_vector_of_length_one_whatever_their_idf() -> None:
    table = HashedNgrams(1000, 1)
    ids, offsets = HashedNgrams.features(["i cannot sleep", "the dog"], 1000)
    table.idf.copy_(torch.rand(1000) + 0.5)
    squares = table.weights(ids, offsets) ** 2
    assert squares[: offsets[1]].sum().item() == pytest.approx(2.0)
    assert squares[ids < 500].sum().item() == pytest.approx(2.0)


def test_features_never_change_since_saved_tables_depend_on_them() -> None:
    ids, _ = HashedNgrams.features(["nap"], 1000)
    assert sorted(ids.tolist()) == [126, 626, 638, 679, 708, 793, 797]


def test_an_empty_list_and_a_sentence_without_words_have_logits() -> None:
    table = HashedNgrams(16, 2)
    assert table(*HashedNgrams.features([], 16)).shape == (0, 2)
    assert table(*HashedNgrams.features(["", "\u200b", "word"], 16)).tolist() == [[0.0, 0.0]] * 3


def test_the_table_learns_recurring_words_in_a_few_steps() -> None:
    texts = ["i cannot sleep", "awake all night", "the dog is well", "we had lunch"]
    labels = torch.tensor([[1.0], [1.0], [0.0], [0.0]])
    table = HashedNgrams(4096, 1)
    optimizer = torch.optim.Adagrad(table.parameters(), lr=0.5)
    features = HashedNgrams.features(texts, 4096)
    for _ in range(30):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(table(*features), labels).backward()
        optimizer.step()
    unseen = table(*HashedNgrams.features(["again i did not sleep", "the dog had lunch"], 4096))
    assert unseen[0] > 0 > unseen[1]
