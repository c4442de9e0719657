"""The bundled corpus is what the bundled model's card says: large, typed, without near-duplicates, with its test sets kept apart."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter

import numpy as np
import pytest
from rapidfuzz import fuzz, process

from encoder.bundled.corpus import (
    CRITERIA,
    DIRECTORY,
    HARD_NEGATIVES,
    Composer,
    read_items,
    read_posts,
    read_test_posts,
    whole_posts,
)
from encoder.text.sentences import sentences
from storage.records import Split, Verdict

TEST_VOICES = {"voice03", "voice06", "voice09", "voice12"}
ITEMS = read_items()
CUTOFF = 0.85


def test_the_split_file_names_each_voice_once_and_every_line_agrees_with_it() -> None:
    split = json.loads((DIRECTORY / "split.json").read_text("utf-8"))
    assert set(split["test"]) == TEST_VOICES
    of_voice = {voice: name for name, voices in split.items() for voice in voices}
    assert len(of_voice) == sum(len(voices) for voices in split.values())
    voices_of_posts = {post.post.id.partition("-")[0]: post.post.split for post in read_posts()}
    assert {item.voice for item in ITEMS} | set(voices_of_posts) == set(of_voice)
    assert all(of_voice[voice] == split for voice, split in voices_of_posts.items())
    assert all(of_voice[item.voice] == item.split for item in ITEMS)


def test_whole_posts_share_no_voice_with_the_test_split() -> None:
    assert {post.post.split for post in read_posts()} == {Split.TRAIN, Split.DEV}
    assert not {post.post.id.split("-")[0] for post in read_posts()} & TEST_VOICES


def test_there_are_six_hundred_evidence_passages_per_criterion_a_third_of_them_oblique_where_that_is_marked() -> None:
    for criterion in CRITERIA:
        found = [item for item in ITEMS if criterion in item.labels]
        assert len(found) >= 600, criterion
        marked = [item for item in found if item.split is not Split.TEST and int(item.voice[5:]) >= 13]
        assert sum(item.oblique for item in marked) >= len(marked) / 3, criterion


def test_there_are_hard_negatives_of_every_class_and_neutral_passages() -> None:
    near = Counter(criterion for item in ITEMS for criterion in item.near)
    kinds = Counter(item.kind for item in ITEMS)
    assert all(near[criterion] >= 400 for criterion in CRITERIA), near
    assert all(kinds[kind] >= 300 for kind in HARD_NEGATIVES), kinds
    assert kinds["neutral"] >= 5000
    assert not any(item.labels for item in ITEMS if item.kind != "evidence")


@pytest.mark.slow
def test_no_passage_is_nearly_another_of_the_same_answer() -> None:
    answers = {item.text.lower(): (item.split, item.labels) for item in ITEMS}
    texts = sorted((item.text.lower() for item in ITEMS), key=len)
    lengths = [len(text) for text in texts]

    def teaches(one: tuple[Split, tuple[str, ...]], other: tuple[Split, tuple[str, ...]]) -> bool:
        """Whether a near pair shows what decides: two answers, and no text for measuring among them."""
        return one[0] is other[0] is Split.TRAIN and one[1] != other[1]

    as_written = {item.text.lower() for item in ITEMS if item.split is Split.TEST}  # whatever they repeat
    for first in range(0, len(texts), 500):
        some = texts[first : first + 500]
        # 2 * shorter / (shorter + longer) bounds the ratio: beyond these lengths it stays below the cutoff
        rest = texts[first : bisect_right(lengths, len(some[-1]) * (2 - CUTOFF) / CUTOFF)]
        close = process.cdist(some, rest, scorer=fuzz.ratio, score_cutoff=100 * CUTOFF, dtype=np.uint8, workers=-1)
        pairs = [(some[r], rest[c]) for r, c in zip(*close.nonzero(), strict=True) if r < c]
        assert [p for p in pairs if not teaches(answers[p[0]], answers[p[1]]) and not as_written.issuperset(p)] == []


def test_sixty_test_posts_half_without_evidence_have_spans_inside_their_text() -> None:
    posts = read_test_posts()
    silent = [p for p in posts if not any(label.spans for label in p.labels.values())]
    assert len(posts) == 60
    assert len(silent) == 30
    for post in posts:
        assert set(post.labels) == set(CRITERIA)
        for label in post.labels.values():
            for span in label.spans:
                span.check(post.post.text, where=post.post.id)
                assert span.quote(post.post.text).strip() == span.quote(post.post.text)


def test_a_composed_post_says_exactly_which_of_its_passages_are_evidence() -> None:
    composer = Composer([item for item in ITEMS if item.split is Split.TRAIN], seed=5)
    for _ in range(50):
        composed = composer.compose(longest=14)
        post = composed.example.post
        for start, end, number in composed.places:
            item = composer.items[number]
            assert post.text[start:end].lower().endswith(item.text[1:].lower())
            for criterion in CRITERIA:
                spans = composed.example.labels[criterion].spans
                assert any((s.start, s.end) == (start, end) for s in spans) == (criterion in item.labels)


def test_composed_passages_stay_sentences_of_their_own() -> None:
    """All but a few: after "... page of option C." and the like nobody can tell an initial from the end of a sentence."""
    composer = Composer([item for item in ITEMS if item.split is Split.TRAIN], seed=6)
    kept = []
    for _ in range(400):
        composed = composer.compose(count=6)
        starts = {s.start for s in sentences(composed.example.post.text)}
        kept += [start in starts for start, _, _ in composed.places]
    assert sum(kept) >= 0.995 * len(kept)


def test_composing_is_repeatable_and_some_posts_have_no_evidence() -> None:
    def drawn() -> list[str]:
        composer = Composer(ITEMS[:2000], seed=7)
        return [composer.compose().example.post.text for _ in range(5)]

    assert drawn() == drawn()
    composer = Composer(ITEMS[:2000], seed=8)
    verdicts = [{label.verdict for label in composer.compose(count=6).example.labels.values()} for _ in range(60)]
    assert 5 <= sum(v == {Verdict.NO_EVIDENCE} for v in verdicts) <= 40


def test_a_whole_post_becomes_items_whose_places_and_labels_are_those_of_its_sentences() -> None:
    posts = [p for p in read_posts() if p.post.split is Split.TRAIN][:20]
    items, whole = whole_posts(posts, first=100)
    assert [c.example for c in whole] == posts
    assert [n for c in whole for _, _, n in c.places] == list(range(100, 100 + len(items)))
    for composed in whole:
        for start, end, number in composed.places:
            item = items[number - 100]
            assert item.text == composed.example.post.text[start:end]
    assert {c for item in items for c in item.labels} == {
        c for p in posts for c, label in p.labels.items() if label.verdict is Verdict.EVIDENCE
    }


def test_the_default_criteria_are_worded_as_the_model_learned_them() -> None:
    from annotator.project import default_criteria
    from recipes.bundled_model.build import read_wordings

    learned = {c.id: c.text for c in read_wordings()[0]}
    assert {c.id: c.text for c in default_criteria()} == learned
