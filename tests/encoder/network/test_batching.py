"""Batches: labels stand on the right tokens and sentences; what was not reviewed is masked; nothing is lost in silence."""

from __future__ import annotations

import pytest
import torch

from encoder.errors import EncoderError
from encoder.examples import Example, Label
from encoder.network.batching import IGNORED
from encoder.text.prompts import Prompts
from storage.records import Criterion, Post, Span, Verdict
from tests.builders import a_post, a_span
from tests.encoder.tiny import CRITERIA, TEXTS, tiny_config, tiny_encoder, tiny_tokenizer

SLEEP, MOOD, FATIGUE = CRITERIA


def evidence(post: Post, *words: str) -> Label:
    return Label(Verdict.EVIDENCE, tuple(a_span(post, w) for w in words))


NONE = Label(Verdict.NO_EVIDENCE)


def test_labels_mark_the_tokens_and_the_sentence_of_each_span() -> None:
    post = a_post("I cannot sleep. The dog is well. I lie awake.")
    batcher = tiny_encoder().batcher(CRITERIA)
    batch = batcher.examples([Example(post, {SLEEP.id: evidence(post, "cannot sleep", "I lie awake."), MOOD.id: NONE})])
    assert batch is not None
    assert batch.sentence_labels is not None
    assert batch.sentence_labels[0].tolist() == [[1, 0, IGNORED], [0, 0, IGNORED], [1, 0, IGNORED]]
    read = batcher.read(post)
    inside, start, end = batch.token_labels[0, batcher.prefix_length :, 0].unbind(-1)  # type: ignore[index]
    for words in ("cannot sleep", "I lie awake."):
        span = a_span(post, words)
        token_start, token_end = read.map.tokens(span.start, span.end)
        assert inside[token_start:token_end].eq(1).all()
        assert (start[token_start], end[token_end - 1]) == (1, 1)
    assert start[: len(read.ids)].sum() == 2
    assert end[: len(read.ids)].sum() == 2
    assert batch.post_labels.tolist() == [[1, 0, IGNORED]]  # type: ignore[union-attr]


def test_the_prompt_and_the_padding_have_no_labels() -> None:
    short, long = a_post("I cannot sleep."), a_post(" ".join(TEXTS[:2]), id="p2")
    batcher = tiny_encoder().batcher(CRITERIA)
    batch = batcher.examples([Example(p, {SLEEP.id: NONE}) for p in (short, long)])
    assert batch is not None
    outside = batch.post_mask == 0
    assert (batch.token_labels[outside] == IGNORED).all()  # type: ignore[index]
    assert (batch.token_labels[~outside][:, 0] == 0).all()  # type: ignore[index]
    assert (batch.sentence_index[outside] == -1).all()


def test_a_criterion_that_was_not_reviewed_is_masked() -> None:
    post = a_post()
    batcher = tiny_encoder().batcher(CRITERIA)
    batch = batcher.examples([Example(post, {SLEEP.id: NONE})])
    assert batch is not None
    assert (batch.sentence_labels[..., 1:] == IGNORED).all()  # type: ignore[index]
    assert (batch.span_labels[:, 1:] == IGNORED).all()  # type: ignore[index]
    assert batcher.examples([Example(post, {"OTHER": NONE})]) is None


def test_per_criterion_prompts_are_made_for_reviewed_criteria_only() -> None:
    encoder = tiny_encoder(scoring="per-criterion", known_criteria=None)
    batch = encoder.batcher(CRITERIA).examples([Example(a_post(), {SLEEP.id: NONE, FATIGUE.id: NONE})])
    assert batch is not None
    assert batch.input_ids.shape[0] == 2
    assert batch.criterion_index.tolist() == [[-1], [-1]]


def test_the_guides_prompt_holds_post_and_criterion_whole() -> None:
    encoder = tiny_encoder(scoring="per-criterion", known_criteria=None, window_tokens=16, stride_tokens=4)
    post = Post("p", " ".join(TEXTS))
    batcher = encoder.batcher([FATIGUE])
    batch = batcher.batch(batcher.rows(batcher.read(post)))
    criterion = encoder.prompts.criterion(FATIGUE)
    assert batch.input_ids.shape[0] > 3
    for ids, mask in zip(batch.input_ids, batch.attention_mask, strict=True):
        real = ids[mask == 1].tolist()
        assert real[-len(criterion) :] == criterion
    decoded = encoder.tokenizer.backend.decode(batch.input_ids[0].tolist(), skip_special_tokens=False)
    assert decoded.startswith(
        "<bos>[INST] Extract the evidence sentence that supports the diagnostic criterion. [/INST][POST]"
    )
    assert f"[/POST][CRITERION] {FATIGUE.text} [/CRITERION]" in decoded


def test_criteria_that_leave_no_room_for_the_post_are_refused_with_the_longest_ones_name() -> None:
    endless = Criterion("ENDLESS", "Endless", "very " * 600)
    for scoring in ("per-criterion", "packed", "post-once"):
        with pytest.raises(EncoderError, match="longest is ENDLESS"):
            tiny_encoder(scoring=scoring).batcher([SLEEP, endless])


def test_a_criterion_takes_its_room_from_the_window_and_never_the_other_way_round() -> None:
    tokenizer = tiny_tokenizer()
    config = tiny_config(scoring="packed")
    tokenizer.add(config.prompt_tokens)
    criteria = sum(len(Prompts(tokenizer, config, 512).criterion(c)) for c in CRITERIA)
    assert Prompts(tokenizer, config, 512).window_tokens(CRITERIA) == 64
    assert Prompts(tokenizer, config, criteria + 3 + 20).window_tokens(CRITERIA) == 20


def test_a_span_over_two_windows_is_marked_in_both_with_one_start_and_one_end() -> None:
    text = " ".join(TEXTS * 3)
    post = Post("p", text)
    label = Label(Verdict.EVIDENCE, (Span(0, len(text)),))
    batcher = tiny_encoder(window_tokens=32, stride_tokens=0).batcher([SLEEP])
    batch = batcher.examples([Example(post, {SLEEP.id: label})])
    assert batch is not None
    labels = batch.token_labels[..., 0, :][batch.post_mask == 1]  # type: ignore[index]
    assert labels.sum(0).tolist() == [len(labels), 1.0, 1.0]


def test_token_masking_hides_about_the_share_that_was_asked() -> None:
    encoder = tiny_encoder(window_tokens=500)
    batcher = encoder.batcher([SLEEP], token_masking=0.5, seed=3)
    batch = batcher.batch(batcher.rows(batcher.read(Post("p", " ".join(TEXTS * 3)))))
    hidden = batch.input_ids == encoder.tokenizer.special("mask")
    assert not hidden[batch.post_mask == 0].any()
    assert 0.4 < float(hidden.sum() / batch.post_mask.sum()) < 0.6


def test_a_batch_travels_as_keywords() -> None:
    batcher = tiny_encoder(wide_buckets=64).batcher(CRITERIA)
    batch = batcher.examples([Example(a_post(), {SLEEP.id: NONE})])
    assert batch is not None
    assert all(isinstance(value, torch.Tensor) for value in batch.tensors().values())
    assert {"wide_ids", "sentence_labels", "criterion_ids"} <= set(batch.to("cpu").tensors())
