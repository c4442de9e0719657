"""The model that comes with the program: its name, where it lies, and its record in a project."""

from __future__ import annotations

import json
from importlib import resources

from storage.records import ModelVersion

BUNDLED_ID = "demo"
BUNDLED_PATH = "bundled"


def bundled_model() -> ModelVersion:
    """The record of the model inside the package, with its own measured quality."""
    metrics = resources.files("encoder") / "bundled" / "model" / "metrics.json"
    return ModelVersion(
        id=BUNDLED_ID,
        path=BUNDLED_PATH,
        base="trained from scratch on the synthetic corpus",
        metrics=json.loads(metrics.read_text("utf-8")) if metrics.is_file() else {},
        note="Bundled with the program; trained on synthetic posts only.",
    )
