"""A GGUF file of a Gemma, as llama.cpp and Ollama use them, converted into a directory with safetensors weights.

Only the text encoder's weights are kept, in bfloat16: what a quantized file holds is no finer. Tensors are dequantized and
written a shard at a time, so that memory does not grow with the model. Needs the package gguf.

Names, and the one that is stored with the norms: convert_hf_to_gguf.py of llama.cpp, read backwards.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from encoder.errors import ModelUnusable
from encoder.network.families import FAMILIES, Family, backbone_class, config_class
from encoder.network.gguf_file import GgufFile, Tensor, byte_count, read_header
from encoder.text.tokenizer import TextTokenizer

if TYPE_CHECKING:
    import numpy as np
    import torch

OnProgress = Callable[[float, str], None]

NEEDS_GGUF = "Reading a GGUF file needs the package gguf: pip install 'evidence-annotator[gemma]'."
# general.architecture -> model_type
ARCHITECTURES = {"gemma": "gemma", "gemma2": "gemma2", "gemma3": "gemma3_text"}
SHARD_BYTES = 1_000_000_000
_ROWS_AT_ONCE = 8192
_CONTROL, _USER_DEFINED = 3, 4  # tokenizer.ggml.token_type

_TOP = {"token_embd": "embed_tokens", "output_norm": "norm"}
_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
# Gemma 1 has two norms a layer, the second one before the feed-forward part
_LAYER_OF_GEMMA = _LAYER | {"ffn_norm": "post_attention_layernorm"}
_NOT_OURS = ("output.weight", "rope_freqs.weight")  # the language-model head, and a table that follows from the config


@dataclass(frozen=True)
class GemmaFile:
    """A GGUF file that holds a Gemma. quantization: as llama.cpp names it, such as Q4_K_M; name: as the file names the model."""

    file: GgufFile
    family: Family
    quantization: str
    name: str

    @property
    def path(self) -> Path:
        return self.file.path

    @property
    def architecture(self) -> str:
        return str(self.file.metadata["general.architecture"])

    @property
    def tokens(self) -> Sequence[str]:
        """The vocabulary. Runs of spaces are stored as such, and looked up as the tokenizer spells a space."""
        stored = self.file.metadata["tokenizer.ggml.tokens"]
        return ["▁" * len(token) if " " in token and not token.strip(" ") else token for token in stored]

    def value(self, key: str, default: Any = None) -> Any:
        """The metadata under `<architecture>.<key>`. Raises ModelUnusable if it is not there and there is no default."""
        found = self.file.metadata.get(f"{self.architecture}.{key}", default)
        if found is None:
            raise ModelUnusable(f"{self.path} does not say {self.architecture}.{key}: it is no whole model.")
        return found

    def bytes_as_bf16(self) -> int:
        """What its weights take on the disk once they are converted."""
        return 2 * sum(tensor.elements for tensor in self.file.tensors)


def read_gguf(path: Path) -> GemmaFile:
    """Read the header. Raises ModelUnusable with one line: no GGUF file, cut off, of another architecture, one part of several."""
    if importlib.util.find_spec("gguf") is None:
        raise ModelUnusable(NEEDS_GGUF)
    file = read_header(path)
    architecture = file.metadata.get("general.architecture")
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ModelUnusable(f"{path} holds a model of architecture {architecture!r}; as a GGUF file it can be {known}.")
    if int(file.metadata.get("split.count", 1)) > 1:
        raise ModelUnusable(f"{path} is one part of several; put them together with `llama-gguf-split --merge` first.")
    name = str(file.metadata.get("general.name") or path.stem)
    return GemmaFile(file, FAMILIES[ARCHITECTURES[architecture]], _quantization(file), name)


def convert(file: GemmaFile, directory: Path, on_progress: OnProgress = lambda fraction, message: None) -> None:
    """Write config, weights and tokenizer into `directory`, which is there and empty. Raises ModelUnusable."""
    config = config_of(file)
    plan = _plan(file, config)
    shards = _shards(plan)
    done, total = 0, sum(tensor.elements for _, tensor in plan)
    index: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        name = "model.safetensors" if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
        tensors = {}
        for target, tensor in shard:
            tensors[target] = _dequantized(tensor, target, file.path)
            done += tensor.elements
            on_progress(0.8 * done / total, f"converting {file.name}")
        _save(tensors, directory / name)
        index |= dict.fromkeys(tensors, name)
    if len(shards) > 1:
        text = json.dumps({"metadata": {"total_size": 2 * total}, "weight_map": index}, indent=1)
        (directory / "model.safetensors.index.json").write_text(text + "\n", encoding="utf-8")
    config.save_pretrained(str(directory))
    on_progress(0.85, f"converting the tokenizer of {file.name}")
    tokenizer_of(file).save(directory)


def config_of(file: GemmaFile) -> Any:
    """The text config that the file's metadata describes, as transformers has it."""
    heads, hidden = int(file.value("attention.head_count")), int(file.value("embedding_length"))
    layers, head_size = int(file.value("block_count")), int(file.value("attention.key_length", hidden // heads))
    values: dict[str, Any] = {
        "vocab_size": len(file.file.metadata.get("tokenizer.ggml.tokens", ())),
        "hidden_size": hidden,
        "intermediate_size": int(file.value("feed_forward_length")),
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": int(file.value("attention.head_count_kv", heads)),
        "head_dim": head_size,
        "max_position_embeddings": int(file.value("context_length")),
        # stored in single precision
        "rms_norm_eps": float(f"{file.value('attention.layer_norm_rms_epsilon', 1e-6):.6g}"),
        "dtype": "bfloat16",
    }
    if file.architecture != "gemma":
        values["sliding_window"] = int(file.value("attention.sliding_window", 4096))
        # llama.cpp does not store the scale of the queries: the 27B models alone divide by what a head has of the hidden size
        values["query_pre_attn_scalar"] = hidden // heads if _is_27b(file.architecture, layers) else head_size
    if file.architecture == "gemma3":
        values["rope_parameters"] = _rope_of_gemma3(file)
    return config_class(file.family)(**values)


def tokenizer_of(file: GemmaFile) -> TextTokenizer:
    """The tokenizer in the file: the one of the Hub, but that every control token is special, so that no text can hold one.

    The file lists no merges. They follow from the vocabulary: every cut of a token into two others, and tokens come in the
    order in which they were merged.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers
    from tokenizers.models import BPE

    metadata = file.file.metadata
    if metadata.get("tokenizer.ggml.model") != "llama":
        kind = metadata.get("tokenizer.ggml.model")
        raise ModelUnusable(
            f"{file.path} has a tokenizer of kind {kind!r}; a Gemma has SentencePiece's, called 'llama' there."
        )
    tokens = file.tokens
    vocabulary = {token: number for number, token in enumerate(tokens)}
    roles = {"pad": "padding", "bos": "bos", "eos": "eos", "unk": "unknown", "mask": "mask"}
    numbers = {role: metadata.get(f"tokenizer.ggml.{key}_token_id") for role, key in roles.items()}
    named = {f"{role}_token": tokens[number] for role, number in numbers.items() if number is not None}
    unknown = named.get("unk_token", "<unk>")
    backend = Tokenizer(
        BPE(vocab=vocabulary, merges=_merges(tokens, vocabulary), fuse_unk=True, unk_token=unknown, byte_fallback=True)
    )
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.pre_tokenizer = pre_tokenizers.Split(pattern=" ", behavior="merged_with_previous", invert=False)
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    kinds = metadata.get("tokenizer.ggml.token_type") or ()
    for kind, special in ((_CONTROL, True), (_USER_DEFINED, False)):
        added = [
            AddedToken(t, special=special, normalized=False) for t, k in zip(tokens, kinds, strict=False) if k == kind
        ]
        (backend.add_special_tokens if special else backend.add_tokens)(added)
    return TextTokenizer(backend, named)


def _merges(tokens: Sequence[str], vocabulary: Mapping[str, int]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for token in tokens:
        cuts = ((token[:at], token[at:]) for at in range(1, len(token)))
        local = [(left, right) for left, right in cuts if left in vocabulary and right in vocabulary]
        found += sorted(local, key=lambda cut: (vocabulary[cut[0]], vocabulary[cut[1]]))
    return found


def _quantization(file: GgufFile) -> str:
    from gguf import LlamaFileType

    try:
        name = LlamaFileType(int(file.metadata["general.file_type"])).name
    except (KeyError, ValueError):
        return "unknown"
    return name.removeprefix("MOSTLY_").removeprefix("ALL_")


def _is_27b(architecture: str, layers: int) -> bool:
    return (architecture, layers) in (("gemma2", 46), ("gemma3", 62))


def _rope_of_gemma3(file: GemmaFile) -> dict[str, Any]:
    """The layers with a window turn by a base of 10,000; the others by the file's, stretched where the file says so."""
    full: dict[str, Any] = {"rope_type": "default", "rope_theta": float(file.value("rope.freq_base", 1e6))}
    factor = float(file.value("rope.scaling.factor", 1.0))
    if factor != 1.0:
        full |= {"rope_type": "linear", "factor": factor}
    return {"full_attention": full, "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}


def _plan(file: GemmaFile, config: Any) -> list[tuple[str, Tensor]]:
    """(name in the directory, tensor of the file), every weight of the backbone once. Raises ModelUnusable if some do not fit."""
    import torch

    with torch.device("meta"):
        wanted = {k: tuple(v.shape) for k, v in backbone_class(file.family)(config).state_dict().items()}
    found: list[tuple[str, Tensor]] = []
    for tensor in file.file.tensors:
        if tensor.name in _NOT_OURS:
            continue
        name = _name_of(tensor.name, file.architecture)
        if name is None or wanted.get(name) != tensor.shape:
            raise ModelUnusable(
                f"{file.path} has a weight {tensor.name} of shape {tensor.shape} that is no part of {file.family.name}."
            )
        found.append((name, tensor))
    missing = sorted(set(wanted) - {name for name, _ in found})
    if missing:
        raise ModelUnusable(
            f"{file.path} lacks {len(missing)} weights of {file.family.name}, the first is {missing[0]}."
        )
    return found


def _name_of(tensor: str, architecture: str) -> str | None:
    stem, _, kind = tensor.rpartition(".")
    if stem in _TOP:
        return f"{_TOP[stem]}.{kind}"
    layers = _LAYER_OF_GEMMA if architecture == "gemma" else _LAYER
    match = re.fullmatch(r"blk\.(\d+)\.(\w+)", stem)
    if match is None or match[2] not in layers:
        return None
    return f"layers.{match[1]}.{layers[match[2]]}.{kind}"


def _shards(plan: Sequence[tuple[str, Tensor]]) -> list[list[tuple[str, Tensor]]]:
    shards: list[list[tuple[str, Tensor]]] = [[]]
    size = 0
    for name, tensor in plan:
        if shards[-1] and size + 2 * tensor.elements > SHARD_BYTES:
            shards.append([])
            size = 0
        shards[-1].append((name, tensor))
        size += 2 * tensor.elements
    return shards


def _dequantized(tensor: Tensor, name: str, path: Path) -> torch.Tensor:
    """The tensor in bfloat16; llama.cpp stores the norms with the one that Gemma adds to them."""
    import numpy as np
    import torch

    result = torch.empty(tensor.shape, dtype=torch.bfloat16)
    for first, rows in _rows(tensor, path):
        values = torch.from_numpy(np.require(rows, requirements="W")) - (1.0 if name.endswith("norm.weight") else 0.0)
        result[first : first + len(values)] = values.to(torch.bfloat16)
    return result


def _rows(tensor: Tensor, path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, some rows dequantized to float32)."""
    import numpy as np
    from gguf import GGMLQuantizationType, dequantize

    rows = tensor.shape[0] if len(tensor.shape) > 1 else 1
    stored = np.memmap(path, np.uint8, "r", tensor.offset, (rows, byte_count(tensor, path) // rows))
    for first in range(0, rows, _ROWS_AT_ONCE):
        part = stored[first : first + _ROWS_AT_ONCE]
        try:
            values = dequantize(np.ascontiguousarray(part), GGMLQuantizationType(tensor.kind))
        except NotImplementedError as error:
            kind = GGMLQuantizationType(tensor.kind).name
            raise ModelUnusable(
                f"{path} is quantized as {kind}, which gguf cannot turn back; take another file."
            ) from error
        yield first, values.reshape(len(part), -1) if len(tensor.shape) > 1 else values.reshape(-1)


def _save(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file(dict(tensors), str(path), metadata={"format": "pt"})
