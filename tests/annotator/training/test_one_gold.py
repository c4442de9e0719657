"""What is exported as gold is what a training learns from: the same posts, criteria, verdicts and spans."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from annotator.exchange.exporting import export_file
from annotator.training.data import collect_training_data
from encoder.examples import read_examples
from storage.exports import ExportFilter
from storage.records import Criterion, Role, Span, Split, Verdict
from storage.store import Store
from tests.builders import MOOD, SLEEP, a_post, an_annotation

SENTENCES = ("I cannot sleep.", "Nothing matters now.", "The dog is well.")
Answer = tuple[str, str, Verdict, tuple[tuple[int, int], ...]]


def _decide(store: Store, seed: int) -> None:
    """Three people who agree, differ, are unsure or silent, by chance."""
    chance = random.Random(seed)
    for name, role in (("ana", Role.REVIEWER), ("ben", Role.REVIEWER), ("cid", Role.ADJUDICATOR)):
        store.ensure_reviewer(name, role)
    for n in range(40):
        post = a_post(" ".join(SENTENCES), id=f"p{n}", split=chance.choice(list(Split)))
        store.add_posts([post])
        for name in ("ana", "ben", "cid"):
            for criterion in (SLEEP, MOOD):
                if chance.random() < 0.4:
                    continue
                words = tuple(s for s in SENTENCES if chance.random() < 0.4)
                verdict = Verdict.UNSURE if not words and chance.random() < 0.3 else None
                store.add_annotation(
                    an_annotation(post, *words, criterion=criterion, reviewer=name, verdict=verdict),
                    expected_revision=0,
                )


def _as_set(criterion: Criterion | str, post_id: str, verdict: Verdict, spans: tuple[Span, ...]) -> Answer:
    name = criterion if isinstance(criterion, str) else criterion.id
    return post_id, name, verdict, tuple((s.start, s.end) for s in spans)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_export_of_gold_and_a_training_hold_the_same_answers(store: Store, tmp_path: Path, seed: int) -> None:
    _decide(store, seed)
    file = tmp_path / "gold.jsonl"
    export_file(store, "gold", file, ExportFilter())
    exported = {
        _as_set(criterion, example.post.id, label.verdict, label.spans)
        for example in read_examples(file)
        for criterion, label in example.labels.items()
    }
    data = collect_training_data(store, tmp_path / "work", replay=None)
    trained = {
        _as_set(criterion, example.post.id, label.verdict, label.spans)
        for example in (*data.train, *data.dev, *data.test)
        for criterion, label in example.labels.items()
    }
    assert trained == exported
    assert {verdict for _, _, verdict, _ in trained} == {Verdict.EVIDENCE, Verdict.NO_EVIDENCE}
    assert len(trained) < 80  # what is open or unsure is in neither
