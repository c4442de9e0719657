"""Four ways to mark nine criteria in a post, with the same small Gemma-3-shaped weights, on the CPU.

    python -m benchmarks.recipes_cpu [--threads 1] [--seconds 2]

The guide's recipe makes nine prompts and pads each to 1,024 tokens; longer posts are read by it in windows here, because it
would cut them off. The pipeline is what `transformers` did for question answering until version 5 removed it: one question at
a time, windows of 384 tokens that share 128, padded. Prints a Markdown table; times are medians, weights are random.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from encoder.config import EncoderConfig
from encoder.network.families import FAMILIES, make_bidirectional
from encoder.network.hub import BUNDLED_DIRECTORY
from encoder.network.model import EvidenceEncoder
from encoder.predict import Predictor
from encoder.text.tokenizer import TextTokenizer
from storage.records import Criterion, Post

LENGTHS = (50, 300, 2000)
GUIDE_TOKENS = 1024
PIPELINE_TOKENS, PIPELINE_STRIDE = 384, 128
SENTENCE = "I have not slept well for weeks and nothing that I used to like is any fun to me now. "
CRITERIA = [
    Criterion(f"C{n}", f"Criterion {n}", f"The writer describes sign number {n} of a low mood nearly every day.")
    for n in range(9)
]


def encoder(scoring: str) -> EvidenceEncoder:
    """A random Gemma-3-shaped encoder of about 4 million parameters, the same for every way of scoring."""
    from transformers import Gemma3TextConfig, Gemma3TextModel

    torch.manual_seed(0)
    tokenizer = TextTokenizer.load(BUNDLED_DIRECTORY)
    shape = Gemma3TextConfig(
        vocab_size=tokenizer.size,
        hidden_size=192,
        intermediate_size=576,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=48,
        max_position_embeddings=4096,
        sliding_window=256,
        use_cache=False,
        attn_implementation="sdpa",
    )
    make_bidirectional(shape, FAMILIES["gemma3_text"])
    known = tuple(c.id for c in CRITERIA)
    config = EncoderConfig(scoring=scoring, known_criteria=known)  # type: ignore[arg-type]
    return EvidenceEncoder(Gemma3TextModel(shape), FAMILIES["gemma3_text"], tokenizer, config).eval()


def post_of(words: int) -> Post:
    text = (SENTENCE * (words // len(SENTENCE.split()) + 1)).split()[:words]
    return Post("p", " ".join(text))


def fixed_prompts(model: EvidenceEncoder, post: Post, *, length: int, stride: int) -> list[list[int]]:
    """For each criterion the windows of the post that fit into prompts of `length` tokens."""
    tokenizer = model.tokenizer
    ids = tokenizer.ids(post.text)
    prompts = []
    for criterion in CRITERIA:
        frame = tokenizer.ids(f"Extract the evidence sentence. {criterion.text}")
        room = length - len(frame)
        start = 0
        while True:
            prompts.append([*frame, *ids[start : start + room]])
            if start + room >= len(ids):
                break
            start += room - stride
    return prompts


@torch.inference_mode()
def run_padded(model: EvidenceEncoder, post: Post, *, length: int, stride: int, at_once: int) -> None:
    """Prompts padded to `length`, `at_once` of them in a batch, through the backbone."""
    prompts = fixed_prompts(model, post, length=length, stride=stride)
    for first in range(0, len(prompts), at_once):
        chunk = prompts[first : first + at_once]
        ids = torch.zeros(len(chunk), length, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(chunk):
            ids[row, : len(prompt)] = torch.tensor(prompt)
            mask[row, : len(prompt)] = 1
        model.backbone(input_ids=ids, attention_mask=mask)


def median_seconds(run: Callable[[], Any], *, least: float) -> float:
    """The median time of at least three runs that take `least` seconds together, after one to warm up."""
    run()
    times: list[float] = []
    while len(times) < 3 or sum(times) < least:
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def measure(words: int, models: dict[str, EvidenceEncoder], *, least: float) -> dict[str, float]:
    post = post_of(words)
    plain = models["per-criterion"]
    runs: dict[str, Callable[[], Any]] = {
        "guide's recipe": lambda: run_padded(plain, post, length=GUIDE_TOKENS, stride=64, at_once=9),
        "question-answering pipeline": lambda: run_padded(
            plain, post, length=PIPELINE_TOKENS, stride=PIPELINE_STRIDE, at_once=1
        ),
    }
    for name, model in models.items():
        predictor = Predictor(model, "benchmark")
        runs[f"ours, {name}"] = lambda p=predictor: p.predict([post], CRITERIA)  # type: ignore[misc]
    return {name: median_seconds(run, least=least) for name, run in runs.items()}


def table(found: dict[int, dict[str, float]]) -> str:
    lengths = list(found)
    lines = ["| way | " + " | ".join(f"{n} words" for n in lengths) + " |", "|---|" + "---|" * len(lengths)]
    for name in found[lengths[0]]:
        cells = []
        for n in lengths:
            seconds, recipe = found[n][name], found[n]["guide's recipe"]
            cells.append(f"{1000 * seconds:.0f} ms ({recipe / seconds:.1f}x)")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0, help="time spent on each cell of the table")
    parser.add_argument("--words", type=int, nargs="+", default=LENGTHS)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    models = {scoring: encoder(scoring) for scoring in ("per-criterion", "packed", "post-once")}
    parameters = sum(p.numel() for p in models["packed"].backbone.parameters())
    found = {words: measure(words, models, least=given.seconds) for words in given.words}
    print(
        f"{parameters / 1e6:.1f} million parameters, {given.threads} thread(s), torch {torch.__version__}, 9 criteria;"
    )
    print("in brackets: how many times faster than the guide's recipe.\n")
    print(table(found))


if __name__ == "__main__":
    main()
