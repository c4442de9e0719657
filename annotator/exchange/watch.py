"""Who watches an import while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from annotator.exchange.options import ImportReport


@dataclass(frozen=True)
class Watch:
    """Who watches an import.

    on_progress: told how far it is. should_cancel: asked now and then whether to stop. also: called with the report inside the
    transaction that makes the import visible, e.g. to end the job.
    """

    on_progress: Callable[[float, str], None] | None = None
    should_cancel: Callable[[], bool] | None = None
    also: Callable[[ImportReport], None] | None = None


UNWATCHED = Watch()
