"""Checkpoints of a run in progress: safetensors and JSON only, nothing that could run code when it is read.

`transformers.Trainer` writes its optimizer with pickle; here the optimizer's tensors are stored by the names of their
parameters. No random state is kept: every step draws from (seed, step), so a resumed run does what it would have done.
Only weights that are trained are stored, so a checkpoint of LoRA stays small.

    last/   weights.safetensors, optimizer.safetensors, trainer_state.json, progress.json
    best/   weights.safetensors
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from encoder.errors import TrainingFailed
from encoder.network.checkpoints import SaveFailed, replacing_directory

TRAINER_STATE_FILE = "trainer_state.json"
_WEIGHTS_FILE = "weights.safetensors"
_OPTIMIZER_FILE = "optimizer.safetensors"
_PROGRESS_FILE = "progress.json"


@dataclass
class Progress:
    """Where a run stands. judged_step: the last step whose dev figures are in; losses: mean loss by step.

    adapted: the stage before fine-tuning is done.
    """

    step: int = 0
    judged_step: int = -1
    best_step: int = -1
    best_macro_f1: float = -1.0
    bad_evaluations: int = 0
    adapted: bool = False
    seconds: float = 0.0
    fingerprint: str = ""
    losses: dict[int, float] = field(default_factory=dict)
    macro_f1: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of one run, in a directory of their own."""

    directory: Path

    @property
    def last(self) -> Path:
        return self.directory / "last"

    @property
    def best(self) -> Path:
        return self.directory / "best"

    def progress(self) -> Progress | None:
        """Where the last checkpoint stands, None if there is none or it cannot be read."""
        try:
            values = json.loads((self.last / _PROGRESS_FILE).read_text("utf-8"))
            values["losses"] = {int(k): v for k, v in values["losses"].items()}
            values["macro_f1"] = {int(k): v for k, v in values["macro_f1"].items()}
            return Progress(**values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def save_last(
        self, weights: Mapping[str, Tensor], optimizer: Mapping[str, Tensor], state: str, progress: Progress
    ) -> None:
        """Replace the last checkpoint in one step; the one before stays until then.

        weights: trained parameters by name; optimizer: `<kind>/<parameter name>`, each of its parameter's shape or a scalar.
        state: the trainer's own, as JSON. progress: steps and figures so far.
        Raises TrainingFailed if the disk does not take it.
        """
        try:
            with replacing_directory(self.last) as temporary:
                _write(weights, temporary / _WEIGHTS_FILE)
                _write(optimizer, temporary / _OPTIMIZER_FILE)
                (temporary / TRAINER_STATE_FILE).write_text(state, encoding="utf-8")
                (temporary / _PROGRESS_FILE).write_text(json.dumps(asdict(progress)), encoding="utf-8")
        except SaveFailed as error:
            raise TrainingFailed(f"The training checkpoint could not be written: {error}") from error

    def save_best(self, weights: Mapping[str, Tensor]) -> None:
        """Replace the best weights in one step. weights: trained parameters by name, in their own shapes.

        Raises TrainingFailed if the disk does not take them.
        """
        try:
            with replacing_directory(self.best) as temporary:
                _write(weights, temporary / _WEIGHTS_FILE)
        except SaveFailed as error:
            raise TrainingFailed(f"The training checkpoint could not be written: {error}") from error

    def clear(self) -> None:
        """Remove all of them. Renamed first: whoever is killed in between leaves none, never half of one to go on from."""
        aside = self.directory.with_name(f"{self.directory.name}.gone")
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            self.directory.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def read_weights(directory: Path, model: nn.Module) -> None:
    """Put a checkpoint's weights into a model of the same shape. Raises TrainingFailed if they do not fit."""
    tensors = _read(directory / _WEIGHTS_FILE)
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in tensors.items():
            if name not in own or own[name].shape != tensor.shape:
                raise TrainingFailed(f"The checkpoint in {directory} does not fit this model; start the training anew.")
            own[name].copy_(tensor)


def trained_weights(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that are trained, on the CPU, by name."""
    return {n: p.detach().cpu().contiguous() for n, p in model.named_parameters() if p.requires_grad}


def optimizer_tensors(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """The optimizer's state as `<kind>/<parameter name>`, on the CPU."""
    found: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        for kind, value in optimizer.state.get(parameter, {}).items():
            found[f"{kind}/{name}"] = torch.as_tensor(value).detach().cpu().contiguous()
    return found


def read_optimizer(directory: Path, optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
    """Give the optimizer the state that `optimizer_tensors` wrote."""
    tensors = _read(directory / _OPTIMIZER_FILE)
    by_name: dict[str, list[str]] = {}
    for key in tensors:
        by_name.setdefault(key.split("/", 1)[1], []).append(key)
    for name, parameter in model.named_parameters():
        kinds = {key.split("/", 1)[0]: key for key in by_name.get(name, ())}
        if kinds:
            # "step" stays where AdamW keeps it: on the CPU, in fp32
            state: dict[str, Any] = {
                kind: tensors[key] if kind == "step" else tensors[key].to(parameter.device)
                for kind, key in kinds.items()
            }
            optimizer.state[parameter] = state


def _write(tensors: Mapping[str, Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file(dict(tensors), str(path), metadata={"format": "pt"})


def _read(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(str(path)))
    except (SafetensorError, OSError) as error:
        raise TrainingFailed(
            f"The training checkpoint {path} cannot be read ({error}); start the training anew."
        ) from error
