"""Tiny random checkpoints of every family, in the layouts of the Hub, with a tokenizer trained here. Nothing is downloaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from encoder.config import EncoderConfig
from encoder.network.model import EvidenceEncoder
from encoder.text.tokenizer import TextTokenizer
from storage.records import Criterion

SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
TEXTS = [
    "I cannot sleep. The dog is well.",
    "i feel sad all day, and nothing is fun anymore.",
    "My mother called me yesterday about the garden!",
    "I am so tired that I cannot get up; work is too much.",
    "We walked to the lake and it was a good day.",
]
CRITERIA = (
    Criterion("SLEEP_ISSUES", "Sleep problems", "The writer cannot sleep."),
    Criterion("DEPRESSED_MOOD", "Depressed mood", "The writer feels sad.", position=1),
    Criterion("FATIGUE", "Fatigue", "The writer is tired all the time, and everything is an effort.", position=2),
)


@cache
def tokenizer_json() -> str:
    """A byte-fallback BPE as Gemma's: spaces become ▁, unknown characters become bytes."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")  # keeps merges inside words
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    trainer = trainers.BpeTrainer(
        vocab_size=480,
        special_tokens=[*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    stored = json.loads(tokenizer.to_str())
    # bytes are ordinary entries of the vocabulary; as added tokens they would be found in text
    stored["added_tokens"] = [token for token in stored["added_tokens"] if token["content"] in SPECIAL]
    return json.dumps(stored)


def tiny_tokenizer() -> TextTokenizer:
    return TextTokenizer(Tokenizer.from_str(tokenizer_json()))


def _shape(**changes: Any) -> dict[str, Any]:
    return {
        "vocab_size": tiny_tokenizer().size,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
        "attention_dropout": 0.0,
        "initializer_range": 0.2,
        **changes,
    }


_LAYERS: dict[str, Any] = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 24}
_VISION = {
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "image_size": 8,
    "patch_size": 4,
}


def _gemma() -> Any:
    from transformers import GemmaConfig, GemmaForCausalLM

    return GemmaForCausalLM(GemmaConfig(**_shape()))


def _gemma2() -> Any:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    return Gemma2ForCausalLM(Gemma2Config(**_shape(**_LAYERS, query_pre_attn_scalar=16)))


def _gemma3() -> Any:
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    return Gemma3ForCausalLM(Gemma3TextConfig(**_shape(**_LAYERS, query_pre_attn_scalar=16)))


def _gemma3_multimodal() -> Any:
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    text = {**_shape(**_LAYERS, query_pre_attn_scalar=16), "model_type": "gemma3_text"}
    config = Gemma3Config(text_config=text, vision_config=_VISION, mm_tokens_per_image=4)
    return Gemma3ForConditionalGeneration(config)


def _gemma4() -> Any:
    from transformers import Gemma4ForCausalLM, Gemma4TextConfig

    shape = _shape(**_LAYERS, hidden_size_per_layer_input=4, num_kv_shared_layers=0, global_head_dim=16)
    return Gemma4ForCausalLM(Gemma4TextConfig(**shape, vocab_size_per_layer_input=shape["vocab_size"]))


def _embeddinggemma() -> Any:
    from transformers import Gemma3TextConfig, Gemma3TextModel

    shape = _shape(**_LAYERS, query_pre_attn_scalar=16, use_bidirectional_attention=True)
    return Gemma3TextModel(Gemma3TextConfig(**shape))


def _t5gemma() -> Any:
    from transformers import T5GemmaConfig, T5GemmaForConditionalGeneration

    part = _shape(**_LAYERS, query_pre_attn_scalar=16)
    config = T5GemmaConfig(encoder=part, decoder=dict(part), vocab_size=part["vocab_size"])
    return T5GemmaForConditionalGeneration(config)


def _gemma4_multimodal() -> Any:
    from transformers import Gemma4Config, Gemma4ForConditionalGeneration

    text = _shape(**_LAYERS, hidden_size_per_layer_input=4, num_kv_shared_layers=0, global_head_dim=16)
    text |= {"vocab_size_per_layer_input": text["vocab_size"]}
    vision = {**_VISION, "head_dim": 8, "num_key_value_heads": 1}
    return Gemma4ForConditionalGeneration(Gemma4Config(text_config=text, vision_config=vision, audio_config=None))


def _t5gemma2() -> Any:
    from transformers import T5Gemma2Config, T5Gemma2ForConditionalGeneration

    part = _shape(**_LAYERS, query_pre_attn_scalar=16)
    encoder = {"text_config": part, "vision_config": _VISION, "mm_tokens_per_image": 4}
    return T5Gemma2ForConditionalGeneration(T5Gemma2Config(encoder=encoder, decoder=dict(part)))


FAMILIES: dict[str, Callable[[], Any]] = {
    "gemma": _gemma,
    "gemma2": _gemma2,
    "gemma3": _gemma3,
    "gemma3-multimodal": _gemma3_multimodal,
    "gemma4": _gemma4,
    "gemma4-multimodal": _gemma4_multimodal,
    "embeddinggemma": _embeddinggemma,
    "t5gemma": _t5gemma,
    "t5gemma2": _t5gemma2,
}


def save_checkpoint(family: str, directory: Path) -> Path:
    """A raw random checkpoint of the family, as it would come from the Hub."""
    torch.manual_seed(0)
    model = FAMILIES[family]()
    model.save_pretrained(str(directory))
    tiny_tokenizer().save(directory)
    if family == "embeddinggemma":
        modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
        (directory / "modules.json").write_text(json.dumps(modules))
        (directory / "1_Pooling").mkdir(exist_ok=True)
        (directory / "1_Pooling" / "config.json").write_text("{}")
    return directory


def tiny_config(**changes: Any) -> EncoderConfig:
    known = tuple(c.id for c in CRITERIA)
    base = EncoderConfig(window_tokens=64, stride_tokens=16, known_criteria=known, default_threshold=0.5)
    return base.changed(**changes)


def tiny_encoder(*, layers: int = 2, **changes: Any) -> EvidenceEncoder:
    """A random Gemma-3-shaped encoder in memory, of an even number of layers."""
    from transformers import Gemma3TextConfig, Gemma3TextModel

    from encoder.network.families import FAMILIES as TABLE
    from encoder.network.families import make_bidirectional

    torch.manual_seed(1)
    kinds = {**_LAYERS, "layer_types": _LAYERS["layer_types"] * (layers // 2), "num_hidden_layers": layers}
    config = Gemma3TextConfig(**_shape(**kinds, query_pre_attn_scalar=16), use_cache=False, attn_implementation="sdpa")
    make_bidirectional(config, TABLE["gemma3_text"])
    backbone = Gemma3TextModel(config)
    return EvidenceEncoder(backbone, TABLE["gemma3_text"], tiny_tokenizer(), tiny_config(**changes)).eval()
