"""What a criteria set says of its subject, and the lines that follow from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotator.project import default_set, replace_criteria
from annotator.review.about import about_of, care_of, save_about
from annotator.review.language import other_language
from annotator.settings import Settings
from storage.attributes import CriteriaSet
from storage.criteria_file import CriteriaInvalid, read_criteria_set, write_criteria
from storage.records import About
from storage.store import Store
from tests.builders import MOOD, SLEEP

BEES = About(subject="bees", language="de", notice="Bees sting.", one_by_one=("SLEEP_ISSUES",))
ENGLISH = "I cannot sleep at night and everything feels grey and empty, honestly."
GERMAN = "Ich kann seit Wochen nicht mehr schlafen und alles ist grau."


def test_a_criteria_file_says_what_it_is_about_and_reads_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "bees.yaml"
    path.write_text(write_criteria([MOOD, SLEEP], BEES), encoding="utf-8")
    assert read_criteria_set(path).about == BEES


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ("about: {subjekt: bees}", "found subjekt"),
        ("about: {one_by_one: [SLEEP]}", "names SLEEP, which is no criterion"),
        ("about: {crisis_url: 'javascript:alert(1)'}", "is not a web address"),
        ("about: bees", "found str"),
    ],
)
def test_an_about_part_that_cannot_be_used_is_refused_in_words(about: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "set.yaml"
    path.write_text(f"{about}\ncriteria:\n- {{id: MOOD, text: Low mood.}}\n", encoding="utf-8")
    with pytest.raises(CriteriaInvalid, match=reason):
        read_criteria_set(path)


def test_another_subject_takes_its_words_along_and_the_same_subject_keeps_them(store: Store) -> None:
    store.save_criteria([MOOD, SLEEP])
    save_about(store, default_set().about)
    replace_criteria(store, CriteriaSet((SLEEP,)), by=None)
    assert about_of(store) == default_set().about
    bees = CriteriaSet((MOOD.__class__("BEES", "Bees", "The writer keeps bees."),), About(subject="bees"))
    replace_criteria(store, bees, by=None)
    assert about_of(store) == About(subject="bees")
    assert care_of(store, Settings(crisis_text="Call us.", crisis_url="https://help.example")).crisis_text == "Call us."


def test_a_text_in_another_language_gets_a_line_and_one_that_tells_too_little_gets_none() -> None:
    assert other_language(ENGLISH, "en") is None
    assert other_language("so müde", "en") is None
    assert other_language(GERMAN, "") is None
    line = other_language(GERMAN, "en")
    assert line is not None
    assert line.startswith("This text looks like German; the criteria and the model are for English.")
