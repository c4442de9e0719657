"""Distils the bundled model anew from the model on real Gemma: `python -m recipes.bundled_model.from_gemma --work DIR`.

1. The model on real Gemma reads variants of the training passages, and general text. 2. The backbone of the bundled model learns
its vectors and answers, and the labels of the passages. 3. Table, heads, temperature and thresholds as in `build`. What
Gemma has read is kept in the directory and not read again. Test voices and test posts are not read here. What comes out derives from
Gemma, and its terms go with it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from encoder.config import EncoderConfig
from encoder.network.checkpoints import LoadOptions, load_encoder
from encoder.network.hub import BUNDLED_DIRECTORY, GEMMA_DIRECTORY
from encoder.network.model import EvidenceEncoder
from recipes.bundled_model import augment, build, warmup
from recipes.bundled_model.build import Material, WarmedUp, say
from recipes.bundled_model.gemma_view import GemmaView
from recipes.bundled_model.general import DEFAULT_TEXT
from recipes.bundled_model.teacher import TeacherView

_RATE = 1e-3  # half of the first warm-up's: the backbone has learned before
_SURE = 12.0  # the logit of a label


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    start = load_encoder(options.start, LoadOptions("cpu", "float32"))
    material, seen = read(Material.read(options.general_text).varied(neighbors(start), options.seed), options)
    plan = warmup.WarmUp(options.warmup_steps, rate=_RATE, seed=options.seed)
    texts = warmup.ReadTexts.of(material.texts, start.tokenizer, material.groups)
    answer = warmup.distill(start.backbone, texts, seen, build.soft_answers(material, seen), plan, say=say)
    encoder = build.new_encoder(start.backbone, start.tokenizer)
    encoder.config = encoder.config.changed(distilled_from=EncoderConfig.load(GEMMA_DIRECTORY).version)
    build.save(build.finish(encoder, WarmedUp(material, seen, answer), options), options.output)
    say(f"saved at {options.output}")


def neighbors(encoder: EvidenceEncoder) -> dict[str, list[str]]:
    """For each word of the vocabulary those whose embeddings are nearest."""
    table = encoder.backbone.get_input_embeddings().weight.detach().float().numpy()
    places = encoder.tokenizer.backend.get_vocab()
    return augment.neighbors_of_words(encoder.tokenizer, lambda words: table[[places[f"▁{word}"] for word in words]])


def read(material: Material, options: argparse.Namespace) -> tuple[Material, TeacherView]:
    """The variants and general texts that Gemma has read, and what it made of them. Of the own passages the labels are enough.

    options: `texts`, how many it is to read; `work` keeps what it has read.
    """
    view = GemmaView(options.work / "view")
    others = [*material.variants, *material.general]
    drawn = np.random.default_rng(options.seed).permutation(len(others))[: options.texts]
    view.read([others[n] for n in drawn], build.read_wordings()[0], dtype=options.dtype, say=say)
    material = replace(material, variants=view.known(material.variants), general=view.known(material.general))
    vectors, logits = view.of([*material.variants, *material.general])
    own = len(material.own)
    return material, TeacherView(
        texts=np.concatenate([np.zeros((own, vectors.shape[1]), np.float32), vectors]),
        logits=np.concatenate([_SURE * (2 * material.labels - 1), logits]),
        told=np.arange(own + len(vectors)) >= own,
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m recipes.bundled_model.from_gemma", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--work", type=Path, required=True, help="keeps what Gemma has read; give it again to go on")
    parser.add_argument("--start", type=Path, default=BUNDLED_DIRECTORY, help="the small model to begin with")
    parser.add_argument("--output", type=Path, default=BUNDLED_DIRECTORY)
    parser.add_argument(
        "--general-text", nargs="+", default=[DEFAULT_TEXT], help="text files (.txt, .gz), or datasets of the Hub"
    )
    parser.add_argument("--texts", type=int, default=None, help="how many texts Gemma reads; all unless said")
    parser.add_argument("--dtype", default="auto", help="number type that Gemma computes in")
    parser.add_argument("--warmup-steps", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
