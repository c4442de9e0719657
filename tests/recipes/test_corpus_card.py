"""The corpus' card: its figures are those of the files, and it is what the Hub reads as a dataset card."""

from __future__ import annotations

import re

import yaml

from encoder.bundled.corpus import CRITERIA, DIRECTORY, read_items, read_test_posts
from recipes.bundled_model.corpus_card import corpus_card
from storage.records import Split

CARD = (DIRECTORY / "README.md").read_text("utf-8")


def row(name: str) -> list[str]:
    found = re.search(rf"^\| {re.escape(name)} \|(.*)\|$", CARD, re.MULTILINE)
    assert found, name
    return [cell.strip().replace(",", "") for cell in found[1].split("|")]


def test_the_card_is_the_one_that_the_corpus_makes() -> None:
    assert corpus_card() == CARD, "run: python -m recipes.bundled_model.corpus_card"


def test_its_counts_are_those_of_the_files_counted_otherwise() -> None:
    lines = (DIRECTORY / "sentences.jsonl").read_text("utf-8").splitlines()
    assert row("passages")[-1] == str(len(lines))
    trained = [line for line in lines if f'"split": "{Split.TRAIN}"' in line]
    for criterion in CRITERIA:
        assert row(criterion)[0] == str(sum(f'"{criterion}"' in line.split('"near"')[0] for line in trained))
    classes = [item.kind for item in read_items()]
    assert sum(int(row(kind.replace("_", " "))[-1]) for kind in set(classes)) == len(classes)
    assert int(row("none of them")[-1]) == sum(not any(a.spans for a in p.labels.values()) for p in read_test_posts())


def test_its_head_names_every_file_that_can_be_loaded_and_no_other() -> None:
    head = yaml.safe_load(CARD.split("---")[1])
    assert head["license"] == "apache-2.0"
    assert {c["data_files"] for c in head["configs"]} == {p.name for p in DIRECTORY.glob("*.jsonl")}
    for config in head["configs"]:
        assert (DIRECTORY / config["data_files"]).is_file()


def test_it_says_that_everything_is_synthetic_and_what_it_is_not_for() -> None:
    assert "Everything in it is synthetic" in CARD
    assert re.search(r"must not be used\s+to screen, diagnose or monitor", CARD)
