"""Evidence given as words is found where it stands, or said not to be there."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.align import measure
from encoder.text.align import Alignment, How, align

POST = (
    "Hey all. I can’t sleep — not at all — since March 😀.\r\nMy boss yelled at me again, but whatever.\n"
    "I dont enjoy   painting anymore. Everything feels pointless, and I cry most nights. Thanks for reading!"
)


def found(evidence: str) -> tuple[str, How] | None:
    best = align(POST, evidence).best
    return None if best is None else (best.span.quote(POST), best.how)


@pytest.mark.parametrize(
    ("evidence", "words", "how"),
    [
        ("I can’t sleep — not at all", "I can’t sleep — not at all", How.EXACT),
        ("  Everything feels pointless ", "Everything feels pointless", How.EXACT),
        ("I can't sleep - not at all - since March", "I can’t sleep — not at all — since March", How.VARIANT),
        ("I DONT ENJOY PAINTING ANYMORE.", "I dont enjoy   painting anymore.", How.VARIANT),
        ("I don't enjoy painting anymore", "I dont enjoy   painting anymore", How.PUNCTUATION),
        ("Everything feels pointless and I cry most nights", "Everything feels pointless, and I cry most nights", How.PUNCTUATION),
        ("since March. My boss yelled at me again", "since March 😀.\r\nMy boss yelled at me again", How.PUNCTUATION),
        ("I dont enjyo paintng much anymore.", "I dont enjoy   painting anymore.", How.FUZZY),
    ],
)  # fmt: skip
def test_changed_words_are_found_at_their_place(evidence: str, words: str, how: How) -> None:
    assert found(evidence) == (words, how)


@pytest.mark.parametrize("evidence", ["", "   ", "!!!", "The weather was lovely in Rome last summer.", "no", "😡"])
def test_words_that_are_not_there_are_not_found(evidence: str) -> None:
    assert align(POST, evidence) == Alignment()


def test_a_part_of_a_word_is_no_answer_but_is_offered() -> None:
    result = align("I cannot go on", "can")
    assert result.best is None
    assert [c.span.quote("I cannot go on") for c in result.candidates] == ["can"]


def test_of_equal_places_the_nearest_to_the_hint_is_taken() -> None:
    text = "I am tired. Work was long. I am tired."
    assert [c.span.start for c in align(text, "I am tired.").candidates] == [0, 27]
    assert align(text, "I am tired.", near=25).best == align(text, "I am tired.").candidates[1]


def test_two_passages_that_fit_as_well_are_left_to_a_person() -> None:
    text = "I feel so very tired every single day. Also I feel so very tired every single night."
    result = align(text, "feeling so very tired every single week")
    assert result.best is None
    assert result.doubtful
    assert len(result.candidates) == 2


@pytest.mark.parametrize(
    ("text", "evidence", "found"),
    [
        ("Cafe\u0301 visits are no fun.", "Caf\u00e9 visits", "Cafe\u0301 visits"),
        ("Caf\u00e9 visits are no fun.", "Cafe\u0301 visits", "Caf\u00e9 visits"),
        ("Je suis e\u0301puise\u0301", "suis \u00e9puis\u00e9", "suis e\u0301puise\u0301"),
        ("a\u0301\u0323 b c", "\u1ea1\u0301 B", "a\u0301\u0323 b"),
    ],
)
def test_an_accent_is_the_same_written_by_itself_or_with_its_letter(text: str, evidence: str, found: str) -> None:
    best = align(text, evidence).best
    assert best is not None
    assert best.span.quote(text) == found


@pytest.mark.parametrize("text", ["A cafe\u0301 at night.", "A caf\u00e9 at night."])
def test_a_letter_without_its_accent_is_another(text: str) -> None:
    assert align(text, "cafe").best is None
    assert align(text, "Cafe at").best is None


def test_a_long_post_is_searched_in_reasonable_time() -> None:
    text = (
        " ".join(f"Sentence number {n} says nothing of note today." for n in range(5000))
        + " I lie awake until dawn, always."
    )
    best = align(text, "I lay awake til dawn always").best
    assert best is not None
    assert best.span.quote(text) == "I lie awake until dawn, always."


@settings(max_examples=60, deadline=None)
@given(
    before=st.text(max_size=30),
    words=st.text(min_size=1, max_size=30).filter(lambda t: t.strip() != ""),
    after=st.text(max_size=30),
)
def test_offsets_always_lie_in_the_original_text(before: str, words: str, after: str) -> None:
    text = f"{before} {words} {after}"
    for evidence in (words, words.swapcase(), words + "."):
        for candidate in align(text, evidence).candidates:
            assert 0 <= candidate.span.start < candidate.span.end <= len(text)


@pytest.mark.slow
def test_changed_copies_are_placed_with_precision() -> None:
    sentences = [
        "I have not slept through a single night since the clocks changed.",
        "Most mornings I stare at the ceiling and cannot make myself move.",
        "My sister says I look like a ghost and I believe her.",
        "Cooking used to be my favourite thing and now I live on toast.",
        "I read the same page five times and none of it stays.",
        "There is a heaviness in my chest that never really lifts.",
        "The train was late again so I missed the start of the film.",
        "We adopted a second cat and the first one is furious.",
        "I keep thinking that everybody would be better off without me.",
        "Even brushing my teeth feels like climbing a mountain.",
        "My manager moved the deadline and nobody told the team.",
        "I started crying in the supermarket for no reason at all.",
        "It takes me an hour to answer one simple email these days.",
        "The garden is full of weeds because I stopped going outside.",
        "I feel guilty about every little thing I ever said.",
        "He asked me what was wrong and I had no words for it.",
        "Lunch with my parents was fine and we talked about football.",
        "I wake at four and wait for the alarm with my eyes open.",
        "Nothing tastes of anything so I forget to eat.",
        "My hands shake and I pace around the flat until midnight.",
        "The new phone arrived but the charger does not fit.",
        "I cancelled on my friends for the third weekend in a row.",
    ]
    result = measure(sentences, posts=40, seed=1)
    assert result["all"]["precision"] >= 0.98
    assert result["recased"]["recall"] == result["repunctuated"]["recall"] == 1.0
    assert result["all"]["recall_with_list"] >= 0.95


@pytest.mark.parametrize(
    ("text", "evidence", "words"),
    [
        ("I can&#39;t sleep at night. Fine.", "can't sleep", "can&#39;t sleep"),
        ("I can't sleep at night. Fine.", "can&#39;t sleep", "can't sleep"),
        ("It&#8217;s &amp;quot;bad&amp;quot; &lt;3 again.", 'It\'s "bad" <3', "It&#8217;s &amp;quot;bad&amp;quot; &lt;3"),
        ("Caf&eacute; and I can&#x27;t eat&nbsp;or sleep.", "Café and I can't eat or", "Caf&eacute; and I can&#x27;t eat&nbsp;or"),
        ("AT&T; says &foo; I cry.", "&FOO; I cry", "&foo; I cry"),
    ],
)  # fmt: skip
def test_an_entity_is_the_character_that_it_stands_for(text: str, evidence: str, words: str) -> None:
    best = align(text, evidence).best
    assert best is not None
    assert (best.span.quote(text), best.how) == (words, How.VARIANT)
