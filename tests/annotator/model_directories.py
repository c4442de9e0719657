"""Model directories for tests of the registry: whole as far as files go, without a network inside."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from encoder.config import EncoderConfig


def a_model_directory(path: Path, *, criteria: tuple[str, ...] = ("SLEEP_ISSUES", "DEPRESSED_MOOD")) -> Path:
    """A directory with a readable configuration and whole weights."""
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"model_type": "gemma3_text"}), "utf-8")
    (path / "tokenizer.json").write_text("{}", "utf-8")
    EncoderConfig(known_criteria=criteria).save(path)
    save_file({"weight": np.ones((2, 3), dtype=np.float32)}, path / "model.safetensors")
    return path
