"""`transformers.Trainer` for the evidence encoder: it runs the steps, the devices and the reports; what is read in which step,
how a loss is computed and what a checkpoint is made of is decided here.

Out of memory: the step is begun anew with half the posts at a time, with the same gradient. A loss that is not a number stops
the run. Every step's randomness comes from (seed, step, micro-batch, process).
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from encoder.config import TrainConfig
from encoder.errors import TrainingFailed
from encoder.network.batching import IGNORED
from encoder.network.model import EvidenceEncoder
from encoder.training.checkpoint import (
    Checkpoints,
    Progress,
    optimizer_tensors,
    read_optimizer,
    read_weights,
    trained_weights,
)
from encoder.training.plan import Plan
from encoder.training.sharding import check_plugin

_CPU_POSTS = 4

MakeInputs = Callable[[Sequence[int], int], "Inputs | None"]
Notify = Callable[["EvidenceTrainer"], None]


class Inputs:
    """Tensors for one forward pass, and which sentence labels (R, S, C) weigh `extra` more."""

    def __init__(self, tensors: Mapping[str, Tensor], hard: Tensor | None = None, extra: float = 0.0) -> None:
        self.tensors, self.hard, self.extra = dict(tensors), hard, extra

    def to(self, device: torch.device) -> Inputs:
        moved = {name: tensor.to(device, non_blocking=True) for name, tensor in self.tensors.items()}
        return Inputs(moved, None if self.hard is None else self.hard.to(device), self.extra)


class Learner(nn.Module):
    """The encoder without its `config`, which Trainer would take for one of transformers' and write into."""

    def __init__(self, encoder: EvidenceEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        # what FSDP shards one by one: the layers of the backbone
        self._no_split_modules = getattr(encoder.backbone, "_no_split_modules", None)

    def forward(self, **tensors: Tensor) -> dict[str, Any]:
        outputs: dict[str, Any] = self.encoder(**tensors)
        return outputs


@dataclass(frozen=True)
class Stage:
    """What is done in the steps of one trainer.

    make_inputs: indices of examples and a seed -> Inputs. after_step: called after every step, when weights, optimizer and
    the trainer's `progress` fit together; what it raises ends the run.
    """

    config: TrainConfig
    plan: Plan
    make_inputs: MakeInputs
    after_step: Notify


class EvidenceTrainer(Trainer):
    """Trains a module whose forward gives a dict with `loss`."""

    def __init__(
        self,
        model: nn.Module,
        stage: Stage,
        *,
        arguments: TrainingArguments,
        checkpoints: Checkpoints | None,
        progress: Progress,
        log: Callable[[str], None],
    ) -> None:
        self.config, self.plan, self.progress, self.checkpoints = stage.config, stage.plan, progress, checkpoints
        self._make_inputs, self._after_step, self._log_line = stage.make_inputs, stage.after_step, log
        config = stage.config
        # a CPU gains nothing from large batches, and two smaller ones of similar length have less padding
        self.at_once = max(_CPU_POSTS, config.batch_size // 2) if arguments.device.type == "cpu" else config.batch_size
        self.last_rate = 0.0
        self._seen: list[tuple[int, ...]] = []
        self._started = time.monotonic() - progress.seconds
        super().__init__(model=model, args=arguments, callbacks=[_AfterStep(self)])
        if self.is_fsdp_enabled:
            check_plugin(self.accelerator.state.fsdp_plugin, config)
        self.remove_callback(PrinterCallback)
        self.model_accepts_loss_kwargs = False  # the loss is a mean over posts; Trainer divides by the accumulation

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Indices of examples, one micro-batch of this process at a time."""
        process, processes = self.args.process_index, self.args.world_size
        sampler = _MicroBatches(self.plan, self.config, process, processes)
        # accelerate must not divide the batches again: the plan has done so
        return DataLoader(
            _Indices(self.plan.size), batch_sampler=sampler, collate_fn=lambda indices: {"indices": tuple(indices)}
        )

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW with learning rates of their own for the backbone, the heads and the n-gram table."""
        if self.optimizer is None:
            groups = parameter_groups(self._module(model), self.config)
            betas = (0.9, self.config.adam_beta2)
            self.optimizer = torch.optim.AdamW(groups, lr=self.config.learning_rate, betas=betas, eps=1e-8)
        return self.optimizer

    def training_step(self, model: nn.Module, inputs: Mapping[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """Forward and backward of one micro-batch, in as many parts as memory asks for; the loss, as Trainer counts it."""
        model.train()
        self._seen.append(inputs["indices"])
        micro = len(self._seen) - 1
        while True:
            try:
                return self._in_parts(model, inputs["indices"], micro)
            except torch.OutOfMemoryError:
                self._halve()
            # the failed backward may have left part of its gradient: the whole step is computed again
            model.zero_grad()
            for earlier, indices in enumerate(self._seen[:-1]):
                self._in_parts(model, indices, earlier)

    def _in_parts(self, model: nn.Module, indices: Sequence[int], micro: int) -> Tensor:
        total = torch.zeros((), device=self.args.device)
        for part in range(0, len(indices), self.at_once):
            chosen = indices[part : part + self.at_once]
            seed = _seed(self.config.seed, self.state.global_step, micro, part, self.args.process_index)
            torch.manual_seed(seed)
            inputs = self._make_inputs(chosen, seed)
            if inputs is None:
                continue
            share = len(chosen) / len(indices) / self.current_gradient_accumulation_steps
            loss = self._loss(model, inputs.to(self.args.device)) * share
            self._check(loss)
            self.accelerator.backward(loss)
            total += loss.detach()
        return total

    def _loss(self, model: nn.Module, inputs: Inputs) -> Tensor:
        with self.compute_loss_context_manager():
            outputs = model(**inputs.tensors)
        loss: Tensor = outputs["loss"]
        if inputs.hard is not None and inputs.extra:
            loss = loss + inputs.extra * hard_negative_loss(outputs["scores"].sentences, inputs)
        return loss

    def _check(self, loss: Tensor) -> None:
        if not torch.isfinite(loss):
            raise TrainingFailed(
                f"The loss became {loss.item()} at step {self.state.global_step + 1}. Lower the learning rate, or use fp32."
            )

    def _halve(self) -> None:
        if self.args.world_size > 1:
            raise TrainingFailed(
                f"Out of memory with {self.at_once} posts at a time on each of {self.args.world_size} devices. "
                f"Use a smaller batch_size with more accumulation, or gradient_checkpointing."
            )
        if self.at_once == 1:
            raise TrainingFailed(
                "Out of memory even with one post at a time. Use gradient_checkpointing, LoRA or QLoRA, a smaller model, "
                "or shorter windows."
            )
        self.at_once = (self.at_once + 1) // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._log_line(f"Out of memory: from here on {self.at_once} posts at a time; the result stays the same.")

    def begin_step(self) -> None:
        self._seen = []

    def finish_step(self) -> None:
        """Called between steps. Saves, and lets through what the listener raises."""
        self.progress.step = self.state.global_step
        self.progress.seconds = time.monotonic() - self._started
        try:
            self._after_step(self)
        except BaseException:
            self.save_last()
            raise
        every = self.config.save_steps
        if every and self.state.global_step % every == 0:
            self.save_last()

    def save_last(self) -> None:
        """Write the checkpoint from which a later run goes on; nothing under FSDP, whose weights lie on several devices."""
        if self.checkpoints is None or self.is_fsdp_enabled or not self.is_world_process_zero():
            return
        model, optimizer = self.accelerator.unwrap_model(self.model), self._plain_optimizer()
        state = json.dumps(dataclasses.asdict(self.state))
        self.checkpoints.save_last(trained_weights(model), optimizer_tensors(optimizer, model), state, self.progress)

    def _module(self, given: nn.Module | None) -> nn.Module:
        module = self.model if given is None else given
        assert module is not None
        return module

    def _plain_optimizer(self) -> torch.optim.Optimizer:
        optimizer: Any = self.optimizer
        return optimizer.optimizer if hasattr(optimizer, "optimizer") else optimizer

    # Trainer's hooks for resuming, without its pickle files

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        read_weights(Path(resume_from_checkpoint), self._module(model))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        optimizer = self._plain_optimizer()
        read_optimizer(Path(checkpoint), optimizer, self.accelerator.unwrap_model(self.model))
        scheduler: Any = self.lr_scheduler
        step = self.state.global_step
        plain = scheduler.scheduler if hasattr(scheduler, "scheduler") else scheduler
        rates = [base * at(step) for base, at in zip(plain.base_lrs, plain.lr_lambdas, strict=True)]
        plain.last_epoch, plain._step_count, plain._last_lr = step, step + 1, rates  # noqa: SLF001 - torch has no other way
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Nothing to load: each step's randomness comes from its number."""

    def _load_scaler(self, checkpoint: str | None) -> None:
        """Nothing to load: bf16 needs no loss scaling, and fp16 is not offered."""


class _AfterStep(TrainerCallback):
    """Trainer logs every step once it is complete: the one moment at which weights, optimizer and counters fit together."""

    def __init__(self, trainer: EvidenceTrainer) -> None:
        self._trainer = trainer

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._trainer.begin_step()

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        values = logs or {}
        if "loss" in values:
            self._trainer.progress.losses[state.global_step] = float(values["loss"])
            self._trainer.last_rate = float(values["learning_rate"])
            self._trainer.finish_step()


class _Indices(Dataset[int]):
    """The dataset is its own index: posts are read when their batch is made, and kept."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> int:
        return index


class _MicroBatches(Sampler[list[int]]):
    """The plan's micro-batches for one process, in order."""

    def __init__(self, plan: Plan, config: TrainConfig, process: int, processes: int) -> None:
        self._plan, self._config, self._process, self._processes = plan, config, process, processes

    def __len__(self) -> int:
        return len(self._plan.steps) * self._config.accumulation

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(len(self._plan.steps)):
            for micro in range(self._config.accumulation):
                yield list(
                    self._plan.micro_batch(
                        step, micro, process=self._process, processes=self._processes, size=self._config.batch_size
                    )
                )


def parameter_groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """The trained parameters by learning rate and weight decay; norms, biases and single vectors do not decay."""
    wide_rate = config.head_learning_rate if config.wide_learning_rate is None else config.wide_learning_rate
    encoder = getattr(model, "encoder", model)
    head_rate = config.head_learning_rate
    if getattr(encoder, "new_criteria", ()) and config.new_criteria_learning_rate is not None:
        head_rate = max(head_rate, config.new_criteria_learning_rate)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = config.learning_rate
        if "heads." in name:
            rate = wide_rate if "heads.wide." in name else head_rate
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": found, "lr": rate, "weight_decay": decay} for (rate, decay), found in groups.items()]


def hard_negative_loss(sentences: Tensor, inputs: Inputs) -> Tensor:
    """What rejected sentences add to the loss: their cross entropy over their post's reviewed labels, averaged over posts.

    sentences: logits (R, S, C). It is their part of the sentence loss, so a weight of 1 counts them twice.
    """
    assert inputs.hard is not None
    labels, row_post = inputs.tensors["sentence_labels"], inputs.tensors["row_post"]
    each = F.softplus(sentences.float()) * inputs.hard
    posts, row = row_post.unique(return_inverse=True)
    reviewed = (labels != IGNORED).flatten(1).sum(1).to(each.dtype)
    sums = each.new_zeros(len(posts)).index_add(0, row, each.flatten(1).sum(1))
    counts = each.new_zeros(len(posts)).index_add(0, row, reviewed)
    return (sums / counts.clamp(min=1)).mean()


def _seed(*parts: int) -> int:
    """One seed out of several numbers, well apart for neighboring ones."""
    return int(np.random.SeedSequence(list(parts)).generate_state(1, np.uint64)[0] >> np.uint64(1))
