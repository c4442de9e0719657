"""Who watches an import while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from annotator.exchange.options import ImportCancelled, ImportReport


@dataclass(frozen=True)
class Watch:
    """Who watches an import.

    on_progress: told how far it is. should_cancel: asked now and then whether to stop. also: called with the report inside the
    transaction that makes the import visible, e.g. to end the job.
    """

    on_progress: Callable[[float, str], None] | None = None
    should_cancel: Callable[[], bool] | None = None
    also: Callable[[ImportReport], None] | None = None

    def progress(self, fraction: float, message: str) -> None:
        if self.on_progress is not None:
            self.on_progress(fraction, message)

    def check_cancel(self) -> None:
        """Raises ImportCancelled if somebody wants the import to stop."""
        if self.should_cancel is not None and self.should_cancel():
            raise ImportCancelled("The import was cancelled. Nothing was imported.")


UNWATCHED = Watch()
