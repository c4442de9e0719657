"""The gold file: what is written is read back, and a line that cannot be used says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from encoder.errors import BadExamples
from encoder.examples import (
    Example,
    Label,
    LabelCounts,
    RejectedLine,
    check_criteria,
    content_hash,
    count_labels,
    examples_from_gold,
    read_examples,
    read_gold_file,
    split_examples,
)
from storage.gold import gold_of
from storage.records import InvalidRecord, Post, Span, Split, Verdict, split_of
from tests.builders import MOOD, SLEEP, a_post, a_span, an_annotation
from tests.encoder.training_data import write_examples

NOTHING = Label(Verdict.NO_EVIDENCE)


def an_example(text: str = "I cannot sleep 😴. The dog is well.", *, id: str = "p1") -> Example:
    post = a_post(text, id=id)
    sleep = Label(Verdict.EVIDENCE, (a_span(post, "cannot sleep"),), (a_span(post, "The dog is well."),))
    return Example(post, {SLEEP.id: sleep, MOOD.id: NOTHING})


def a_file(tmp_path: Path, *lines: str | dict[str, object]) -> Path:
    path = tmp_path / "gold.jsonl"
    path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines), encoding="utf-8")
    return path


def a_line(**changes: object) -> dict[str, object]:
    return {"post_id": "p1", "text": "I cannot sleep.", "annotations": [], **changes}


def with_annotation(**annotation: object) -> dict[str, object]:
    return a_line(annotations=[{"criterion": "SLEEP_ISSUES", "verdict": "evidence", **annotation}])


def test_what_is_written_is_read_back_equal(tmp_path: Path) -> None:
    examples = [an_example(), an_example("Slept. cannot sleep ٣ \u2028 x\nThe dog is well.", id="p2")]

    write_examples(tmp_path / "gold.jsonl", examples)

    assert read_examples(tmp_path / "gold.jsonl") == examples


def test_a_plain_line_needs_only_what_it_says(tmp_path: Path) -> None:
    path = a_file(tmp_path, with_annotation(spans=[{"start": 2, "end": 14}]))

    (example,) = read_examples(path)

    assert example.labels == {"SLEEP_ISSUES": Label(Verdict.EVIDENCE, (Span(2, 14),))}
    assert example.post.split is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ({"text": "x"}, "'post_id' is missing"),
        ({"post_id": "p1"}, "'text' is missing"),
        (a_line(text="  "), "has no text"),
        (a_line(text="a\x00b"), "NUL character"),
        (a_line(annotations={}), "'annotations' is not a list"),
        (a_line(split="other"), "split 'other' is not train, dev or test"),
        (with_annotation(verdict="maybe"), "verdict 'maybe' is not"),
        (with_annotation(spans=[]), "there is no span"),
        (with_annotation(verdict="no_evidence", spans=[{"start": 0, "end": 1}]), "there are spans"),
        (with_annotation(spans=[{"start": 0, "end": 99}]), "runs past the text"),
        (with_annotation(spans=[{"start": 5, "end": 5}]), "empty or negative"),
        (with_annotation(spans=[{"start": "0", "end": 1}]), "whole numbers"),
        (with_annotation(spans=["cannot sleep"]), "whole numbers"),
    ],
)
def test_a_line_that_cannot_be_used_says_why(tmp_path: Path, line: str | dict[str, object], reason: str) -> None:
    path = a_file(tmp_path, a_line(post_id="good"), line)

    (rejected,) = read_gold_file(path).rejected

    assert rejected.line == 2
    assert reason in rejected.reason
    with pytest.raises(BadExamples, match=r"1 line\(s\) cannot be used. Line 2: "):
        read_examples(path)


def test_a_post_given_twice_is_rejected_the_second_time(tmp_path: Path) -> None:
    file = read_gold_file(a_file(tmp_path, a_line(), a_line()))

    assert file.rejected == (RejectedLine(2, "post_id 'p1' was given before, on line 1."),)


def test_unsure_answers_are_left_out_and_counted(tmp_path: Path) -> None:
    file = read_gold_file(a_file(tmp_path, with_annotation(verdict="unsure")))

    assert file.unsure == 1
    assert file.examples[0].labels == {}


@pytest.mark.parametrize(("content", "reason"), [(b"", "holds no examples"), (b'{"post_id": "\xff"}', "not UTF-8")])
def test_a_file_that_is_empty_or_not_utf8_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_bytes(content)

    with pytest.raises(BadExamples, match=reason):
        read_examples(path)


def test_a_file_that_is_missing_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BadExamples, match="cannot be read: No such file"):
        read_examples(tmp_path / "none.jsonl")


def test_an_unsure_label_or_one_that_contradicts_itself_cannot_be_made() -> None:
    for verdict, spans in ((Verdict.UNSURE, ()), (Verdict.EVIDENCE, ()), (Verdict.NO_EVIDENCE, (Span(0, 1),))):
        with pytest.raises(InvalidRecord):
            Label(verdict, spans)


def test_gold_of_the_store_becomes_examples_in_the_order_of_the_posts() -> None:
    posts = [a_post(id="p2"), a_post(id="p1"), a_post(id="unread")]
    gold = [gold_of([an_annotation(p, "cannot sleep")]) for p in posts[:2]]

    examples = examples_from_gold(posts, [g for g in gold if g])

    assert [e.post.id for e in examples] == ["p2", "p1"]
    assert examples[0].labels == {SLEEP.id: Label(Verdict.EVIDENCE, (a_span(posts[0], "cannot sleep"),))}


def test_gold_without_its_post_is_an_error() -> None:
    gold = gold_of([an_annotation(a_post(id="p9"), "cannot sleep")])
    assert gold is not None
    with pytest.raises(BadExamples, match="p9"):
        examples_from_gold([], [gold])


def test_the_snapshot_depends_on_content_and_not_on_order_or_split() -> None:
    one, two = an_example(id="p1"), an_example(id="p2")
    moved = Example(a_post(one.post.text, id="p1", split=Split.DEV), one.labels)
    changed = Example(one.post, {SLEEP.id: NOTHING})

    assert content_hash([one, two]) == content_hash([two, moved])
    assert content_hash([one]).sha256 != content_hash([changed]).sha256
    assert list(content_hash([two, one]).rows) == ["p1", "p2"]


def test_labels_are_counted_per_criterion() -> None:
    assert count_labels([an_example(), an_example(id="p2")]) == {
        MOOD.id: LabelCounts(no_evidence=2),
        SLEEP.id: LabelCounts(evidence=2, spans=2, rejected=2),
    }


def test_labels_for_unknown_criteria_are_named() -> None:
    with pytest.raises(BadExamples, match=r"DEPRESSED_MOOD \(1 posts\). Known are: SLEEP_ISSUES"):
        check_criteria([an_example()], [SLEEP])


def test_a_gold_file_is_split_as_an_import_splits_it() -> None:
    """20,000 ids, every other one with an author: the command line, the product's command and an import agree on each."""
    posts = [Post(f"post-{n}", "One line.", author=f"author-{n % 700}" if n % 2 else None) for n in range(20_000)]
    by_split = split_examples(Example(post) for post in posts)
    found = {e.post.id: split for split, examples in by_split.items() for e in examples}

    assert found == {post.id: split_of(post.author or post.id) for post in posts}
    assert all(e.post.split is split for split, examples in by_split.items() for e in examples)
    assert 0.1 < len(by_split[Split.TEST]) / len(posts) < 0.2


def test_a_split_that_is_given_is_kept() -> None:
    given = [Example(Post(f"p{n}", "One line.", split=Split.DEV)) for n in range(50)]
    assert split_examples(given) == {Split.TRAIN: [], Split.DEV: given, Split.TEST: []}
