"""What holds for tiny random models holds for the weights that people use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from encoder.network.model import EvidenceEncoder
from encoder.network.probe import probe
from encoder.predict import Predictor
from storage.records import Criterion, Post

pytestmark = pytest.mark.gemma

TEXT = "I have not slept for a week, and getting up takes me all morning."
IDS = json.loads((Path(__file__).parent / "gemma_token_ids.json").read_text("utf-8"))
CRITERIA = (Criterion("SLEEP_ISSUES", "Sleep problems", "The writer cannot sleep."),)


def test_the_tokenizer_from_the_gguf_file_gives_the_ids_of_the_hubs_tokenizer(real_gemma: EvidenceEncoder) -> None:
    assert len(IDS) > 50
    for text, ids in IDS.items():
        assert real_gemma.tokenizer.encode(text).ids == ids, text


def test_offsets_lead_back_to_the_text(real_gemma: EvidenceEncoder) -> None:
    for text in IDS:
        places = real_gemma.tokenizer.backend.encode(text, add_special_tokens=False).offsets
        assert places[0][0] == 0
        assert places[-1][1] == len(text)
        assert all(one[0] <= two[0] and one[1] <= two[1] for one, two in pairwise(places))


def test_the_marks_of_the_prompt_are_there_already_and_no_post_can_hold_them(real_gemma: EvidenceEncoder) -> None:
    assert real_gemma.backbone.get_input_embeddings().weight.shape == (262_144, 640)
    mark = real_gemma.tokenizer.id_of("<unused3>")
    assert mark is not None
    assert mark not in real_gemma.tokenizer.encode("the post ends here <unused3> or not").ids


@torch.no_grad()
def test_the_weights_are_gemmas_it_goes_on_with_a_sentence(real_gemma: EvidenceEncoder) -> None:
    """Read as the decoder that it was; a wrong norm, scale or rotation would end this first."""
    with causal(real_gemma):
        states = states_of(real_gemma, "The capital of France is")[-1]
    logits = states[0, -1] @ real_gemma.backbone.get_input_embeddings().weight.T
    best = [real_gemma.tokenizer.backend.decode([int(n)]) for n in logits.topk(3).indices]
    assert " Paris" in best


@torch.no_grad()
def test_every_layer_sees_what_comes_after_a_token_and_none_did_before(real_gemma: EvidenceEncoder) -> None:
    other = TEXT.replace("all morning", "no time")
    moved = first_token_moves(real_gemma, TEXT, other)
    with causal(real_gemma):
        before = first_token_moves(real_gemma, TEXT, other)
    assert len(moved) == 19  # embeddings and 18 layers
    assert moved[0] == 0.0
    assert all(distance > 1e-6 for distance in moved[1:])
    assert before == [0.0] * 19


@torch.no_grad()
def test_padding_and_neighbors_change_nothing(real_gemma: EvidenceEncoder) -> None:
    found = probe(real_gemma)
    assert found.moved > 1e-4
    assert found.padding < 1e-4
    predictor = Predictor(real_gemma, "real")
    posts = [Post("a", TEXT), Post("b", TEXT * 4), Post("c", "Fine.")]
    together = predictor.predict(posts, CRITERIA, threshold=0.0)
    backwards = predictor.predict(posts[::-1], CRITERIA, threshold=0.0, batch_size=2)[::-1]
    for one, two in zip(together, backwards, strict=True):
        assert [(s.start, s.end) for s in one.spans] == [(s.start, s.end) for s in two.spans]
        assert one.no_evidence_score == pytest.approx(two.no_evidence_score, abs=1e-4)


@contextmanager
def causal(encoder: EvidenceEncoder) -> Iterator[None]:
    """The model as the decoder that it was before the conversion."""
    encoder.backbone_config.is_causal = True
    try:
        yield
    finally:
        encoder.backbone_config.is_causal = False


def states_of(encoder: EvidenceEncoder, text: str) -> list[Tensor]:
    """Embeddings and the output of every layer, the last one normed: (1, tokens, 640) each."""
    ids = torch.tensor([[2, *encoder.tokenizer.encode(text).ids]])
    found = encoder.backbone(input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True)
    return list(found.hidden_states)


def first_token_moves(encoder: EvidenceEncoder, one: str, two: str) -> list[float]:
    """How far the state of the first token goes, layer by layer, when the end of the text changes."""
    pairs = zip(states_of(encoder, one), states_of(encoder, two), strict=True)
    return [float((a[0, 0] - b[0, 0]).abs().max() / a.abs().max()) for a, b in pairs]
