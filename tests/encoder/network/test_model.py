"""EvidenceEncoder: one-pass answers stand alone, masked labels add nothing, heads and dropout do what their settings say."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from encoder.config import TrainConfig
from encoder.examples import Example, Label
from encoder.network.batching import IGNORED, Batch
from encoder.network.heads import Pool
from encoder.network.model import EvidenceEncoder
from storage.records import Post, Verdict
from tests.builders import a_post, a_span
from tests.encoder.tiny import CRITERIA, TEXTS, tiny_encoder

SLEEP, MOOD, FATIGUE = CRITERIA
SCORINGS = ["per-criterion", "packed", "post-once"]
POST = Post("p", " ".join(TEXTS[:3]))
OTHER = Post("q", "We walked.")


def a_batch(encoder: EvidenceEncoder, *posts: Post, criteria: tuple = CRITERIA) -> Batch:
    batcher = encoder.batcher(criteria)
    return batcher.batch([row for n, post in enumerate(posts) for row in batcher.rows(batcher.read(post), n)])


def labeled(encoder: EvidenceEncoder, *posts: Post, criteria: tuple = CRITERIA) -> Batch:
    labels = {
        SLEEP.id: Label(Verdict.EVIDENCE, (a_span(POST, "I cannot sleep"),)),
        MOOD.id: Label(Verdict.NO_EVIDENCE),
    }
    examples = [Example(post, labels if post is POST else {MOOD.id: Label(Verdict.NO_EVIDENCE)}) for post in posts]
    batch = encoder.batcher(criteria).examples(examples)
    assert batch is not None
    return batch


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_packed_answer_does_not_depend_on_which_other_criteria_are_asked(attention: str) -> None:
    encoder = tiny_encoder(scoring="packed")
    encoder.backbone.set_attn_implementation(attention)
    with torch.no_grad():
        together = encoder.score(a_batch(encoder, POST))
        turned = encoder.score(a_batch(encoder, POST, criteria=(FATIGUE, MOOD, SLEEP)))
        for k, criterion in enumerate(CRITERIA):
            alone = encoder.score(a_batch(encoder, POST, criteria=(criterion,)))
            torch.testing.assert_close(alone.tokens[:, :, 0], together.tokens[:, :, k], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(alone.sentences[..., 0], together.sentences[..., k], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(turned.posts[:, 2 - k], together.posts[:, k], atol=1e-4, rtol=1e-4)


def test_packed_criteria_see_the_post_and_the_post_does_not_see_them() -> None:
    encoder = tiny_encoder(scoring="packed")
    with torch.no_grad():
        one = encoder.encode(a_batch(encoder, POST))
        two = encoder.encode(a_batch(encoder, Post("r", POST.text.replace("dog", "cow"))))
        alone = encoder.encode(a_batch(encoder, POST, criteria=(FATIGUE,)))
    assert one.criteria is not None
    assert two.criteria is not None
    assert (one.criteria - two.criteria).abs().max() > 1e-3
    torch.testing.assert_close(one.tokens, alone.tokens, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scoring", SCORINGS)
def test_a_shorter_neighbor_in_the_batch_changes_nothing(scoring: str) -> None:
    encoder = tiny_encoder(scoring=scoring, wide_buckets=64)
    columns = 3 if scoring == "per-criterion" else 1
    with torch.no_grad():
        alone = encoder.score(a_batch(encoder, OTHER))
        beside = encoder.score(a_batch(encoder, POST, OTHER))
    rows = slice(len(beside.sentences) - columns, None)
    torch.testing.assert_close(beside.sentences[rows, :1], alone.sentences, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(beside.posts[rows], alone.posts, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("span_head", ["joint", "softmax"])
def test_labels_of_minus_100_add_exactly_nothing(scoring: str, span_head: str) -> None:
    encoder = tiny_encoder(scoring=scoring, span_head=span_head)
    batch = labeled(encoder, POST, OTHER)
    nothing = {n: torch.full_like(t, IGNORED) for n, t in batch.tensors().items() if n.endswith("_labels")}
    empty = replace(batch, **nothing)
    assert encoder(**empty.tensors())["loss"].item() == 0.0
    encoder(**empty.tensors())["loss"].backward()
    assert all(p.grad is None or not p.grad.any() for p in encoder.parameters())


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("span_head", ["joint", "softmax"])
def test_every_head_takes_part_in_every_loss(scoring: str, span_head: str) -> None:
    encoder = tiny_encoder(scoring=scoring, span_head=span_head, wide_buckets=64, pooling="attention")
    encoder(**labeled(encoder, POST).tensors())["loss"].backward()
    untouched = [name for name, p in encoder.named_parameters() if p.grad is None]
    assert untouched == []


@pytest.mark.parametrize("scoring", SCORINGS)
def test_the_gradient_of_an_unreviewed_criterion_is_zero(scoring: str) -> None:
    encoder = tiny_encoder(scoring=scoring, wide_buckets=64)
    encoder(**labeled(encoder, POST).tensors())["loss"].backward()
    assert encoder.heads.wide is not None
    columns = encoder.heads.wide.bias.grad
    assert columns is not None
    assert columns[:2].abs().min() > 0
    assert columns[2] == 0


def test_a_batch_costs_the_mean_of_its_posts() -> None:
    encoder = tiny_encoder(window_tokens=24, stride_tokens=4)
    both = encoder(**labeled(encoder, POST, OTHER).tensors())["loss"]
    each = [encoder(**labeled(encoder, post).tensors())["loss"] for post in (POST, OTHER)]
    torch.testing.assert_close(both, (each[0] + each[1]) / 2, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("span_head", ["joint", "softmax"])
def test_a_few_steps_lower_the_loss(scoring: str, span_head: str) -> None:
    encoder = tiny_encoder(scoring=scoring, span_head=span_head, wide_buckets=64)
    batch = labeled(encoder, POST, OTHER).tensors()
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=3e-3)
    losses = []
    for _ in range(15):
        loss = encoder(**batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_logits_and_loss_are_fp32_under_bf16_weights() -> None:
    encoder = tiny_encoder()
    encoder.backbone.to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = encoder(**labeled(encoder, POST).tensors())
    assert output["loss"].dtype is torch.float32
    assert output["scores"].sentences.dtype is torch.float32


def test_heads_start_as_the_guide_says_and_the_table_changes_nothing_before_training() -> None:
    encoder = tiny_encoder(scoring="per-criterion", wide_buckets=64)
    assert encoder.heads.linear is not None
    bound = (6 / (32 + 3)) ** 0.5
    assert 0.5 * bound < encoder.heads.linear.tokens.weight.abs().max() <= bound
    assert not encoder.heads.linear.tokens.bias.any()
    with torch.no_grad():
        with_table = encoder.score(a_batch(encoder, POST)).sentences
        encoder.heads.wide = None
        torch.testing.assert_close(encoder.score(a_batch(encoder, POST)).sentences, with_table)


def test_the_marks_of_the_prompt_get_the_mean_of_the_other_embeddings() -> None:
    encoder = tiny_encoder()
    weight = encoder.backbone.get_input_embeddings().weight
    marks = [encoder.tokenizer.id_of(t) for t in encoder.config.prompt_tokens]
    assert weight.shape[0] == encoder.tokenizer.size == max(m for m in marks if m) + 1
    others = weight[: min(m for m in marks if m is not None)]
    for mark in marks:
        torch.testing.assert_close(weight[mark], others.mean(0))


def test_learning_a_new_criterion_leaves_the_answers_for_the_others_as_they_were() -> None:
    encoder = tiny_encoder(known_criteria=(SLEEP.id, MOOD.id), wide_buckets=64)
    with torch.no_grad():
        before = encoder.score(a_batch(encoder, POST, criteria=(SLEEP, MOOD)))
        encoder.learn_criteria([MOOD.id, FATIGUE.id])
        after = encoder.score(a_batch(encoder, POST))
    assert encoder.config.known_criteria == (SLEEP.id, MOOD.id, FATIGUE.id)
    torch.testing.assert_close(after.sentences[..., :2], before.sentences)
    torch.testing.assert_close(after.tokens[:, :, :2], before.tokens)


def test_dropout_acts_in_training_mode_only_and_can_be_set_again() -> None:
    encoder = tiny_encoder()
    batch = a_batch(encoder, POST)
    calm = encoder.score(batch).sentences
    encoder.prepare_training(TrainConfig(attention_dropout=0.5, hidden_dropout=0.5))
    torch.testing.assert_close(encoder.score(batch).sentences, calm)
    encoder.train()
    assert not torch.equal(encoder.score(batch).sentences, encoder.score(batch).sentences)
    encoder.prepare_training(TrainConfig(attention_dropout=0.0, hidden_dropout=0.0))
    torch.testing.assert_close(encoder.score(batch).sentences, calm)


def test_hidden_dropout_alone_also_acts() -> None:
    encoder = tiny_encoder().train()
    encoder.prepare_training(TrainConfig(attention_dropout=0.0, hidden_dropout=0.5))
    batch = a_batch(encoder, POST)
    assert not torch.equal(encoder.score(batch).sentences, encoder.score(batch).sentences)


def test_gradient_checkpointing_gives_the_same_gradients() -> None:
    gradients = []
    for checkpointing in (False, True):
        encoder = tiny_encoder().train()
        if checkpointing:
            encoder.activation_checkpointing_enable()
        encoder(**labeled(encoder, POST).tensors())["loss"].backward()
        gradients.append(encoder.backbone.layers[0].mlp.down_proj.weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize(("kind", "expected"), [("mean", 3.0), ("first_k", 2.5), ("last_k", 3.5), ("attention", 3.0)])
def test_pooling_reads_the_posts_tokens_and_nothing_else(kind: str, expected: float) -> None:
    pool = Pool(kind, 2, 1)  # type: ignore[arg-type]
    if pool.query is not None:
        torch.nn.init.zeros_(pool.query.weight)
    hidden = torch.tensor([[[9.0], [2.0], [3.0], [4.0], [9.0]]])
    mask = torch.tensor([[0, 1, 1, 1, 0]])
    assert pool(hidden, mask).item() == pytest.approx(expected)
    assert pool(hidden, torch.zeros_like(mask)).item() == 0.0


def test_attention_pooling_prefers_what_its_query_asks_for() -> None:
    pool = Pool("attention", 1, 1)
    assert pool.query is not None
    torch.nn.init.constant_(pool.query.weight, 50.0)
    assert pool(torch.tensor([[[1.0], [2.0]]]), torch.ones(1, 2)).item() == pytest.approx(2.0)


def test_a_post_without_a_batch_of_labels_says_how_to_make_one() -> None:
    encoder = tiny_encoder()
    batch = a_batch(encoder, a_post())
    with pytest.raises(ValueError, match=r"Batcher\.examples"):
        encoder.loss(encoder.score(batch), batch)
