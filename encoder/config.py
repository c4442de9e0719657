"""What an encoder is (`EncoderConfig`) and how it is trained (`TrainConfig`). No torch.

Both are plain values with a JSON round trip: `evidence_config.json` beside the weights holds the first, the second is
written next to it by training, so that a run can be repeated from what was saved.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

from encoder.errors import ModelUnusable
from storage.records import EvidenceError

CONFIG_FILE = "evidence_config.json"

Scoring = Literal["per-criterion", "packed", "post-once"]
SpanHead = Literal["joint", "softmax"]
Pooling = Literal["mean", "first_k", "last_k", "attention"]
PostScore = Literal["max", "noisy_or", "head"]

PROMPT_TOKENS = ("[INST]", "[/INST]", "[POST]", "[/POST]", "[CRITERION]", "[/CRITERION]")


class InvalidConfig(EvidenceError, ValueError):
    """A setting of the encoder or of its training that cannot work; the text names it."""


class _Json:
    """JSON round trip for the frozen dataclasses below."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The config of the given values; unknown names raise InvalidConfig, lists become tuples."""
        known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - known)
        if unknown:
            raise InvalidConfig(
                f"There is no setting {', '.join(unknown)} here. The settings are: {', '.join(sorted(known))}."
            )
        config = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
        config.validate()
        return config

    def to_dict(self) -> dict[str, Any]:
        """JSON values; tuples become lists."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[call-overload]

    def changed(self, **values: Any) -> Self:
        """A copy with the given settings, validated."""
        config = replace(self, **values)  # type: ignore[type-var]
        config.validate()
        return config

    def validate(self) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class EncoderConfig(_Json):
    """What one encoder is: saved as `evidence_config.json` beside its weights.

    scoring: `per-criterion` puts post and criterion into one prompt; `packed` reads the post once, followed by the criteria,
        each of which sees the post and itself; `post-once` reads the post and each criterion apart.
    span_head: `joint` gives inside / start / end per token and evidence per sentence; `softmax` one span per post.
    window_tokens: the most tokens of a post that are read at once. stride_tokens: how many of them two neighboring windows
        share. max_length: the most tokens of one input (prompt, post and criteria), None for what the backbone allows.
    pooling, pooling_k: how a post becomes one vector for the post-level head.
    head_size: width of the criterion x token products, None for the smaller of the hidden size and 256.
    known_criteria: ids that the model was trained on, in the order of their id vectors; None if it answers any criterion.
    causal_layers: how many of the lowest layers stay causal, as they were pretrained; 0 to let all see both ways.
    wide_buckets: size of the hashed n-gram table beside the encoder; 0 for none.
    thresholds: probability from which a sentence is shown, per criterion id; default_threshold for the others.
    temperature: the logits are divided by it before the sigmoid.
    post_score: how `no_evidence_score` comes about: from the sentences (`max`, `noisy_or`) or from the post-level head.
    base: Hub id, GGUF file or directory that the weights come from. adapter: the weights are a LoRA adapter on `base`.
    base_weights: which weights of `base` these were (source, sha256, quantization), where that is known.
    distilled_from: the model on Gemma's weights that taught this one; Gemma's terms go with what it teaches.
    """

    scoring: Scoring = "post-once"
    span_head: SpanHead = "joint"
    pooling: Pooling = "mean"
    pooling_k: int = 1
    post_score: PostScore = "max"
    head_size: int | None = None
    window_tokens: int = 512
    stride_tokens: int = 64
    max_length: int | None = None
    max_span_tokens: int = 128
    instruction: str = "Extract the evidence sentence that supports the diagnostic criterion."
    prompt_tokens: tuple[str, ...] = PROMPT_TOKENS
    known_criteria: tuple[str, ...] | None = None
    causal_layers: int = 0
    wide_buckets: int = 0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    default_threshold: float = 0.5
    temperature: float = 1.0
    base: str | None = None
    base_weights: Mapping[str, str] = field(default_factory=dict)
    distilled_from: str = ""
    adapter: bool = False
    version: str = ""

    def validate(self) -> None:
        """Raise InvalidConfig with the first setting that cannot work."""
        _one_of("scoring", self.scoring, get_args(Scoring))
        _one_of("span_head", self.span_head, get_args(SpanHead))
        _one_of("pooling", self.pooling, get_args(Pooling))
        _one_of("post_score", self.post_score, get_args(PostScore))
        _at_least("pooling_k", self.pooling_k, 1)
        _at_least("window_tokens", self.window_tokens, 8)
        _at_least("stride_tokens", self.stride_tokens, 0)
        _at_least("max_span_tokens", self.max_span_tokens, 1)
        _at_least("causal_layers", self.causal_layers, 0)
        _at_least("wide_buckets", self.wide_buckets, 0)
        if self.head_size is not None:
            _at_least("head_size", self.head_size, 1)
        if self.stride_tokens > self.window_tokens // 2:
            raise InvalidConfig(
                f"stride_tokens {self.stride_tokens} is more than half of window_tokens {self.window_tokens}."
            )
        if len(set(self.prompt_tokens)) != len(PROMPT_TOKENS):
            raise InvalidConfig(f"prompt_tokens needs {len(PROMPT_TOKENS)} different tokens, as in {PROMPT_TOKENS}.")
        if self.known_criteria is not None and len(set(self.known_criteria)) != len(self.known_criteria):
            raise InvalidConfig("known_criteria names a criterion twice.")
        if self.wide_buckets and not self.known_criteria:
            raise InvalidConfig("wide_buckets needs known_criteria: the table has one column for each of them.")
        for name, value in {**self.thresholds, "default_threshold": self.default_threshold}.items():
            _between(f"threshold of {name}", value, 0.0, 1.0)
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise InvalidConfig(f"temperature {self.temperature} is not a positive number.")

    @property
    def one_pass(self) -> bool:
        return self.scoring != "per-criterion"

    def threshold(self, criterion_id: str) -> float:
        return self.thresholds.get(criterion_id, self.default_threshold)

    def knows(self, criterion_id: str) -> bool:
        return self.known_criteria is None or criterion_id in self.known_criteria

    def save(self, directory: Path) -> None:
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, sort_keys=True)
        (directory / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> EncoderConfig:
        """The config in a model directory. Raises ModelUnusable if it is missing or cannot be read."""
        path = directory / CONFIG_FILE
        try:
            values = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise ModelUnusable(f"{directory} has no {CONFIG_FILE}: it was not trained by this product.") from None
        except (OSError, ValueError) as error:
            raise ModelUnusable(f"{path} cannot be read: {error}") from error
        if not isinstance(values, dict):
            raise ModelUnusable(f"{path} does not hold an object.")
        try:
            return cls.from_dict(values)
        except (InvalidConfig, TypeError, AttributeError) as error:
            raise ModelUnusable(f"{path}: {error}") from error


@dataclass(frozen=True, slots=True)
class TrainConfig(_Json):
    """How a model is fine-tuned. Together with the examples and the base it fixes the result.

    method: all weights (`full`), or an adapter of rank lora_rank on a base in bf16 (`lora`) or in four bits (`qlora`).
    max_steps: overrides epochs when given. learning_rate is the backbone's (or the adapter's), head_learning_rate that of the
    heads, id vectors and n-gram table. batch_size: posts per micro-batch; accumulation: micro-batches per step.
    replay_ratio: replayed old examples per new one. token_masking: share of post tokens that are hidden while training.
    positive_weight: weight of a positive sentence or token in the losses. *_loss: weights of the parts of the loss.
    attention_dropout, hidden_dropout: while fine-tuning; hidden_dropout applies to what attention and feed-forward add.
    wide_learning_rate: that of the n-gram table, None for head_learning_rate. new_criteria_learning_rate: that of the heads where
    the base does not know a criterion yet, if higher: what it knows would only suffer from it.
    hard_negative_weight: how much more a rejected span
    weighs than any other sentence without evidence.
    patience: evaluations without a better dev macro F1 before training stops; 0 never stops early.
    adaptation_steps: steps of masked next-token prediction on the posts before the supervised stage; 0 for none.
    frozen_layers: how many of the lowest layers stay as they are: they cost no gradients, and what they make of a text is computed
    once and kept in memory; not together with several processes. keep_for_new: a base that knows none of the criteria is not trained
    at all: what is learned beside it, on its vectors, is fitted exactly.
    processes: how many train together, each with batch_size posts at a time; more than one needs a launcher.
    calibrate: fit temperature and thresholds on dev at the end; criteria in recall_first get a threshold that finds recall_target
    of the evidence. precision: `auto` is bf16 on a GPU that has it, else fp32. report_to: any of tensorboard, mlflow, trackio.
    """

    method: Literal["full", "lora", "qlora"] = "full"
    epochs: float = 3.0
    max_steps: int | None = None
    learning_rate: float = 2e-5
    head_learning_rate: float = 1e-3
    wide_learning_rate: float | None = None
    new_criteria_learning_rate: float | None = None
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    batch_size: int = 8
    accumulation: int = 1
    warmup_ratio: float = 0.06
    weight_decay: float = 0.01
    adam_beta2: float = 0.98
    max_grad_norm: float = 1.0
    replay_ratio: float = 1.0
    token_masking: float = 0.0
    positive_weight: float = 1.0
    hard_negative_weight: float = 2.0
    sentence_loss: float = 1.0
    token_loss: float = 0.5
    post_loss: float = 0.25
    attention_dropout: float = 0.1
    hidden_dropout: float = 0.1
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.05
    frozen_layers: int = 0
    keep_for_new: bool = False
    gradient_checkpointing: bool = False
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    eval_steps: int | None = None
    save_steps: int | None = None
    patience: int = 3
    adaptation_steps: int = 0
    adaptation_masking: float = 0.2
    calibrate: bool = True
    recall_first: tuple[str, ...] = ()
    recall_target: float = 0.9
    seed: int = 0
    threads: int | None = None
    processes: int = 1
    report_to: tuple[str, ...] = ()

    def validate(self) -> None:
        """Raise InvalidConfig with the first setting that cannot work."""
        _one_of("method", self.method, ("full", "lora", "qlora"))
        _one_of("schedule", self.schedule, ("cosine", "linear", "constant"))
        _one_of("precision", self.precision, ("auto", "fp32", "bf16"))
        for name in ("batch_size", "accumulation", "lora_rank", "lora_alpha", "processes"):
            _at_least(name, getattr(self, name), 1)
        for name in ("patience", "adaptation_steps", "frozen_layers", "seed"):
            _at_least(name, getattr(self, name), 0)
        for name in ("max_steps", "eval_steps", "save_steps", "threads"):
            if getattr(self, name) is not None:
                _at_least(name, getattr(self, name), 1)
        if self.frozen_layers and (self.processes > 1 or self.method == "qlora"):
            raise InvalidConfig("frozen_layers are for one process and weights that are not in four bits.")
        for name in ("epochs", "learning_rate", "head_learning_rate", "max_grad_norm", "positive_weight"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InvalidConfig(f"{name} {getattr(self, name)} is not a positive number.")
        for name in ("wide_learning_rate", "new_criteria_learning_rate"):
            rate = getattr(self, name)
            if rate is not None and not (math.isfinite(rate) and rate >= 0):
                raise InvalidConfig(f"{name} {rate} is negative or not a number.")
        for name in (
            "weight_decay",
            "replay_ratio",
            "sentence_loss",
            "token_loss",
            "post_loss",
            "hard_negative_weight",
        ):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise InvalidConfig(f"{name} {getattr(self, name)} is negative or not a number.")
        for name in ("warmup_ratio", "token_masking", "adaptation_masking", "adam_beta2", "recall_target"):
            _between(name, getattr(self, name), 0.0, 1.0)
        for name in ("attention_dropout", "hidden_dropout", "lora_dropout"):
            _between(name, getattr(self, name), 0.0, 0.9)
        for name in self.report_to:
            _one_of("report_to", name, ("tensorboard", "mlflow", "trackio"))


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidConfig(f"{name} is {value!r}; it can be {', '.join(allowed)}.")


def _at_least(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidConfig(f"{name} is {value!r}; it needs a whole number of at least {least}.")


def _between(name: str, value: object, low: float, high: float) -> None:
    if not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidConfig(f"{name} is {value!r}; it needs a number from {low:g} to {high:g}.")
