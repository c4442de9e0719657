"""Writes tiny GGUF files of the Gemma families as llama.cpp's converter does: names, norms plus one, SentencePiece vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, quantize

from encoder.network.gguf import ARCHITECTURES
from tests.encoder.tiny import FAMILIES, SPECIAL, tiny_tokenizer

_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}


def write_gguf(architecture: str, path: Path, *, leave_out: str = "", seed: int = 0, **metadata: Any) -> Any:
    """A random model of the architecture as a GGUF file; returns the transformers model it holds. metadata: on top of its own."""
    import torch

    torch.manual_seed(seed)
    model = FAMILIES[ARCHITECTURES.get(architecture, "gemma3_text").removesuffix("_text")]()
    writer = GGUFWriter(path, architecture)
    _write_metadata(writer, model.config)
    for key, value in metadata.items():
        name = key.replace("__", ".")
        writer.add_uint32(name, value) if isinstance(value, int) else writer.add_float32(name, value)
    for name, tensor in model.model.state_dict().items():
        stored = _name(name, architecture)
        if stored != leave_out:
            _add(writer, stored, tensor.float().numpy() + (1.0 if name.endswith("norm.weight") else 0.0))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def _write_metadata(writer: GGUFWriter, config: Any) -> None:
    tokens = [token for token, _ in sorted(tiny_tokenizer().backend.get_vocab().items(), key=lambda item: item[1])]
    writer.add_name("Tiny Gemma")
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_sliding_window(getattr(config, "sliding_window", None) or 0)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(n) for n in range(len(tokens))])
    writer.add_token_types([3 if token in SPECIAL else 1 for token in tokens])
    for role, name in (("pad", "<pad>"), ("eos", "<eos>"), ("bos", "<bos>"), ("unk", "<unk>")):
        getattr(writer, f"add_{role}_token_id")(tokens.index(name))


def _name(parameter: str, architecture: str) -> str:
    stem, _, kind = parameter.rpartition(".")
    if not stem.startswith("layers."):
        return {"embed_tokens": "token_embd", "norm": "output_norm"}[stem] + "." + kind
    _, number, rest = stem.split(".", 2)
    after_attention = "ffn_norm" if architecture == "gemma" else "post_attention_norm"
    return f"blk.{number}.{after_attention if rest == 'post_attention_layernorm' else _LAYER[rest]}.{kind}"


def _add(writer: GGUFWriter, name: str, values: np.ndarray) -> None:
    if values.ndim == 2 and values.shape[1] % 32 == 0:  # a block of Q8_0
        kind = GGMLQuantizationType.Q8_0
        writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)
    else:
        writer.add_tensor(name, values.astype(np.float32))
