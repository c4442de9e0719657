"""Model directories for tests of the registry: whole as far as files go, without a network inside."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from annotator.settings import Settings
from encoder.config import EncoderConfig
from storage.records import ModelVersion
from storage.store import Store


def a_model_directory(path: Path, *, criteria: tuple[str, ...] = ("SLEEP_ISSUES", "DEPRESSED_MOOD")) -> Path:
    """A directory with a readable configuration and whole weights."""
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"model_type": "gemma3_text"}), "utf-8")
    (path / "tokenizer.json").write_text("{}", "utf-8")
    EncoderConfig(known_criteria=criteria).save(path)
    save_file({"weight": np.ones((2, 3), dtype=np.float32)}, path / "model.safetensors")
    return path


def a_version(store: Store, settings: Settings, model_id: str = "v1") -> ModelVersion:
    """A version of the project that really loads, as a training leaves it: without the trial in a process of its own that an
    import begins with, which takes seconds."""
    from encoder.network.checkpoints import save_encoder
    from tests.encoder.tiny import tiny_encoder  # loads torch

    save_encoder(tiny_encoder(), settings.models_dir / model_id)
    store.add_model(ModelVersion(id=model_id, path=model_id))
    return store.model(model_id)
