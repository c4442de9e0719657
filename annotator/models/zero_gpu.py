"""ZeroGPU Spaces: a GPU is there only while a function marked for it runs, in a process forked from this one.

The model stays on the CPU here and is moved in that process. Anywhere else the marking does nothing and nothing changes.
Only predictions that somebody waits for use the GPU: those made ahead would use up its quota.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from storage.records import Criterion, Post, Prediction

if TYPE_CHECKING:
    from encoder.predict import Predictor

SECONDS = 60  # the longest that one prediction may take there
_served: Predictor | None = None
_moved: Predictor | None = None


@functools.cache
def is_here() -> bool:
    """Whether this is a ZeroGPU Space. Call it first before the pages are launched: `spaces` hooks their launch."""
    if importlib.util.find_spec("spaces") is None:
        return False
    import gradio  # noqa: F401 - `spaces` refuses to be imported in the middle of it
    from spaces.config import Config

    return bool(Config.zero_gpu) and _marked() is not None


def serve(predictor: Predictor) -> None:
    """From now on this one is meant. A GPU process that is still running keeps the one before."""
    global _served
    _served = predictor


def predict(
    predictor: Predictor, posts: Sequence[Post], criteria: Sequence[Criterion], threshold: float | None
) -> list[Prediction]:
    """Predict on the GPU; on the CPU if the GPU's process was forked before this model came into service."""
    made = _marked()(predictor.version, list(posts), list(criteria), threshold)
    return predictor.predict(posts, criteria, threshold=threshold) if made is None else made


@functools.cache
def _marked() -> Callable[..., list[Prediction] | None]:
    import spaces

    marked: Any = spaces.GPU(_on_gpu, duration=SECONDS)
    return marked


def _on_gpu(
    version: str, posts: list[Post], criteria: list[Criterion], threshold: float | None
) -> list[Prediction] | None:
    """Runs in the GPU's process, whose memory is a copy; None if another version was in service when it was forked."""
    global _moved
    if _served is None or _served.version != version:
        return None
    if _moved is None:
        import torch

        from encoder.predict import Predictor
        from encoder.simple.learner import SimpleLearner

        device = "cuda" if torch.cuda.is_available() else "cpu"
        # locks of their own: the others may be held in the copy
        learner = None if _served.learner is None else SimpleLearner(_served.learner.fits)
        _moved = Predictor(_served.encoder.to(device), version, learner)
    return _moved.predict(posts, criteria, threshold=threshold)
