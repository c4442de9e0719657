"""Model directories: load one, make an encoder out of a raw Gemma, save one without ever leaving half of it.

Layout, as on the Hub:
    config.json, model.safetensors       the bidirectional backbone; other tools can load it as what it is
    heads.safetensors                    everything trained beside it, fp32
    tokenizer.json, tokenizer_config.json
    evidence_config.json                 EncoderConfig
    NOTICE.txt                           the terms of the base, where it has some
A LoRA adapter has adapter_config.json and adapter_model.safetensors instead of the first two (see `lora`) and names its base,
whose tokenizer it uses unless it has one of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from encoder.config import CONFIG_FILE, EncoderConfig
from encoder.errors import ModelUnusable
from encoder.network.bases import NOTICE_FILE, notice, weights_known
from encoder.network.cpu import CHOICES, LARGE, Speed, choose_speed, to_int8, widen
from encoder.network.directories import SaveFailed, check_output, replacing_directory
from encoder.network.families import (
    Family,
    backbone_class,
    choose_attention,
    choose_device,
    choose_dtype,
    family_of,
    text_config,
)
from encoder.network.hub import resolve, resolve_base
from encoder.network.lora import ADAPTER_FILE, compact, merge, read_adapter, replace
from encoder.text.tokenizer import TOKENIZER_FILE, TextTokenizer

if TYPE_CHECKING:
    import torch

    from encoder.network.gguf import OnProgress
    from encoder.network.model import EvidenceEncoder

__all__ = ["LoadOptions", "SaveFailed", "check_output", "load_encoder", "replacing_directory", "save_encoder"]

HEADS_FILE = "heads.safetensors"
_MARKS = "prompt_embeddings"


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Where and how to compute. device: auto, cpu, cuda, cuda:N, mps, spread. dtype: auto, float32, bfloat16, int8 (CPU only).

    threads: numbers of CPU threads to choose among for a large model under `auto`; empty leaves torch's as it is.

    attention: auto, or an implementation of the family. four_bit: quantize the backbone (bitsandbytes, GPU only).
    merge_adapter: an adapter becomes part of its base's weights; otherwise peft keeps it beside them, to be trained further.
    on_progress: told how far a base is that has to be converted first.
    """

    device: str = "auto"
    dtype: str = "auto"
    attention: str = "auto"
    four_bit: bool = False
    merge_adapter: bool = True
    threads: tuple[int, ...] = ()
    on_progress: OnProgress = lambda fraction, message: None


def load_encoder(
    model: str | Path,
    options: LoadOptions = LoadOptions(),
    *,
    config: EncoderConfig | None = None,
    probe_it: bool = True,
) -> EvidenceEncoder:
    """The encoder in a directory or repository, in evaluation mode, probed.

    config: with it, a checkpoint without heads (any Gemma) becomes an encoder with fresh ones; a checkpoint of ours keeps its
    own config and ignores it. Without it, a checkpoint without heads is refused.
    Raises ModelUnusable or NotBidirectional.
    """
    from encoder.network.probe import probe

    directory = resolve(model, options.on_progress)
    if not directory.is_dir():
        raise ModelUnusable(f"{directory} is not there.")
    if (directory / CONFIG_FILE).exists():
        encoder = _load_ours(directory, options)
    elif config is not None:
        named = config.changed(base=config.base or str(model), base_weights=weights_known(directory))
        encoder = _from_raw(directory, options, named)
    else:
        family = family_of(directory)
        raise ModelUnusable(
            f"{model} is a {family.name} without evidence heads ({CONFIG_FILE} is missing): fine-tune it first, "
            f"as in `evidence train --model {model} --data GOLD.jsonl --output DIR`."
        )
    encoder.eval()
    if probe_it:
        probe(encoder)
    return encoder


def save_encoder(
    encoder: EvidenceEncoder,
    directory: Path,
    *,
    merge_adapter: bool = False,
    documents: Mapping[str, str] | None = None,
    beside: Callable[[Path], None] | None = None,
) -> None:
    """Write the complete model at `directory`, replacing what is there in one step.

    An encoder under LoRA is saved as an adapter, or merged into full weights. documents: further text files by name, such as
    what training knows of the model. beside: writes more files into the directory before it takes its
    place. Raises SaveFailed (disk full, not writable, something else stands there).
    """
    check_output(directory)
    with replacing_directory(directory) as temporary:
        _write(encoder, temporary, merge_adapter)
        for name, text in (documents or {}).items():
            (temporary / name).write_text(text, encoding="utf-8")
        if beside is not None:
            beside(temporary)


def _write(encoder: EvidenceEncoder, directory: Path, merge_adapter: bool) -> None:
    from safetensors.torch import save_file

    backbone, config = encoder.backbone, encoder.config
    adapted = hasattr(backbone, "peft_config")
    tensors = {f"heads.{k}": v.detach().cpu().contiguous() for k, v in encoder.heads.state_dict().items()}
    if adapted and merge_adapter:
        backbone = backbone.merge_and_unload()
        encoder.backbone = backbone
        adapted = False
    if adapted:
        backbone.save_pretrained(str(directory), save_embedding_layers=False)
        (directory / "README.md").unlink(missing_ok=True)  # a template card that says nothing
        compact(directory, backbone.get_base_model(), encoder.replaced, config.base)
        if not encoder.tokenizer_of_base:
            tensors |= _prompt_embeddings(encoder)
    else:
        with _quiet():
            backbone.save_pretrained(str(directory), save_original_format=False)
    save_file(tensors, str(directory / HEADS_FILE), metadata={"format": "pt"})
    if not (adapted and encoder.tokenizer_of_base):
        encoder.tokenizer.save(directory)
    # trained on what its base turned out to be, which need not be what the model that it began with was trained on
    weights = (encoder.base_found if adapted else {}) or config.base_weights
    config.changed(adapter=adapted, base_weights=weights).save(directory)
    _write_notice(encoder, directory)


def _write_notice(encoder: EvidenceEncoder, directory: Path) -> None:
    """What the terms of Gemma ask of everything that is derived from it, also of what a model on its weights has taught."""
    from encoder.network.bases import GEMMA_TERMS

    config, changes = encoder.config, ""
    if config.base_weights and encoder.family.license_page == GEMMA_TERMS:
        changes = f"fine-tuned from {config.base} into a bidirectional encoder that marks evidence."
    elif config.distilled_from:
        changes = (
            f"none of them is in this model; its own were trained on answers of {config.distilled_from} (distillation)."
        )
    if changes:
        (directory / NOTICE_FILE).write_text(notice(changes), encoding="utf-8")


def _prompt_embeddings(encoder: EvidenceEncoder) -> dict[str, Any]:
    """The embeddings of the prompt's marks, which a base does not have."""
    ids = [encoder.tokenizer.id_of(t) for t in encoder.config.prompt_tokens]
    return {f"{_MARKS}.{name}": table[ids].detach().cpu().contiguous() for name, table in _tables(encoder).items()}


def _tables(encoder: EvidenceEncoder) -> dict[str, Any]:
    """Weights of the embedding tables by name, as (vocabulary, size)."""
    tables = {"embed_tokens": encoder.backbone.get_input_embeddings()}
    inner = encoder.backbone.get_base_model() if hasattr(encoder.backbone, "peft_config") else encoder.backbone
    if hasattr(inner, "embed_tokens_per_layer"):
        tables["embed_tokens_per_layer"] = inner.embed_tokens_per_layer
    return {name: table.weight for name, table in tables.items()}


def _load_ours(directory: Path, options: LoadOptions) -> EvidenceEncoder:
    from encoder.network.model import EvidenceEncoder

    config = EncoderConfig.load(directory)
    adapter = config.adapter or (directory / ADAPTER_FILE).exists()
    if adapter and not config.base:
        raise ModelUnusable(f"{directory} holds an adapter, but its {CONFIG_FILE} does not name its base.")
    source = resolve_base(config, options.on_progress) if adapter else directory
    own_tokenizer = not adapter or (directory / TOKENIZER_FILE).exists()
    tokenizer = TextTokenizer.load(directory if own_tokenizer else source)
    speed = _speed_here(source, options)
    family, backbone = _backbone(source, options, config, speed)
    rows = backbone.get_input_embeddings().weight.shape[0]
    if not adapter and tokenizer.size > rows:
        raise ModelUnusable(
            f"The tokenizer in {directory} has {tokenizer.size} tokens, the model knows {rows} of them."
        )
    encoder = EvidenceEncoder(backbone, family, tokenizer, config)
    encoder.speed = speed
    encoder.tokenizer_of_base = not own_tokenizer
    tensors = _read_heads(directory)
    if adapter:
        if own_tokenizer:
            _put_prompt_embeddings(encoder, tensors)
        _put_adapter(encoder, directory, merged=options.merge_adapter and not options.four_bit)
        encoder.base_found = weights_known(source)
    if speed is not None and speed.dtype == "int8":
        to_int8(backbone)
    _put_heads(encoder, tensors, directory)
    return encoder


def _speed_here(directory: Path, options: LoadOptions) -> Speed | None:
    """How a large model is to compute on this CPU, None where nothing is to be chosen: a GPU, a small model, a type asked for."""
    import torch

    if choose_device(options.device) != "cpu" or options.four_bit or options.dtype not in ("auto", "int8"):
        return None
    shape = text_config(family_of(directory), directory)
    threads = options.threads or (torch.get_num_threads(),)
    if options.dtype == "auto" and shape.hidden_size < LARGE:
        return None
    return choose_speed(
        shape.hidden_size, shape.intermediate_size, threads, CHOICES if options.dtype == "auto" else ("int8",)
    )


def _from_raw(directory: Path, options: LoadOptions, config: EncoderConfig) -> EvidenceEncoder:
    from encoder.network.model import EvidenceEncoder

    family, backbone = _backbone(directory, options, config)
    tokenizer = TextTokenizer.load(directory)
    size = tokenizer.size
    encoder = EvidenceEncoder(backbone, family, tokenizer, config)
    encoder.tokenizer_of_base = tokenizer.size == size  # it had the marks already
    encoder.stands_on_base = bool(config.base_weights)
    return encoder


def _backbone(
    directory: Path, options: LoadOptions, config: EncoderConfig, speed: Speed | None = None
) -> tuple[Family, Any]:
    """The bidirectional text backbone of a checkpoint. Raises ModelUnusable for whatever is wrong with its files."""
    from safetensors import SafetensorError

    family = family_of(directory)
    _check_weights(directory)
    device = choose_device(options.device)
    shape = text_config(family, directory)
    dtype = choose_dtype(options.dtype, device) if speed is None else _loaded_as(shape, speed)
    attention = choose_attention(
        options.attention, family, device, dtype, own_masks=config.scoring == "packed" or config.causal_layers > 0
    )
    keywords: dict[str, Any] = {
        "dtype": dtype,
        "attn_implementation": attention,
        "config": shape,
    }
    if family.key_mapping:
        keywords["key_mapping"] = dict(family.key_mapping)
    if device == "spread":
        keywords["device_map"] = "auto"
    if options.four_bit:
        keywords |= _four_bit(device, dtype)
    try:
        with _quiet():
            backbone, report = backbone_class(family).from_pretrained(
                str(directory), output_loading_info=True, use_safetensors=True, local_files_only=True, **keywords
            )
    except (SafetensorError, OSError, RuntimeError, ValueError, KeyError, ImportError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelUnusable(
            f"The weights in {directory} cannot be read; the download may be damaged: {reason}"
        ) from error
    _check_report(report, family, directory)
    if speed is not None and speed.dtype != "bfloat16" and dtype is not choose_dtype("float32", device):
        widen(backbone)
    return family, backbone if device == "spread" or options.four_bit else backbone.to(device)


def _loaded_as(shape: Any, speed: Speed) -> torch.dtype:
    """bfloat16 where that is what is stored or computed in: the file is mapped into memory as it is, not copied."""
    import torch

    return torch.bfloat16 if speed.dtype == "bfloat16" or shape.dtype is torch.bfloat16 else torch.float32


def _check_weights(directory: Path) -> None:
    if any(directory.glob("*.safetensors")):
        return
    if any(directory.glob("*.bin")) or any(directory.glob("*.pt")) or any(directory.glob("*.pth")):
        raise ModelUnusable(
            f"{directory} has its weights as pickle files only, which can run code when read; convert them to safetensors."
        )
    raise ModelUnusable(f"{directory} has no weights: there is no .safetensors file.")


def _check_report(report: Any, family: Family, directory: Path) -> None:
    """Raise ModelUnusable if a weight of the backbone was missing or had another shape."""
    missing = sorted(report["missing_keys"]) if report["missing_keys"] else []
    wrong = sorted(str(key) for key in report["mismatched_keys"]) if report["mismatched_keys"] else []
    if missing or wrong:
        first = (missing or wrong)[0]
        raise ModelUnusable(
            f"The weights in {directory} are not those of the {family.name} model that its config.json describes: "
            f"{len(missing)} missing, {len(wrong)} of another shape, first {first}."
        )


def _four_bit(device: str, dtype: Any) -> dict[str, Any]:
    import importlib.util

    if not device.startswith("cuda") and device != "spread":
        raise ModelUnusable("Four-bit weights need a CUDA GPU.")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ModelUnusable("Four-bit weights need bitsandbytes: pip install 'evidence-annotator[gpu]'.")
    from transformers import BitsAndBytesConfig

    quantization = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    return {"quantization_config": quantization, "device_map": "auto" if device == "spread" else {"": device}}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the load report (a language-model head that we leave out on purpose) and its progress bar."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _read_heads(directory: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = directory / HEADS_FILE
    if not path.exists():
        raise ModelUnusable(f"{directory} has no {HEADS_FILE}: the model is incomplete.")
    try:
        return dict(load_file(str(path)))
    except (SafetensorError, OSError) as error:
        raise ModelUnusable(f"{path} is damaged: {error}") from error


def _put_heads(encoder: EvidenceEncoder, tensors: dict[str, Any], directory: Path) -> None:
    state = {k.removeprefix("heads."): v for k, v in tensors.items() if k.startswith("heads.")}
    try:
        encoder.heads.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ModelUnusable(f"{directory / HEADS_FILE} does not fit its {CONFIG_FILE}: {reason}") from error


def _put_prompt_embeddings(encoder: EvidenceEncoder, tensors: dict[str, Any]) -> None:
    import torch

    ids = [encoder.tokenizer.id_of(t) for t in encoder.config.prompt_tokens]
    with torch.no_grad():
        for name, weight in _tables(encoder).items():
            saved = tensors.get(f"{_MARKS}.{name}")
            if saved is None or saved.shape != weight[ids].shape:
                raise ModelUnusable(f"The adapter does not fit its base {encoder.config.base}: the embeddings differ.")
            weight[ids] = saved.to(weight)


def _put_adapter(encoder: EvidenceEncoder, directory: Path, *, merged: bool) -> None:
    adapter = read_adapter(directory)
    encoder.replaced = tuple(adapter.replaced)
    base = encoder.config.base or ""
    encoder.stands_on_base = not merged and bool(encoder.config.base_weights)
    if merged:
        merge(adapter, encoder.backbone, base)
        return
    replace(adapter, encoder.backbone, base)
    _add_peft(encoder, directory)


def _add_peft(encoder: EvidenceEncoder, directory: Path) -> None:
    try:
        from peft import PeftModel
    except ImportError:
        raise ModelUnusable("A LoRA adapter needs peft: pip install 'evidence-annotator[peft]'.") from None
    try:
        encoder.backbone = PeftModel.from_pretrained(encoder.backbone, str(directory), is_trainable=False)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelUnusable(f"The adapter in {directory} cannot be used: {reason}") from error
