"""The one way in which a model version is loaded: what it is called, where it lies, and on what it runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.models.bundled import (
    BUNDLED_ID,
    EARLIER_NAMES,
    GEMMA_ID,
    bundled_directory,
    bundled_model,
    bundled_source,
    gemma_model,
    is_bundled,
)
from annotator.settings import Settings
from encoder.simple.files import encoder_weights, load_learner
from storage.records import ModelVersion

if TYPE_CHECKING:
    from encoder.predict import Predictor

WORKER_THREADS = (1,)  # the worker leaves the other cores to the pages and the served model
LARGE_BYTES = 100_000_000  # of weights: a model that takes seconds to load
ON_OTHER_WEIGHTS = "model_on_other_weights"
"""The setting that names the version in service while its adapter stands on other weights of its base than it was trained on."""
CALIBRATED_AT = (
    20  # reviewed posts, on which an adapter that stands on other weights than it was trained on is calibrated anew
)


def load_predictor(
    settings: Settings,
    version: ModelVersion,
    *,
    device: str | None = None,
    threads: Sequence[int] = (),
    scoring: str = "auto",
    on_progress: Callable[[float, str], None] = lambda fraction, message: None,
) -> Predictor:
    """The loaded, probed model of a version, which marks its predictions with the version's id.

    device: None for the one in the settings. threads: CPU threads to choose among unless the settings say how many; empty
    leaves torch's choice. on_progress: told how far a base is that has to be converted first.
    Raises ModelUnusable or NotBidirectional.
    """
    from encoder.predict import Predictor

    return Predictor.load(
        model_source(version, settings),
        version=version.id,
        device=device or settings.device,
        dtype=settings.dtype,
        attention=settings.attention,
        threads=settings.threads or tuple(threads) or None,
        scoring=scoring,
        on_progress=on_progress,
    )


def as_measured(predictor: Predictor, settings: Settings, version: ModelVersion) -> Predictor:
    """The loaded version, to be asked about dev posts: as it was before it learned from them."""
    from encoder.network.hub import resolve

    predictor.learner = load_learner(resolve(model_source(version, settings)), as_measured=True)
    return predictor


def model_source(version: ModelVersion, settings: Settings) -> str:
    """What `encoder` takes: the name of a bundled model, a directory under `models/`, or the version's own path or Hub id."""
    if is_bundled(version):
        return bundled_source(version)
    inside = settings.models_dir / version.path
    return str(inside) if inside.is_dir() else version.path


def named_model(name: str) -> ModelVersion:
    """A model outside the registry: a bundled one, a directory or GGUF file (its version is that one's name) or a Hub id."""
    if name in (BUNDLED_ID, *EARLIER_NAMES):
        return bundled_model()
    if name == GEMMA_ID:
        return gemma_model()
    path = Path(name).expanduser()
    if path.is_dir() or path.suffix.lower() == ".gguf":
        return ModelVersion(id=path.resolve().name, path=str(path))
    return ModelVersion(id=name, path=name)


def is_large(version: ModelVersion, settings: Settings) -> bool:
    """Whether it takes seconds to load: an adapter, whose base comes with it, many weights, a GGUF file or a Hub id."""
    directory = bundled_directory(version) if is_bundled(version) else Path(model_source(version, settings))
    if not directory.is_dir():
        return directory.suffix.lower() == ".gguf" or (not directory.is_absolute() and len(directory.parts) == 2)
    if (directory / "adapter_config.json").exists():
        return True
    return sum(p.stat().st_size for p in encoder_weights(directory)) > LARGE_BYTES


def serving_threads() -> tuple[int, ...]:
    """Numbers of threads to choose among for the served model: half of the cores, which leaves the pages and the worker theirs,
    or all of them, at most four, where that is faster."""
    cores = os.cpu_count() or 2
    return tuple(dict.fromkeys((max(1, min(4, cores // 2)), min(4, cores))))
