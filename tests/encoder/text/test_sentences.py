"""A sentence that is too long is cut where a reader would pause."""

from __future__ import annotations

import pytest

from encoder.text.sentences import MAX_SENTENCE_CHARACTERS, sentence_ranges

WORDS = "word " * 200


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        (WORDS, "word word"),
        ("a" * 300 + "; " + WORDS, "word word"),
        ("a" * 200 + ", then " + "b" * 300, "then b"),
        ("a" * 200 + ", the " + "b" * 300, "b"),
        ("a" * 200 + "\u3000" + "b" * 300, "b"),
        ("a" * 100 + "; " + "b" * 500, "b"),
        ("a" * 900, "a"),
    ],
)
def test_a_long_sentence_is_cut_at_the_last_clause_else_the_last_space_else_anywhere(text: str, begins: str) -> None:
    (start, end), (following, _), *_ = sentence_ranges(text)
    assert start == 0
    assert MAX_SENTENCE_CHARACTERS // 3 < end <= MAX_SENTENCE_CHARACTERS
    assert text[following:].startswith(begins)


def test_without_any_place_to_pause_it_is_as_long_as_it_may_be() -> None:
    assert sentence_ranges("a" * 900) == [(0, 400), (400, 800), (800, 900)]
