"""The training itself: one or more processes of one thread each, gradients averaged, its state kept so that a run can go on.

Several processes of one thread do better than one process of several threads on a busy machine: they wait for each other once a
step, not once a multiplication. The learning rate falls with the time that is used, so that a run ends when it is meant to.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from encoder.errors import ModelUnusable
from encoder.network.batching import Batcher
from encoder.network.lora import Adapter, replace
from encoder.network.model import EvidenceEncoder
from recipes.gemma import plan
from recipes.gemma.heads import PlainHeads, loss_of
from recipes.gemma.layers import SplitBackbone, scale_last_norm
from recipes.gemma.low_rank import LowRank, add_low_rank
from storage.files import replacing

STATE_FILE = "state.safetensors"
_PROGRESS_FILE, _LOG_FILE = "progress.json", "log.jsonl"
_WARM_UP, _LEAST_FACTOR, _CLIP = 25, 0.01, 1.0
_SAY_EVERY = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """How long, how fast and how much is trained. minutes: of training, evaluations included. tokens: of a step and process.

    causal: lowest layers that stay causal. frozen_minutes: how long those are not trained, so that they are computed only once.
    rank, alpha: of the products beside the linear layers. token_masking: share of a text's tokens that are hidden at each
    reading, once no layer is frozen, so that a corpus that was read before teaches more than its single words; which ones is
    drawn anew when a run goes on.
    """

    minutes: float = 60.0
    max_steps: int | None = None
    tokens: int = 600
    causal: int = 9
    frozen_minutes: float = 14.0
    rank: int = 64
    alpha: float = 64.0
    rate: float = 5e-4
    head_rate: float = 1e-3
    token_masking: float = 0.0
    evaluate_minutes: float = 14.0
    save_minutes: float = 5.0
    seed: int = 0


@dataclass
class Progress:
    """Where a run stands: finished steps, seconds of training, the pass and how many of its steps are done."""

    step: int = 0
    seconds: float = 0.0
    number: int = 0
    done: int = 0


Evaluate = Callable[[SplitBackbone, PlainHeads], Mapping[str, Any]]


class Training:
    """One process's part of a run on an encoder, which it changes. The output directory keeps what is needed to go on."""

    def __init__(
        self,
        encoder: EvidenceEncoder,
        batcher: Batcher,
        material: plan.Material,
        settings: Settings,
        output: Path,
        evaluate: Evaluate,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.encoder, self.output, self.settings, self._evaluate = encoder, output, settings, evaluate
        self.batcher, self.material = batcher, material
        seed = settings.seed + _process()
        self._masked = encoder.batcher(batcher.criteria, token_masking=settings.token_masking, seed=seed)
        self.split = SplitBackbone(encoder, settings.causal)
        self.products: dict[str, LowRank] = add_low_rank(encoder.backbone, rank=settings.rank, alpha=settings.alpha)
        self.heads = PlainHeads(encoder.hidden_size, len(batcher.criteria))
        self.losses = torch.full((len(self.material.rows),), -1.0)
        self.progress = Progress()
        self._named = self._parameters()
        heads = list(self.heads.parameters())
        products = [p for name, p in self._named.items() if not name.startswith("heads.")]
        groups = [
            {"params": products, "lr": settings.rate, "base": settings.rate},
            {"params": heads, "lr": settings.head_rate, "base": settings.head_rate},
        ]
        self._optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
        self._flat = torch.zeros(sum(p.numel() for p in self._named.values()) + 1)
        self._saved = self._evaluated = 0.0
        self._started = False
        self._recent: list[float] = []

    def run(self) -> None:
        """Train until the time or the steps are used up, from where the output directory left off."""
        if (self.output / STATE_FILE).exists():
            self._restore()
        elif not self._started:
            scale_last_norm(self.split, self.batcher, self.material.rows)
        self.encoder.train()
        self._saved = self._evaluated = self.progress.seconds
        while not self._finished():
            number = self.progress.number
            rows = plan.chosen(self.material, number, self.losses)
            steps = plan.steps(self.material, number, rows, self.settings.tokens * _processes())
            self._say({"pass": number, "rows": len(rows), "steps": len(steps), "tokens": self.material.tokens(rows)})
            for step in steps[self.progress.done :]:
                self._step(plan.share(step, _process(), _processes()))
                self._after_step(len(steps))
                if self._finished():
                    break
            if self.progress.done == len(steps):
                self.progress.number, self.progress.done = number + 1, 0
                self._share_losses()
        self._save(evaluate=True)
        self.encoder.eval()

    @torch.no_grad()
    def start_from(self, adapter: Adapter, heads: PlainHeads) -> None:
        """Begin with what an earlier run has made. Raises ModelUnusable if it has another rank or another base."""
        for name, module in self.products.items():
            a, b, scale = adapter.products.get(f"{name}.weight", (None, None, 1.0))
            if a is None or b is None or a.shape != module.a.shape or b.shape != module.b.shape:
                raise ModelUnusable(f"The adapter has no product of rank {len(module.a)} beside {name}.")
            module.a.copy_(a)
            module.b.copy_(b * (scale / module.scale))
        replace(adapter, self.encoder.backbone, str(self.encoder.config.base))
        self.heads.load_state_dict(heads.state_dict())
        self._started = True

    def _finished(self) -> bool:
        last = self.settings.max_steps
        return self.progress.seconds >= 60 * self.settings.minutes or (last is not None and self.progress.step >= last)

    def _step(self, numbers: list[int]) -> None:
        begun = time.monotonic()
        if self.split.frozen and self.progress.seconds >= 60 * self.settings.frozen_minutes:
            self.split.thaw()
        # frozen layers are computed once, so for the whole text
        reader = self.batcher if self.split.frozen else self._masked
        batch = reader.batch([self.material.rows[n] for n in numbers])
        loss = loss_of(self.heads(self.split.states(batch, numbers), batch), batch)
        loss.total.backward()
        self.losses[torch.tensor(numbers)] = loss.by_row
        self._recent.append(loss.sentence)
        seconds = self._average_gradients()
        self.progress.step += 1
        used = min(1.0, seconds / (60 * self.settings.minutes))
        factor = max(_LEAST_FACTOR, min(1.0, self.progress.step / _WARM_UP) * (1.0 - used))
        for group in self._optimizer.param_groups:
            group["lr"] = group["base"] * factor
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=False)
        self.progress.done += 1
        self.progress.seconds = seconds + _agreed(time.monotonic() - begun)

    def _average_gradients(self) -> float:
        """Mean over the processes, clipped; returns the seconds so far as the first process has them."""
        gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in self._named.values()]
        self._flat[:-1] = torch.cat([g.reshape(-1) for g in gradients])
        self._flat[-1] = self.progress.seconds
        if dist.is_initialized():
            dist.all_reduce(self._flat)
        self._flat /= _processes()
        mean = self._flat[:-1]
        mean *= min(1.0, _CLIP / (mean.norm().item() + 1e-9))
        for parameter, part in zip(
            self._named.values(), mean.split([p.numel() for p in self._named.values()]), strict=True
        ):
            parameter.grad = part.view_as(parameter).clone()
        return self._flat[-1].item()

    def _after_step(self, steps: int) -> None:
        if self.progress.step % _SAY_EVERY == 0:
            mean = sum(self._recent) / len(self._recent)
            self._recent.clear()
            self._say({"step": self.progress.step, "of_pass": f"{self.progress.done}/{steps}", "loss": round(mean, 4)})
        seconds = self.progress.seconds
        if seconds - self._evaluated > 60 * self.settings.evaluate_minutes:
            self._save(evaluate=True)
        elif seconds - self._saved > 60 * self.settings.save_minutes:
            self._save()

    def _save(self, *, evaluate: bool = False) -> None:
        from safetensors.torch import save_file

        if evaluate:
            begun = time.monotonic()
            self.encoder.eval()
            self._say({"dev": self._evaluate(self.split, self.heads)})
            self.encoder.train()
            self.progress.seconds += _agreed(time.monotonic() - begun)
            self._evaluated = self.progress.seconds
        self._share_losses()
        self._saved = self.progress.seconds
        if _process() == 0:
            with replacing(self.output / STATE_FILE) as path:
                save_file(self._state(), str(path))
            with replacing(self.output / _PROGRESS_FILE) as path:
                path.write_text(json.dumps(vars(self.progress)), encoding="utf-8")

    def _state(self) -> dict[str, Tensor]:
        """Weights, the optimizer's two moments and steps, the last norm, and what each row cost last."""
        state = {"norm": self.encoder.backbone.norm.weight, "losses": self.losses}
        for name, parameter in self._named.items():
            state[f"weight.{name}"] = parameter
            moments = self._optimizer.state.get(parameter, {})
            state |= {f"{key}.{name}": value.reshape(-1) for key, value in moments.items()}
        return {name: tensor.detach().contiguous() for name, tensor in state.items()}

    @torch.no_grad()
    def _restore(self) -> None:
        from safetensors.torch import load_file

        state = load_file(str(self.output / STATE_FILE))
        self.progress = Progress(**json.loads((self.output / _PROGRESS_FILE).read_text("utf-8")))
        self.losses = state["losses"]
        self.encoder.backbone.norm.weight.copy_(state["norm"])
        for name, parameter in self._named.items():
            parameter.copy_(state[f"weight.{name}"])
            if f"step.{name}" in state:
                moments = {key: state[f"{key}.{name}"].view_as(parameter) for key in ("exp_avg", "exp_avg_sq")}
                self._optimizer.state[parameter] = {"step": state[f"step.{name}"].reshape(()), **moments}
        self._say({"resumed": vars(self.progress)})

    def _parameters(self) -> dict[str, nn.Parameter]:
        named = {f"{name}.{part}": getattr(m, part) for name, m in self.products.items() for part in ("a", "b")}
        return named | {f"heads.{name}": p for name, p in self.heads.named_parameters()}

    def _share_losses(self) -> None:
        if dist.is_initialized():
            dist.all_reduce(self.losses, dist.ReduceOp.MAX)

    def _say(self, facts: Mapping[str, Any]) -> None:
        if _process() == 0:
            line = json.dumps({"time": time.strftime("%H:%M:%S"), "seconds": round(self.progress.seconds), **facts})
            print(line, flush=True)
            with (self.output / _LOG_FILE).open("a", encoding="utf-8") as file:
                file.write(line + "\n")


def _process() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def _processes() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def _agreed(seconds: float) -> float:
    """The first process's number, so that all decide alike."""
    if not dist.is_initialized():
        return seconds
    value = torch.tensor([seconds])
    dist.broadcast(value, 0)
    return float(value.item())
