"""A line where a text is in another language than the criteria set is about."""

from __future__ import annotations

import pytest
from py3langid.langid import LanguageIdentifier

from annotator.review import language
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


def test_the_language_of_a_text_is_found_once_while_it_is_among_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, texts = [], [f"{GERMAN} {n}" for n in "abc"]

    def classify(self: object, text: str) -> tuple[str, float]:
        asked.append(text)
        return "de", 1.0

    monkeypatch.setattr(LanguageIdentifier, "classify", classify)
    monkeypatch.setattr(language, "KEPT", 2)
    for text in [*texts[:2], texts[0], texts[2], texts[0], texts[1]]:
        assert other_language(text, "en") is not None
        assert other_language(text, "de") is None
    assert asked == [*texts, texts[1]]
