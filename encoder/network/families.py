"""What each Gemma family needs, in one table; and the choice of device, precision and attention implementation.

Whether the result is really bidirectional is not taken from this table: `encoder.network.probe` measures it at every load.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from encoder.errors import ModelUnusable

if TYPE_CHECKING:
    import torch

_EVERYWHERE = ("sdpa", "eager", "flash_attention_2", "flex_attention")


@dataclass(frozen=True, slots=True)
class Family:
    """How the text encoder of one `model_type` is made.

    module, config_class, backbone_class: names inside transformers.models. text_config: dotted path from the checkpoint's
    config to the text part's, empty if it is the same. key_mapping: weight names of the checkpoint -> of the text part.
    attention: implementations that compute the family correctly, best first; soft-capping rules out sdpa, heads of more
    than 256 rule out flash attention. masks: one 4-D mask for all layers, or a dict by kind of layer.
    bidirectional: `config` sets is_causal to False, `always` is an encoder already. window: whether the config's sliding
    window reaches that far to each side, or is the width of both sides together. license_page: the terms of its weights.
    """

    name: str
    module: str
    config_class: str
    backbone_class: str
    text_config: str = ""
    key_mapping: Mapping[str, str] = field(default_factory=dict)
    attention: tuple[str, ...] = _EVERYWHERE
    masks: Literal["one", "by_layer"] = "by_layer"
    bidirectional: Literal["config", "always"] = "config"
    window: Literal["each_side", "both_sides"] = "each_side"
    license_page: str = "https://ai.google.dev/gemma/terms"


_SOFT_CAPPED = ("eager", "flash_attention_2", "flex_attention")
_LARGE_HEADS = ("sdpa", "eager", "flex_attention")
_APACHE = "https://ai.google.dev/gemma/apache_2"
_MULTIMODAL_KEYS = {r"^model\.language_model\.": "", r"^language_model\.model\.": "", r"^language_model\.": ""}

FAMILIES: dict[str, Family] = {
    "gemma": Family("Gemma", "gemma", "GemmaConfig", "GemmaModel", masks="one"),
    "gemma2": Family("Gemma 2", "gemma2", "Gemma2Config", "Gemma2Model", attention=_SOFT_CAPPED),
    # EmbeddingGemma is of this type too, with use_bidirectional_attention in its config
    "gemma3_text": Family("Gemma 3", "gemma3", "Gemma3TextConfig", "Gemma3TextModel"),
    "gemma3": Family("Gemma 3", "gemma3", "Gemma3Config", "Gemma3TextModel", "text_config", _MULTIMODAL_KEYS),
    "gemma4_text": Family("Gemma 4", "gemma4", "Gemma4TextConfig", "Gemma4TextModel", attention=_LARGE_HEADS, license_page=_APACHE),
    "gemma4": Family(
        "Gemma 4", "gemma4", "Gemma4Config", "Gemma4TextModel", "text_config", _MULTIMODAL_KEYS, _LARGE_HEADS,
        license_page=_APACHE,
    ),
    "t5gemma": Family(
        "T5Gemma", "t5gemma", "T5GemmaConfig", "T5GemmaEncoder", "encoder", {r"^(model\.)?encoder\.": ""}, _SOFT_CAPPED,
        bidirectional="always",
    ),
    "t5_gemma_module": Family(
        "T5Gemma", "t5gemma", "T5GemmaModuleConfig", "T5GemmaEncoder", attention=_SOFT_CAPPED, bidirectional="always"
    ),
    "t5gemma2": Family(
        "T5Gemma 2", "t5gemma2", "T5Gemma2Config", "T5Gemma2TextEncoder", "encoder.text_config",
        {r"^(model\.)?encoder\.(text_model\.)?": ""}, ("sdpa", "eager"), bidirectional="always", window="both_sides",
    ),
    "t5gemma2_text": Family(
        "T5Gemma 2", "t5gemma2", "T5Gemma2TextConfig", "T5Gemma2TextEncoder", attention=("sdpa", "eager"),
        bidirectional="always", window="both_sides",
    ),
}  # fmt: skip


def family_of(directory: Path) -> Family:
    """The family of a checkpoint. Raises ModelUnusable for any other architecture, or none."""
    path = directory / "config.json"
    try:
        values = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ModelUnusable(f"{directory} is not a model directory: it has no config.json.") from None
    except (OSError, ValueError) as error:
        raise ModelUnusable(f"{path} cannot be read: {error}") from error
    model_type = values.get("model_type") if isinstance(values, dict) else None
    if model_type not in FAMILIES:
        raise ModelUnusable(f"{directory} holds a model of type {model_type!r}; it can be {', '.join(FAMILIES)}.")
    return FAMILIES[model_type]


def license_page_of(repository: str) -> str:
    """Where to read the license of a repository's weights, by the family that its name tells; empty if it tells none."""
    name = repository.lower().replace("-", "").replace("_", "").replace("embeddinggemma", "gemma3")
    names = {f.name.lower().replace(" ", ""): f.license_page for f in FAMILIES.values()}
    return next((names[known] for known in sorted(names, key=len, reverse=True) if known in name), "")


def text_config(family: Family, directory: Path) -> Any:
    """The text part's config, set to be bidirectional and to keep no cache."""
    try:
        config = config_class(family).from_pretrained(str(directory))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelUnusable(f"{directory / 'config.json'} does not describe a {family.name} model: {error}") from error
    for part in filter(None, family.text_config.split(".")):
        config = getattr(config, part)
    config.use_cache = False
    make_bidirectional(config, family)
    return config


def make_bidirectional(config: Any, family: Family) -> None:
    """Let every layer see both ways. A config that asks for it by its own switch keeps that: it was trained so."""
    if family.bidirectional == "config" and not getattr(config, "use_bidirectional_attention", None):
        config.is_causal = False
    if getattr(config, "use_bidirectional_attention", None) == "vision":
        config.is_causal = False


def backbone_class(family: Family) -> Any:
    return _class(family, family.backbone_class)


def config_class(family: Family) -> Any:
    return _class(family, family.config_class)


def sliding_reach(family: Family, config: Any) -> int | None:
    """The farthest distance that a sliding-window layer sees to either side, None if there is no such layer."""
    window = getattr(config, "sliding_window", None)
    if window is None or "sliding_attention" not in (getattr(config, "layer_types", None) or ()):
        return None
    if family.window == "both_sides":
        return int(window) // 2
    exclusive = getattr(config, "use_bidirectional_attention", None) in (True, "all")
    return int(window) - 1 if exclusive else int(window)


def choose_device(device: str) -> str:
    """`auto` is the first GPU, else the CPU; `spread` lays the layers over all devices. Raises ModelUnusable."""
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ModelUnusable(f"Device {device} was asked for, but no CUDA GPU is usable here; use auto or cpu.")
    if device == "spread":
        return device
    try:
        torch.device(device)
    except RuntimeError:
        raise ModelUnusable(f"There is no device {device!r}; use auto, cpu, cuda, cuda:N, mps or spread.") from None
    return device


def choose_dtype(dtype: str, device: str) -> torch.dtype:
    """`auto` is bf16 on a GPU that computes in it, else fp32. fp16 overflows in Gemma and is refused."""
    import torch

    named = {"float32": torch.float32, "fp32": torch.float32, "bfloat16": torch.bfloat16, "bf16": torch.bfloat16}
    if dtype == "auto":
        on_gpu = device.startswith("cuda") or (device == "spread" and torch.cuda.is_available())
        return torch.bfloat16 if on_gpu and torch.cuda.is_bf16_supported() else torch.float32
    if dtype not in named:
        raise ModelUnusable(f"Precision {dtype!r} cannot be used; use auto, float32 or bfloat16.")
    return named[dtype]


def choose_attention(
    attention: str, family: Family, device: str, dtype: torch.dtype, *, own_masks: bool = False
) -> str:
    """The best implementation that is right for the family, the device and the input. Raises ModelUnusable."""
    import torch

    usable = [a for a in family.attention if not (own_masks and a in ("flash_attention_2", "flex_attention"))]
    if attention != "auto":
        if attention not in usable:
            kind = "masks of our own for " if own_masks else ""
            raise ModelUnusable(f"Attention {attention!r} cannot compute {kind}{family.name}; use {', '.join(usable)}.")
        return attention
    on_gpu = device.startswith("cuda") or device == "spread"
    installed = importlib.util.find_spec("flash_attn") is not None
    if "flash_attention_2" in usable and on_gpu and installed and dtype is torch.bfloat16:
        return "flash_attention_2"
    return next(a for a in usable if a in ("sdpa", "eager"))


def _class(family: Family, name: str) -> Any:
    # configs and models live in sibling modules; importing those alone is faster than `import transformers`' lazy names
    part = "configuration" if name.endswith("Config") else "modeling"
    return getattr(importlib.import_module(f"transformers.models.{family.module}.{part}_{family.module}"), name)
