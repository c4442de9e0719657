"""Makes the bundled model: `python -m recipes.bundled_model.build`. Seeded; about an hour on two CPU cores.

1. a tokenizer is trained; 2. a public sentence encoder (the teacher) is fine-tuned on the corpus and reads it and general text;
3. a small bidirectional Gemma, from random weights, learns the teacher's view of those texts; 4. the n-gram table is fitted, and
the heads are trained on posts composed from the corpus; 5. temperature and thresholds are fitted on the dev voices.
Test voices and test posts are not read here; `benchmarks/bundled_model.py` measures on them and completes the model's card.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import expit

from encoder.bundled import corpus
from encoder.bundled.corpus import CRITERIA, Composed, Composer, Item
from encoder.config import EncoderConfig
from encoder.network.checkpoints import save_encoder
from encoder.network.families import FAMILIES
from encoder.network.hub import BUNDLED_DIRECTORY
from encoder.network.model import EvidenceEncoder
from encoder.text.tokenizer import TextTokenizer
from recipes.bundled_model import augment, card, linear, measure, supervised, teacher, warmup
from recipes.bundled_model.general import DEFAULT_TEXT, read_general
from recipes.bundled_model.teacher import Floats, TeacherView
from recipes.bundled_model.tokenizer import train_tokenizer
from storage.records import Criterion, Split

BUCKETS = 2**18
_STRANGERS = 20_000
_STRANGER_AT_MOST = 0.15
_WIDE_WEIGHT = 1.25


@dataclass(frozen=True)
class Shape:
    """The size of the backbone and its vocabulary."""

    vocabulary: int = 12_000
    hidden: int = 256
    layers: int = 3
    heads: int = 4
    feed_forward: int = 704


@dataclass(frozen=True)
class Material:
    """What is learned from. own: items of the training voices, among them the sentences of
    their `whole` posts; variants: of them, for the teacher; general: other text."""

    own: list[Item]
    general: list[str]
    whole: list[Composed] = field(default_factory=list)
    variants: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, general_text: Sequence[str]) -> Material:
        """The training voices' passages and whole posts, and the texts of `general.read_general`; no variants yet."""
        own = [item for item in corpus.read_items() if item.split is Split.TRAIN]
        posts = [post for post in corpus.read_posts() if post.post.split is Split.TRAIN]
        of_posts, whole = corpus.whole_posts(posts, len(own))
        return cls([*own, *of_posts], read_general(general_text), whole)

    def varied(self, near: Mapping[str, list[str]], seed: int) -> Material:
        """The same with variants of its own texts. near: of `augment.neighbors_of_words`."""
        own, evidence = [item.text for item in self.own], [item.text for item in self.own if item.labels]
        return replace(self, variants=augment.variants(own, evidence, near, seed=seed))

    @property
    def texts(self) -> list[str]:
        """Own, variants, general."""
        return [*(item.text for item in self.own), *self.variants, *self.general]

    @property
    def groups(self) -> list[range]:
        """The places of the three in `texts`."""
        ends = np.cumsum([0, len(self.own), len(self.variants), len(self.general)]).tolist()
        return [range(start, end) for start, end in itertools.pairwise(ends)]

    @property
    def labels(self) -> Floats:
        """(own, criteria) of 0 and 1."""
        return np.array([[float(c in item.labels) for c in CRITERIA] for item in self.own], np.float32)


@dataclass(frozen=True)
class WarmedUp:
    """What the warm-up leaves beside the backbone. Without a teacher: no view of the texts, and no layer that answers."""

    material: Material
    seen: TeacherView | None = None
    answer: torch.nn.Linear | None = None


def main(arguments: Sequence[str] | None = None) -> None:
    options = read_options(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    encoder = build(options)
    save(encoder, options.output)
    say(f"saved at {options.output}")


def build(options: argparse.Namespace) -> EvidenceEncoder:
    """The trained and calibrated encoder."""
    material = Material.read(options.general_text)
    tokenizer = train_tokenizer([i.text for i in material.own] * 3 + material.general, options.shape.vocabulary)
    backbone = new_backbone(options.shape, tokenizer)
    say(f"{len(material.own)} items, {len(material.general)} general texts, {tokenizer.size} tokens")
    warmed = _warm_up(backbone, tokenizer, material, options)
    encoder = new_encoder(backbone, tokenizer)
    return finish(encoder, warmed, options)


def finish(encoder: EvidenceEncoder, warmed: WarmedUp, options: argparse.Namespace) -> EvidenceEncoder:
    """Heads, n-gram table, temperature and thresholds of a new encoder whose backbone has been warmed up, in place.

    options: its `steps` of the heads, and `seed`.
    """
    wordings = read_wordings()
    if warmed.answer is not None:
        supervised.install_answers(encoder, warmed.answer.weight, warmed.answer.bias, wordings[0])
    dev = [item for item in corpus.read_items() if item.split is Split.DEV]
    dev_posts = [post for post in corpus.read_posts() if post.post.split is Split.DEV]
    _supervise(encoder, warmed, lambda model: measure.quality(model, dev, dev_posts, wordings[0]), wordings, options)
    encoder.config, found = measure.calibrated_config(encoder, measure.calibration_groups(dev, dev_posts), wordings[0])
    say(f"temperature {found.temperature:.3f}, thresholds {dict(found.thresholds)}")
    return encoder


def read_wordings(path: Path = corpus.DIRECTORY / "criteria.json") -> list[list[Criterion]]:
    """The criteria in each of their wordings; the first is the default one."""
    rows = json.loads(path.read_text("utf-8"))
    count = len(rows[0]["wordings"])
    return [
        [Criterion(r["id"], r["name"], r["wordings"][n], position=p) for p, r in enumerate(rows)] for n in range(count)
    ]


def new_backbone(shape: Shape, tokenizer: TextTokenizer) -> Any:
    """A Gemma 3 with random weights that attends in both directions."""
    from transformers import Gemma3TextConfig, Gemma3TextModel

    config = Gemma3TextConfig(
        vocab_size=tokenizer.size,
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        head_dim=shape.hidden // shape.heads,
        query_pre_attn_scalar=shape.hidden // shape.heads,
        max_position_embeddings=2048,
        layer_types=["full_attention"] * shape.layers,
        pad_token_id=tokenizer.special("pad"),
        bos_token_id=tokenizer.special("bos"),
        eos_token_id=tokenizer.special("eos"),
    )
    config.is_causal = False
    return Gemma3TextModel(config)


def _warm_up(backbone: Any, tokenizer: TextTokenizer, material: Material, options: argparse.Namespace) -> WarmedUp:
    """Train the backbone, in place, on all texts and, with a teacher, on variants of the own ones."""
    plan = warmup.WarmUp(steps=options.warmup_steps, seed=options.seed)
    if options.teacher == "none":
        mask = tokenizer.special("mask")
        assert mask is not None
        read = warmup.ReadTexts.of(material.texts, tokenizer, material.groups)
        warmup.masked_language_model(backbone, read, plan, mask, say=say)
        return WarmedUp(material)
    model = teacher.Teacher(options.teacher, len(CRITERIA), options.device)
    warmup.start_from_words(backbone, tokenizer, lambda words: teacher.word_vectors(model, words))
    near = augment.neighbors_of_words(tokenizer, lambda words: teacher.word_vectors(model, words))
    material = material.varied(near, options.seed)
    own = [item.text for item in material.own]
    teacher.fine_tune(model, own, material.labels, epochs=options.teacher_epochs, seed=options.seed, say=say)
    seen = teacher.view(model, material.texts, say=say)
    read = warmup.ReadTexts.of(material.texts, tokenizer, material.groups)
    backbone.to(options.device)
    answer = warmup.distill(backbone, read, seen, soft_answers(material, seen), plan, say=say)
    backbone.to("cpu")
    return WarmedUp(material, seen, answer.to("cpu"))


def _supervise(
    encoder: EvidenceEncoder,
    warmed: WarmedUp,
    quality: Callable[[EvidenceEncoder], float],
    wordings: Sequence[Sequence[Criterion]],
    options: argparse.Namespace,
) -> None:
    """Fit the table, train the heads, in place."""
    material, seen = warmed.material, warmed.seen
    own = [item.text for item in material.own]
    voices = [item.voice for item in material.own]
    table = linear.fit_table(own, material.labels, BUCKETS)
    held_out = linear.out_of_fold_logits(own, material.labels, voices, BUCKETS)
    strangers, soft = _strangers(material, seen, options.seed)
    items = [*material.own, *strangers]
    wide = np.concatenate([held_out, table.logits([s.text for s in strangers])]) if strangers else held_out
    wide = _WIDE_WEIGHT * wide
    assert encoder.heads.wide is not None
    table.scaled(_WIDE_WEIGHT).put_into(encoder.heads.wide)
    composer = Composer(items, options.seed, strangers=range(len(material.own), len(items)))
    supervised.train_heads(
        encoder,
        supervised.Material(composer, material.whole, wordings),
        supervised.Targets(np.concatenate([soft_answers(material, seen)[: len(own)], soft]), wide),
        supervised.Plan(steps=options.steps, seed=options.seed),
        quality=quality,
        say=say,
    )


def soft_answers(material: Material, seen: TeacherView | None) -> Floats:
    """Wanted answers for the own texts (half label, half teacher) and, with a teacher, for all others."""
    if seen is None:
        return material.labels
    chances = expit(seen.logits)
    chances[: len(material.own)] = (chances[: len(material.own)] + material.labels) / 2
    return np.asarray(chances, np.float32)


def _strangers(material: Material, seen: TeacherView | None, seed: int) -> tuple[list[Item], Floats]:
    """General texts in which the teacher sees no evidence, as items that may stand in any post, and its answers for them."""
    if seen is None:
        return [], np.zeros((0, len(CRITERIA)), np.float32)
    chances = soft_answers(material, seen)[material.groups[2].start :]
    fit = (chances.max(1) < _STRANGER_AT_MOST) & np.array([len(text) > 15 for text in material.general], np.bool_)
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero(fit))[:_STRANGERS]
    items = [Item(material.general[n], (), "neutral", False, (), "general", Split.TRAIN) for n in chosen]
    return items, chances[chosen]


def new_encoder(backbone: Any, tokenizer: TextTokenizer) -> EvidenceEncoder:
    """The backbone with fresh heads for the nine criteria and an empty n-gram table."""
    config = EncoderConfig(scoring="post-once", known_criteria=CRITERIA, wide_buckets=BUCKETS, version="bundled")
    encoder = EvidenceEncoder(backbone, FAMILIES["gemma3_text"], tokenizer, config)
    assert encoder.heads.criterion_id is not None
    torch.nn.init.normal_(encoder.heads.criterion_id.weight, std=0.5)
    return encoder


def save(encoder: EvidenceEncoder, output: Path) -> None:
    """Write the model directory with its card. Figures of an earlier model do not stay: they are not this one's."""
    encoder.backbone.to(torch.bfloat16)
    voices = card.train_voices(corpus.read_items(), corpus.read_posts())
    save_encoder(encoder, output, documents={"run.json": json.dumps({"voices": voices}, indent=1) + "\n"})
    (output / "metrics.json").unlink(missing_ok=True)
    card.write_card(output)


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m recipes.bundled_model.build", description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=BUNDLED_DIRECTORY)
    parser.add_argument(
        "--general-text", nargs="+", default=[DEFAULT_TEXT], help="text files (.txt, .gz), or datasets of the Hub"
    )
    parser.add_argument(
        "--teacher", default=teacher.DEFAULT_TEACHER, help="Hub id or directory; none for a warm-up without one"
    )
    parser.add_argument("--teacher-epochs", type=int, default=2)
    parser.add_argument("--warmup-steps", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--device", default="cpu", help="where teacher and warm-up compute")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.shape = Shape()
    return options


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    main()
