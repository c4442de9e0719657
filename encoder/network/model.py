"""EvidenceEncoder: a bidirectional Gemma and the heads that mark evidence for criteria.

It owns the forward pass that is trained, probed and served (there is one), the vectors of the criteria and the dropout. It
knows no files (`encoder.network.checkpoints`) and no characters (`encoder.text.offsets`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from encoder.config import EncoderConfig, TrainConfig
from encoder.network.bases import other_weights
from encoder.network.batching import Batch, Batcher
from encoder.network.cpu import Speed
from encoder.network.dropout import set_dropout
from encoder.network.families import Family, sliding_reach
from encoder.network.heads import LinearHeads, PairHeads, Pool, Scores, masked_mean, sentence_means
from encoder.network.losses import Losses, LossWeights, joint_loss, softmax_loss
from encoder.network.lower import LowerLayers
from encoder.network.packing import additive, pack, packed_mask
from encoder.network.unmasking import keep_causal
from encoder.network.wide import HashedNgrams
from encoder.text.prompts import Prompts
from encoder.text.tokenizer import TextTokenizer
from storage.records import Criterion

DEFAULT_MAX_LENGTH = 8192


class Hidden(NamedTuple):
    """What the backbone made of a batch, fp32. tokens (R, T, H); criteria (C, H), (R, C, H) if packed, None in prompts."""

    tokens: Tensor
    criteria: Tensor | None


class Heads(nn.Module):
    """All that is trained beside the backbone; saved as `heads.safetensors`, always fp32."""

    def __init__(self, config: EncoderConfig, hidden_size: int) -> None:
        super().__init__()
        known = len(config.known_criteria or ())
        self.pool = Pool(config.pooling, config.pooling_k, hidden_size)
        self.linear = None if config.one_pass else LinearHeads(hidden_size)
        self.pair = PairHeads(hidden_size, config.head_size or min(hidden_size, 256)) if config.one_pass else None
        self.criterion_id = nn.Embedding(known, hidden_size) if config.one_pass and known else None
        self.wide = HashedNgrams(config.wide_buckets, known) if config.wide_buckets else None


class EvidenceEncoder(nn.Module):
    """Scores tokens, sentences and posts for criteria. Make one with `encoder.network.checkpoints`, or from a backbone of your own."""

    def __init__(self, backbone: Any, family: Family, tokenizer: TextTokenizer, config: EncoderConfig) -> None:
        super().__init__()
        config.validate()
        self.config, self.family, self.tokenizer = config, family, tokenizer
        add_prompt_tokens(backbone, tokenizer, config)
        keep_causal(backbone, config.causal_layers)
        self.backbone = backbone
        self.heads = Heads(config, self.hidden_size).to(self.device)
        self.loss_weights = LossWeights()
        self.new_criteria: tuple[str, ...] = ()  # what `learn_criteria` has added
        # what `encoder.checkpoints` knows of an adapter: whether the tokenizer is the base's own, the parameters that it replaces
        # whole, which weights its base turned out to have, and whether the backbone is that base, which anybody can get again
        self.tokenizer_of_base = self.stands_on_base = False
        self.replaced: tuple[str, ...] = ()
        self.base_found: Mapping[str, str] = {}
        self.lower: LowerLayers | None = None  # while layers above them are trained alone
        self.speed: Speed | None = None  # how a large backbone computes on this CPU, where that was chosen

    @property
    def backbone_config(self) -> Any:
        return self.backbone.config

    @property
    def attention(self) -> str:
        """Which of the library's implementations computes the attention: `sdpa`, `eager` or another."""
        return str(self.backbone_config._attn_implementation)  # noqa: SLF001 - transformers sets it, and shows it nowhere else

    @property
    def hidden_size(self) -> int:
        return int(self.backbone_config.hidden_size)

    @property
    def device(self) -> torch.device:
        device: torch.device = self.backbone.get_input_embeddings().weight.device
        return device

    @property
    def computes_in(self) -> str:
        """Number type of the backbone's products: float32, bfloat16 or int8."""
        if self.speed is not None:
            return self.speed.dtype
        return str(self.backbone.get_input_embeddings().weight.dtype).removeprefix("torch.")

    @property
    def other_base(self) -> str:
        """What to know if an adapter stands on other weights than those it was trained on; empty if it does not."""
        return other_weights(self.config, self.base_found)

    @property
    def prompts(self) -> Prompts:
        allowed = getattr(self.backbone_config, "max_position_embeddings", None) or DEFAULT_MAX_LENGTH
        return Prompts(self.tokenizer, self.config, min(allowed, self.config.max_length or allowed))

    def batcher(self, criteria: Sequence[Criterion], **options: Any) -> Batcher:
        """What makes the batches of this encoder for these criteria; options as for Batcher."""
        return Batcher(self.prompts, criteria, **options)

    def prepare_training(self, train: TrainConfig) -> None:
        """Set the losses' weights and the dropout; dropout acts in training mode only."""
        self.loss_weights = LossWeights.of(train)
        set_dropout(self.backbone, attention=train.attention_dropout, hidden=train.hidden_dropout)

    def activation_checkpointing_enable(self, **options: Any) -> None:
        """Compute activations again in the backward pass instead of keeping them; options as in transformers."""
        self.backbone.activation_checkpointing_enable(**options)

    def forward(self, **tensors: Tensor) -> dict[str, Any]:
        """`model(**batch.tensors())`. Returns `scores`, and with labels `loss` (scalar, fp32) and its parts in `losses`."""
        batch = Batch(**tensors)
        scores = self.score(batch)
        if batch.sentence_labels is None:
            return {"scores": scores}
        losses = self.loss(scores, batch)
        return {"loss": losses.total, "scores": scores, "losses": losses}

    def loss(self, scores: Scores, batch: Batch) -> Losses:
        compute = softmax_loss if self.config.span_head == "softmax" else joint_loss
        return compute(scores, batch, self.loss_weights)

    def score(self, batch: Batch, criteria: Tensor | None = None) -> Scores:
        """Logits for a batch of R rows (windows of posts), T tokens, S sentences and C criteria, in fp32.

        criteria: vectors from `criterion_vectors`, (C, H), to save computing them again (post-once only).
        Returns Scores: tokens (R, T, C, 3) as inside, start, end; sentences (R, S, C); posts (R, C).
        """
        return self.answers(self.encode(batch, criteria), batch)

    def answers(self, hidden: Hidden, batch: Batch) -> Scores:
        """What the heads and the n-gram table make of a batch that has been encoded; as in `score`."""
        # under autocast the heads would fall back to bf16
        with torch.autocast(hidden.tokens.device.type, enabled=False):
            scores = self._heads_on(hidden, batch)
            return scores if self.heads.wide is None else self._add_wide(scores, batch)

    def encode(self, batch: Batch, criteria: Tensor | None = None) -> Hidden:
        """The backbone's view of a batch: last hidden states (R, T, H) and criterion vectors, in the backbone's number type.

        It is the path that is trained and served, and that the probes look at. criteria: as in `score`.
        """
        if self.config.scoring == "packed":
            return self._encode_packed(batch)
        hidden = self.hidden_states(batch.input_ids, batch.attention_mask)
        if self.config.scoring == "post-once" and criteria is None:
            assert batch.criterion_ids is not None
            assert batch.criterion_mask is not None
            criteria = self.criterion_vectors(batch.criterion_ids, batch.criterion_mask, batch.criterion_index[0])
        return Hidden(hidden, criteria)

    def criterion_vectors(self, ids: Tensor, mask: Tensor, index: Tensor) -> Tensor:
        """Vectors of criteria read without a post: (K, L), (K, L), place in known_criteria (K,) -> (K, H), fp32."""
        return self._with_ids(masked_mean(self.hidden_states(ids, mask), mask), index)

    def hidden_states(self, input_ids: Tensor, attention_mask: Any, **positions: Tensor) -> Tensor:
        """The backbone's last hidden state, fp32: ids (R, T), 1 for text in the mask (R, T) -> (R, T, H)."""
        output = self.backbone(input_ids=input_ids, attention_mask=attention_mask, **positions)
        hidden: Tensor = output.last_hidden_state
        return hidden.float()

    def _encode_packed(self, batch: Batch) -> Hidden:
        assert batch.criterion_ids is not None
        assert batch.criterion_mask is not None
        packed = pack(batch.input_ids, batch.attention_mask, batch.criterion_ids, batch.criterion_mask)
        masks = {
            "full_attention": self._mask_form(packed_mask(packed)),
            "sliding_attention": self._mask_form(
                packed_mask(packed, reach=sliding_reach(self.family, self.backbone_config))
            ),
        }
        mask = masks if self.family.masks == "by_layer" else masks["full_attention"]
        hidden = self.hidden_states(packed.input_ids, mask, position_ids=packed.position_ids)
        length = batch.input_ids.shape[1]
        numbers = torch.arange(len(batch.criterion_ids), device=packed.owner.device)
        member = packed.owner[None, length:] == numbers[:, None]  # (K, M)
        vectors = masked_mean(hidden[:, None, length:], member[None])
        return Hidden(hidden[:, :length], self._with_ids(vectors, batch.criterion_index[0]))

    def _mask_form(self, mask: Tensor) -> Tensor:
        """Eager attention adds its mask to the scores; sdpa takes a boolean one."""
        eager = self.attention == "eager"
        return additive(mask, self.backbone.get_input_embeddings().weight.dtype) if eager else mask

    def _with_ids(self, vectors: Tensor, index: Tensor) -> Tensor:
        if self.heads.criterion_id is None:
            return vectors
        return vectors + self.heads.criterion_id(index.clamp(min=0)) * (index >= 0).unsqueeze(-1)

    def _heads_on(self, hidden: Hidden, batch: Batch) -> Scores:
        sentences = sentence_means(hidden.tokens, batch.sentence_index, batch.sentence_mask.shape[1])
        post = self.heads.pool(hidden.tokens, batch.post_mask)
        if self.heads.linear is not None:
            return self.heads.linear(hidden.tokens, sentences, post)
        assert self.heads.pair is not None
        assert hidden.criteria is not None
        return self.heads.pair(hidden.tokens, sentences, post, hidden.criteria)

    def _add_wide(self, scores: Scores, batch: Batch) -> Scores:
        """Add the n-gram table's logits to the sentences', for criteria that have a column in it."""
        assert self.heads.wide is not None
        assert batch.wide_ids is not None
        assert batch.wide_offsets is not None
        logits = self.heads.wide(batch.wide_ids, batch.wide_offsets)  # (sentences that are there, known)
        rows, place = batch.sentence_mask.nonzero(as_tuple=True)
        index = batch.criterion_index[rows]  # (sentences that are there, C)
        chosen = logits.gather(1, index.clamp(min=0)) * (index >= 0)
        added = scores.sentences.new_zeros(scores.sentences.shape).index_put((rows, place), chosen)
        return scores._replace(sentences=scores.sentences + added)

    def learn_criteria(self, ids: Sequence[str]) -> None:
        """Make room for criteria that the model does not know yet; what it knows of the others stays as it is.

        Does nothing for an encoder that answers any criterion.
        """
        known = self.config.known_criteria
        new = [i for i in ids if i not in (known or ())]
        if known is None or not new:
            return
        before = self.heads
        self.new_criteria += tuple(new)
        self.config = self.config.changed(known_criteria=(*known, *new))
        self.heads = Heads(self.config, self.hidden_size).to(self.device)
        with torch.no_grad():
            for name, value in self.heads.state_dict().items():
                old = before.state_dict()[name]
                value[tuple(slice(0, size) for size in old.shape)] = old


def add_prompt_tokens(backbone: Any, tokenizer: TextTokenizer, config: EncoderConfig) -> None:
    """Add the prompt's marks to the tokenizer, and rows with the mean of the other embeddings to the backbone.

    Marks that the vocabulary has (Gemma's `<unused0>` and so on) cost nothing: its table is large, and copied where it grows.
    """
    tokenizer.add(config.prompt_tokens)
    rows = backbone.get_input_embeddings().weight.shape[0]
    if tokenizer.size <= rows:
        return
    tables = [backbone.get_input_embeddings()]
    if hasattr(backbone, "embed_tokens_per_layer"):  # Gemma 4's second embedding, resized by the same call
        tables.append(backbone.embed_tokens_per_layer)
    means = [table.weight.detach().float().mean(0) for table in tables]
    backbone.resize_token_embeddings(tokenizer.size, mean_resizing=False)
    tables = [backbone.get_input_embeddings()]
    if len(means) > 1:
        tables.append(backbone.embed_tokens_per_layer)
    with torch.no_grad():
        for table, mean in zip(tables, means, strict=True):
            table.weight[rows:] = mean.to(table.weight.dtype)
