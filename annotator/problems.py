"""What went wrong, as a program is told: a status, a code that stays, and one line for people. No gradio, no torch."""

from __future__ import annotations

import errno
import logging
import secrets
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotator.people.accounts import NotAllowed
from annotator.people.throttle import TooManyAttempts
from encoder.errors import ModelUnusable
from storage.records import Conflict, EvidenceError, NotFound, StoreUnavailable
from storage.trouble import StorageTrouble, Trouble, trouble_of

log = logging.getLogger(__name__)


class TooManyRequests(EvidenceError):
    """More than a person may ask per minute."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Busy(TooManyRequests):
    """Too many others are asking for the same thing now."""


class AnswerConflict(Conflict):
    """The answer was changed elsewhere; `current` is the one that is stored."""

    def __init__(self, message: str, *, current_revision: int, current: Mapping[str, Any]) -> None:
        super().__init__(message, current_revision=current_revision)
        self.current = current


@dataclass(frozen=True, slots=True)
class Problem:
    """status: of HTTP. more: further facts beside code and message. retry_after: seconds, where waiting helps."""

    status: int
    code: str
    message: str
    more: Mapping[str, Any] = field(default_factory=dict)
    retry_after: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message, **self.more}}

    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"retry-after": str(int(self.retry_after) + 1)}


def status_of(trouble: StorageTrouble) -> int:
    """507 where only room is missing, else 503."""
    return 507 if trouble.kind is Trouble.FULL else 503


def problem_of(error: Exception) -> Problem:
    """The problem that an error is. One that nobody foresaw becomes a number, under which the log has its trace."""
    error = trouble_of(error) or error
    text = str(error)
    if isinstance(error, NotAllowed):
        return Problem(403, "not_allowed", text)
    if isinstance(error, NotFound):
        return Problem(404, "not_found", text)
    if isinstance(error, AnswerConflict):
        more = {"current_revision": error.current_revision, "current": dict(error.current)}
        return Problem(409, "conflict", text, more)
    if isinstance(error, Busy):
        return Problem(503, "busy", text, retry_after=error.retry_after)
    if isinstance(error, TooManyRequests | TooManyAttempts):
        return Problem(429, "too_many_requests", text, retry_after=error.retry_after)
    if isinstance(error, ModelUnusable):
        return Problem(503, "model_not_ready", text, retry_after=5.0)
    if isinstance(error, StorageTrouble):
        code = "storage_full" if error.kind is Trouble.FULL else "storage_unavailable"
        return Problem(status_of(error), code, text, retry_after=error.retry_after)
    if isinstance(error, StoreUnavailable):
        return Problem(503, "storage_unavailable", text, retry_after=5.0)
    if isinstance(error, EvidenceError):
        return Problem(400, "bad_request", text)
    return Problem(500, "internal", unexpected(error, "the API"))


def unexpected(error: Exception, where: str) -> str:
    """Write the error to the log, without its message, which may quote post text. Returns the line to show instead."""
    number = secrets.token_hex(3)
    nameless = RuntimeError(f"{type(error).__name__} (message left out)")
    log.error("Unexpected error %s in %s", number, where, exc_info=(RuntimeError, nameless, error.__traceback__))
    return f"Something went wrong; the log has it under {number}."


def readable(error: BaseException) -> str:
    """The reason of a failure, for a person; the trace goes to the worker's own log."""
    if isinstance(error, EvidenceError):
        return str(error)
    print("".join(traceback.format_exception(error)), file=sys.stderr, flush=True)  # noqa: T201 - the worker's log file
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "There was not enough memory. Choose a smaller batch or a smaller model, then resume."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "The disk is full. Free some space, then resume; the model in service is untouched."
    return f"{type(error).__name__}: {error}"
