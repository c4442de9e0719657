"""How training speaks to whoever started it. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Monitor(Protocol):
    """Told about progress after every step. Whatever it raises stops the run: training saves its last checkpoint first and
    lets the exception through, so that a later run with `resume` goes on from there."""

    def progress(self, fraction: float, stage: str, message: str) -> None:
        """fraction: done, in [0, 1]. stage: one word. message: for people."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of a step: loss, learning_rate, dev_macro_f1 and the like."""

    def log(self, line: str) -> None:
        """One line for the log; never holds text of a post."""


class SilentMonitor:
    """A monitor that nobody listens to."""

    def progress(self, fraction: float, stage: str, message: str) -> None: ...

    def metrics(self, step: int, values: Mapping[str, float]) -> None: ...

    def log(self, line: str) -> None: ...
