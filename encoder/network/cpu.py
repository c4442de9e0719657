"""How a large backbone computes on a CPU: in the number type and with the threads that are fastest here, which is measured.

Processors differ by a factor of ten in what they make of bfloat16, and one that is busy loses with two threads. The embedding
table, two thirds of a small Gemma, stays in the bfloat16 that it is stored in and is widened a row at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHOICES = ("float32", "bfloat16")  # int8, which cost .02 of F1 in whole posts (benchmarks/RESULTS.md), only on request
LARGE = 512  # hidden size from which the choice matters; a smaller model is exact in fp32 and fast enough
_TOKENS = 256
_SECONDS = 0.07  # of measuring, for each choice


@dataclass(frozen=True, slots=True)
class Speed:
    """What was chosen and why. operations: floating point operations a second by (number type, threads), as measured."""

    dtype: str
    threads: int
    operations: dict[tuple[str, int], float]

    def __str__(self) -> str:
        found = ", ".join(
            f"{name} {rate / 1e9:.0f}" for (name, threads), rate in self.operations.items() if threads == self.threads
        )
        plural = "" if self.threads == 1 else "s"
        return f"{self.dtype} on {self.threads} thread{plural} (measured here, billion operations a second: {found})"


def seconds_of(dtype: str, hidden: int, intermediate: int) -> float:
    """Seconds that multiplying (256, hidden) by (hidden, intermediate) takes here in the number type, with torch's threads."""
    return _seconds(_product(dtype, hidden, intermediate))


def choose_speed(
    hidden: int,
    intermediate: int,
    threads: Sequence[int],
    dtypes: Sequence[str] = CHOICES,
    *,
    measure: Callable[[str, int, int], float] = seconds_of,
) -> Speed:
    """Multiply matrices of the model's size in each number type and number of threads, under half a second in all.

    Leaves torch with the chosen number of threads, which is that of the whole process.
    """
    found: dict[tuple[str, int], float] = {}
    for count in threads:
        torch.set_num_threads(count)
        for name in dtypes:
            found[name, count] = 2.0 * _TOKENS * hidden * intermediate / measure(name, hidden, intermediate)
    best = max(found, key=lambda choice: found[choice])
    torch.set_num_threads(best[1])
    return Speed(best[0], best[1], found)


@torch.no_grad()
def widen(backbone: nn.Module) -> None:
    """Let a backbone that was loaded in bfloat16 compute in fp32, with its embeddings as they are. Exact: bfloat16 fits in fp32."""
    embedding: Any = backbone.get_input_embeddings()  # type: ignore[operator]
    for parameter in backbone.parameters():
        if parameter is not embedding.weight:
            parameter.data = parameter.data.float()
    for buffer in backbone.buffers():
        if buffer.is_floating_point():
            buffer.data = buffer.data.float()
    scale = float(getattr(embedding, "scalar_embed_scale", 1.0))
    embedding.forward = lambda ids: F.embedding(ids, embedding.weight).float() * scale


@torch.no_grad()
def to_int8(backbone: nn.Module) -> None:
    """Round the weights of every linear layer to eight bits, one scale a row. Their inputs are rounded as they come."""
    for module in list(backbone.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, name, Int8Linear(child))


class Int8Linear(nn.Module):
    """x W^T + b with x and W in eight bits and sums in 32: (..., in) fp32 -> (..., out) fp32.

    Every row of x has its own scale, so that the outliers of one token (Gemma's first has huge ones) cost no other its precision.
    Source: LLM.int8(), vector-wise quantization (arXiv:2208.07339).
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach().float()
        scale = weight.abs().amax(1).clamp(min=1e-12) / 127
        self.register_buffer("weight", (weight / scale[:, None]).round().to(torch.int8))
        self.register_buffer("scale", scale)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().float())
        self.in_features, self.out_features = linear.in_features, linear.out_features

    def forward(self, inputs: Tensor) -> Tensor:
        rows = inputs.reshape(-1, self.in_features).float()
        scale = rows.abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
        sums = torch._int_mm((rows / scale).round_().to(torch.int8), self.weight.T)  # noqa: SLF001 - torch has no other int8 product
        result = sums.float().mul_(scale).mul_(self.scale)
        if self.bias is not None:
            result += self.bias
        return result.reshape(*inputs.shape[:-1], self.out_features)


def _product(dtype: str, hidden: int, intermediate: int) -> Callable[[], Tensor]:
    inputs, linear = torch.randn(_TOKENS, hidden), nn.Linear(hidden, intermediate, bias=False).requires_grad_(False)
    if dtype == "int8":
        layer: nn.Module = Int8Linear(linear)
    else:
        kind = getattr(torch, dtype)
        inputs, layer = inputs.to(kind), linear.to(kind)
    return lambda: layer(inputs)


@torch.no_grad()
def _seconds(run: Callable[[], Tensor]) -> float:
    """The shortest of several runs, after one that warms up."""
    run()
    best, end = float("inf"), time.perf_counter() + _SECONDS
    while True:
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
        if time.perf_counter() > end:
            return best
