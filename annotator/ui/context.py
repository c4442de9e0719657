"""What every page is given, and how its handlers learn who asks and turn errors into one clear line."""

from __future__ import annotations

import functools
import inspect
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import gradio as gr

from annotator.accounts import NotAllowed, allow
from annotator.bootstrap import Project
from annotator.gate import person_of
from annotator.serving import ModelService
from annotator.settings import Settings
from storage.jobs import Jobs
from storage.records import EvidenceError, Reviewer, Role
from storage.store import Store

log = logging.getLogger(__name__)
Handler = TypeVar("Handler", bound=Callable[..., Any])

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""For listeners that answer at once: `button.click(handler, ..., **QUIET)`."""
QUEUED: dict[str, Any] = {"api_visibility": "private"}
"""For listeners that take seconds and should show that they do."""


class Context:
    """One project as the pages see it."""

    def __init__(self, project: Project, models: ModelService) -> None:
        self.project = project
        self.settings: Settings = project.settings
        self.store: Store = project.store
        self.jobs: Jobs = project.jobs
        self.models = models
        self._known_visitors: set[str] = set()
        self._lock = threading.Lock()

    def user(self, request: Any) -> Reviewer:
        """The person behind a `gr.Request` or Starlette request. Raises NotAllowed if there is none."""
        person = person_of(request)
        if person is None:
            raise NotAllowed("Sign in first.")
        if self.settings.demo and person.name.startswith("visitor-"):
            self._remember_visitor(person.name)
        return person

    def require(self, request: Any, *roles: Role) -> Reviewer:
        """The person, if they have one of the roles (an admin has them all); else a gr.Error that says who may."""
        try:
            return allow(self.user(request), *roles)
        except NotAllowed as error:
            raise gr.Error(str(error), print_exception=False, title="Not allowed") from error

    def _remember_visitor(self, name: str) -> None:
        """A visitor of the demo becomes a reviewer in the store with their first action, not with their first request."""
        with self._lock:
            if name in self._known_visitors:
                return
            self._store_visitor(name)
            self._known_visitors.add(name)

    def _store_visitor(self, name: str) -> None:
        self.store.ensure_reviewer(name, Role.REVIEWER)


def friendly(handler: Handler) -> Handler:
    """Wrap an event handler: an EvidenceError becomes its one line in the page; anything else a generic line with a
    number that is also in the log, where the trace is. Neither shows a trace or post text.
    """
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def steps(*args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                yield from handler(*args, **kwargs)
            except Exception as error:
                raise as_page_error(error) from None

        return steps  # type: ignore[return-value]

    @functools.wraps(handler)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except Exception as error:
            raise as_page_error(error) from None

    return call  # type: ignore[return-value]


def as_page_error(error: Exception) -> gr.Error:
    """The gr.Error to raise for `error`."""
    if isinstance(error, gr.Error):
        return error
    if isinstance(error, EvidenceError):
        return gr.Error(str(error), print_exception=False, title="Not possible")
    number = secrets.token_hex(3)
    log.error("Unexpected error %s in the page", number, exc_info=_without_message(error))
    return gr.Error(f"Something went wrong; the log has it under {number}.", print_exception=False, title="Error")


def _without_message(error: Exception) -> tuple[type[BaseException], BaseException, Any]:
    """The trace without the message, which may quote post text."""
    return RuntimeError, RuntimeError(f"{type(error).__name__} (message left out)"), error.__traceback__
