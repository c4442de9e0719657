"""The models that come with the program: their names, where they lie, and their records in a project.

The small one is whole. The other is an adapter on Google's Gemma 3 270M, which is there with the extra `gemma`, from the Hub or as
a GGUF file; it goes into service where both are there.
"""

from __future__ import annotations

import json
from pathlib import Path

from encoder.network.bases import INSTALL, PACKAGED, PackagedBase
from encoder.network.hub import BUNDLED, BUNDLED_DIRECTORY, GEMMA, GEMMA_DIRECTORY, base_is_here
from storage.records import ModelVersion
from storage.store import Store

BUNDLED_ID = BUNDLED
BUNDLED_PATH = "bundled"
GEMMA_ID = GEMMA
GEMMA_PATH = "bundled-gemma"
EARLIER_NAMES = ("demo",)  # of the small model, on command lines and in settings
GEMMA_BASE = "google/gemma-3-270m"

_DIRECTORIES = {BUNDLED_PATH: BUNDLED_DIRECTORY, GEMMA_PATH: GEMMA_DIRECTORY}
_KINDS = {BUNDLED_PATH: "small model", GEMMA_PATH: "Gemma 3 270M"}
_NAMES = {BUNDLED_PATH: BUNDLED, GEMMA_PATH: GEMMA}


def is_bundled(model: ModelVersion) -> bool:
    """Whether the version's files belong to the program."""
    return model.path in _DIRECTORIES


def bundled_directory(model: ModelVersion) -> Path:
    return _DIRECTORIES[model.path]


def bundled_source(model: ModelVersion) -> str:
    """What `encoder` calls the model."""
    return _NAMES[model.path]


def bundled_model() -> ModelVersion:
    """The record of the small model, with its own measured quality."""
    return ModelVersion(
        id=BUNDLED_ID,
        path=BUNDLED_PATH,
        base="trained from scratch on the synthetic corpus",
        metrics=_metrics(BUNDLED_DIRECTORY),
        note="Bundled with the program: small, trained from scratch; trained on synthetic posts only.",
    )


def gemma_model() -> ModelVersion:
    """The record of the bundled adapter on Gemma, with its own measured quality."""
    return ModelVersion(
        id=GEMMA_ID,
        path=GEMMA_PATH,
        base=GEMMA_BASE,
        metrics=_metrics(GEMMA_DIRECTORY),
        note="Bundled with the program: Google's Gemma 3 270M made bidirectional; fine-tuned on synthetic posts only."
        " Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms",
    )


def gemma_is_bundled() -> bool:
    """Whether the adapter is part of this installation."""
    return (GEMMA_DIRECTORY / "evidence_config.json").is_file()


def gemma_is_ready() -> bool:
    """Whether the adapter and its base are on this machine: it can be put in service without asking the network."""
    return gemma_is_bundled() and base_is_here(GEMMA_BASE)


def gemma_package() -> PackagedBase:
    """What has to be installed where its base is not here."""
    return PACKAGED[GEMMA_BASE]


def register_bundled(store: Store) -> list[str]:
    """Make a row for each bundled model that can be served here and has none yet; returns the new ids. Puts none in service."""
    known = {m.path for m in store.models(with_deleted=True)}
    usable = [bundled_model(), *([gemma_model()] if gemma_is_ready() else [])]
    new = [model for model in usable if model.path not in known]
    for model in new:
        store.add_model(model)
    return [model.id for model in new]


def small_model(store: Store) -> ModelVersion:
    """The row of the small model, which bears another name in projects that were begun earlier."""
    return next((m for m in store.models(with_deleted=True) if m.path == BUNDLED_PATH), bundled_model())


def gemma_offer() -> str:
    """How to get the bundled Gemma into service where its base is missing, and what it costs; empty where that is no question."""
    if not gemma_is_bundled() or base_is_here(GEMMA_BASE):
        return ""
    package = gemma_package()
    return (
        f"Google's Gemma 3 270M, for which an adapter comes with this program, is not installed: {INSTALL} fetches"
        f" {package.megabytes} MB and takes {package.converted_megabytes} MB more once it is converted. A post of 300 words then takes"
        " about half a second of one core, instead of a few hundredths. Its terms: https://ai.google.dev/gemma/terms"
    )


def kind_of(store: Store, version_id: str) -> str:
    """What kind of model a version is, in a few words: what its line begins with."""
    known = {m.id: m for m in store.models(with_deleted=True)}
    model = known.get(version_id)
    while model is not None and model.parent in known:
        model = known[model.parent]
    path = model.path if model is not None else {BUNDLED_ID: BUNDLED_PATH, GEMMA_ID: GEMMA_PATH}.get(version_id, "")
    if path in _KINDS:
        return _KINDS[path]
    return f"based on {model.base}" if model is not None and model.base else ""


def _metrics(directory: Path) -> dict[str, object]:
    path = directory / "metrics.json"
    found: dict[str, object] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found
