"""Every setting of a training as a field of the page, made from `TrainConfig` itself, and back."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

import gradio as gr

from annotator.training.promotion import PromotionRule
from encoder.config import InvalidConfig, TrainConfig

__all__ = ["InvalidConfig", "build", "build_rule", "config_from", "rule_from", "values_of"]

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Length", ("epochs", "max_steps", "batch_size", "accumulation", "eval_steps", "save_steps", "patience")),
    (
        "Learning",
        ("method", "learning_rate", "head_learning_rate", "wide_learning_rate", "new_criteria_learning_rate", "schedule",
         "warmup_ratio", "weight_decay", "adam_beta2", "max_grad_norm", "attention_dropout", "hidden_dropout"),
    ),
    (
        "Data",
        ("replay_ratio", "token_masking", "positive_weight", "hard_negative_weight", "sentence_loss", "token_loss",
         "post_loss"),
    ),
)  # fmt: skip
LABELS = {
    "max_steps": "Steps (instead of epochs)",
    "eval_steps": "Measure on dev every … steps",
    "save_steps": "Checkpoint every … steps",
    "patience": "Stop after … measurements without gain",
    "adam_beta2": "Adam β₂",
    "max_grad_norm": "Clip gradients at",
    "lora_rank": "LoRA rank",
    "lora_alpha": "LoRA α",
    "lora_dropout": "LoRA dropout",
    "report_to": "Report to",
    "replay_ratio": "Replayed old posts per new one",
    "keep_for_new": "Leave a model as it is that knows none of the criteria, and learn beside it",
    "threads": "CPU threads",
    "processes": "Processes (one for each GPU)",
}
REPORTS = ("tensorboard", "mlflow", "trackio")


def build(config: TrainConfig) -> dict[str, Any]:
    """Fields for every setting, in the order of `TrainConfig`'s own fields; laid out in groups."""
    hints = typing.get_type_hints(TrainConfig)
    grouped = {name for _, names in GROUPS for name in names}
    rest = tuple(f.name for f in dataclasses.fields(TrainConfig) if f.name not in grouped)
    made: dict[str, Any] = {}
    for title, names in (*GROUPS, ("Model and machine", rest)):
        gr.Markdown(f"**{title}**")
        ticked = [name for name in names if hints[name] is bool]
        with gr.Row():
            for name in names:
                if name not in ticked:
                    made[name] = _field(name, hints[name], getattr(config, name))
        for name in ticked:  # their words stand beside them: in a row they would be squeezed
            made[name] = _field(name, bool, getattr(config, name))
    return {f.name: made[f.name] for f in dataclasses.fields(TrainConfig)}


def build_rule(rule: PromotionRule) -> list[Any]:
    """Fields of the promotion rule."""
    gr.Markdown(
        "**When the new model goes into service**: on the held-out posts (dev) its macro F1 is higher than that of the model in service and"
        " not below the simple learner's, and no criterion loses more than the first number says."
    )
    with gr.Row():
        return [
            gr.Number(
                rule.margin, label="F1 that a criterion may lose", minimum=0, maximum=1, step=0.01, min_width=140
            ),
            gr.Number(
                rule.min_support,
                label="Evidence sentences that a criterion needs to count",
                precision=0,
                minimum=1,
                min_width=140,
            ),
            gr.Number(
                rule.min_posts, label="Dev posts needed to decide by them alone", precision=0, minimum=1, min_width=140
            ),
        ]


def values_of(config: TrainConfig) -> list[Any]:
    """The values of the fields for a config."""
    return [_shown(getattr(config, f.name)) for f in dataclasses.fields(TrainConfig)]


def config_from(values: Sequence[Any]) -> TrainConfig:
    """The config that the fields say. Raises InvalidConfig with the first value that cannot work."""
    hints = typing.get_type_hints(TrainConfig)
    given = {}
    for field, value in zip(dataclasses.fields(TrainConfig), values, strict=True):
        given[field.name] = _parsed(field.name, hints[field.name], value)
    config = TrainConfig(**given)
    config.validate()
    return config


def rule_from(margin: Any, support: Any, posts: Any) -> PromotionRule:
    return PromotionRule(float(margin or 0.0), int(support or 0), int(posts or 0))


def _field(name: str, hint: Any, value: Any) -> Any:
    label = LABELS.get(name, name.replace("_", " ").capitalize())
    common: dict[str, Any] = {"label": label, "min_width": 150, "interactive": True}
    if get_origin(hint) is Literal:
        return gr.Dropdown(list(get_args(hint)), value=value, **common)
    if hint is bool:
        return gr.Checkbox(value, label=label)
    if get_origin(hint) is tuple:
        return gr.Dropdown(list(REPORTS), value=list(value), multiselect=True, **common)
    # a textbox: a number field cannot be empty, and writes 2e-05 as 0
    return gr.Textbox(_shown(value), placeholder="unset" if _optional(hint) else None, max_lines=1, **common)


def _shown(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | tuple | None):
        return value
    if isinstance(value, tuple):
        return list(value)
    return "" if value is None else f"{value:g}"


def _parsed(name: str, hint: Any, value: Any) -> Any:
    if get_origin(hint) is Literal:
        return value
    if hint is bool:
        return bool(value)
    if get_origin(hint) is tuple:
        return tuple(value or ())
    text = str("" if value is None else value).strip()
    if not text:
        if _optional(hint):
            return None
        raise InvalidConfig(f"{name} is empty; it needs a number.")
    whole = int in (hint, *get_args(hint))
    try:
        return int(text) if whole else float(text)
    except ValueError as error:
        raise InvalidConfig(f"{name} is {text!r}; it needs a {'whole ' if whole else ''}number.") from error


def _optional(hint: Any) -> bool:
    return isinstance(hint, types.UnionType) and type(None) in get_args(hint)
