"""A line where a text is in another language than the criteria set is about."""

from __future__ import annotations

from annotator.review.language import other_language, others_among

GERMAN = "Ich kann seit Wochen nicht mehr schlafen und alles ist grau. Morgens komme ich nicht aus dem Bett."
ENGLISH = "I have not slept for weeks and everything is grey. In the morning I cannot get out of bed."


def test_a_text_in_another_language_gets_a_line_and_one_that_is_too_short_does_not() -> None:
    assert other_language(GERMAN, "en") == (
        "This text looks like German; the criteria and the model are for English."
        " What it marks or leaves unmarked here says little."
    )
    assert other_language(ENGLISH, "en") is None
    assert other_language("ja, gut", "en") is None
    assert other_language(GERMAN, "") is None


def test_posts_to_be_imported_are_counted_by_their_language() -> None:
    line = others_among([GERMAN, ENGLISH, GERMAN, "ok"], "en")
    assert line is not None
    assert line.startswith("2 of the 4 posts shown here look like German; the criteria and the model are for English.")
    assert others_among([ENGLISH], "en") is None
    assert others_among([GERMAN], "") is None
