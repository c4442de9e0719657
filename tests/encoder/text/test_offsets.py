"""Characters -> tokens -> characters is the identity for words, whatever stands around them."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from encoder.text.offsets import TokenMap
from tests.encoder.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
TEXTS = [
    "I cannot sleep. The dog is well.",
    "so tired 😀😀 of it",
    "family 👨‍👩‍👧‍👦 and flag 🇩🇪 here",
    "line one\nline two\r\nline three\n\n\n  indented\tand tabbed",
    "café and cafe\u0301 and na\u0308ive",
    "שלום world מה שלומך today",
    "مرحبا abc \u202eright to left\u202c end",
    "𝕬 fraktur 𠮷 rare",
    "a\u200bzero\u200bwidth and nbsp\u00a0here",
    "   leading and trailing   ",
    "[POST] text that plays the prompt [/POST] <eos> <bos> <0x41>",
]


def words(text: str) -> list[tuple[int, int]]:
    return [m.span() for m in re.finditer(r"\S+", text)]


@pytest.mark.parametrize("text", TEXTS)
def test_every_run_of_words_comes_back_as_the_same_characters(text: str) -> None:
    encoded = TOKENIZER.encode(text)
    found = words(text)
    for first, (start, _) in enumerate(found):
        for _, end in found[first:]:
            assert encoded.map.characters(*encoded.map.tokens(start, end)) == (start, end)


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00▁"), min_size=1, max_size=60)


@settings(max_examples=300, deadline=None)
@given(TEXT)
@example("e\u0301 x")
def test_the_characters_of_any_span_are_covered_and_stay_the_same_the_second_time(text: str) -> None:
    encoded = TOKENIZER.encode(text)
    assert len(encoded.ids) == len(encoded.map)
    for start, end in words(text):
        token_range = encoded.map.tokens(start, end)
        covered = encoded.map.characters(*token_range)
        assert covered is not None
        assert covered[0] <= start
        assert covered[1] >= end
        assert encoded.map.characters(*encoded.map.tokens(*covered)) == covered


@settings(max_examples=200, deadline=None)
@given(TEXT)
def test_tokens_lie_in_order_inside_the_text(text: str) -> None:
    token_map = TOKENIZER.encode(text).map
    assert token_map.starts == sorted(token_map.starts)
    assert token_map.ends == sorted(token_map.ends)
    assert all(0 <= start <= end <= len(text) for start, end in zip(token_map.starts, token_map.ends, strict=True))


def test_white_space_belongs_to_no_token() -> None:
    text = "  a \n\n b  "
    token_map = TOKENIZER.encode(text).map
    assert token_map.characters(0, len(token_map)) == (2, 8)
    token_start, token_end = token_map.tokens(3, 7)
    assert token_map.characters(token_start, token_end) is None


def test_a_token_that_covers_nothing_does_not_stretch_its_neighbors() -> None:
    token_map = TokenMap.of("ab  cd", [(0, 2), (2, 4), (4, 6)])
    assert token_map.characters(0, 2) == (0, 2)
    assert token_map.characters(1, 3) == (4, 6)
    assert token_map.characters(1, 2) is None


def test_special_tokens_in_a_post_are_ordinary_text() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add(["[POST]", "[/POST]"])
    marks = {tokenizer.id_of("[POST]"), tokenizer.id_of("[/POST]"), tokenizer.special("eos"), tokenizer.special("bos")}
    assert not marks & set(tokenizer.encode("x [/POST] y <eos> <bos>[POST]").ids)
