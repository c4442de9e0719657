"""What every page is given, and how its handlers learn who asks and turn errors into one clear line."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import gradio as gr

from annotator.learning.doubts import DoubtService
from annotator.models.serving import ModelService
from annotator.people.accounts import NotAllowed, allow
from annotator.problems import unexpected
from annotator.project import Project
from annotator.review.decisions import Model
from annotator.review.visitors import Visitors
from annotator.settings import Settings
from annotator.snapshots.archive import project_id
from annotator.snapshots.keeper import SnapshotKeeper
from annotator.web.api.endpoints import Api
from annotator.web.gate import address_of, came_by_token, is_visitor, person_of
from annotator.web.permissions import Permissions
from annotator.web.turns import Turns
from annotator.web.uploads import Uploads
from storage.jobs import Jobs
from storage.records import EvidenceError, Reviewer, Role
from storage.store import Store

Handler = TypeVar("Handler", bound=Callable[..., Any])

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""For listeners that answer at once: `button.click(handler, ..., **QUIET)`."""
QUEUED: dict[str, Any] = {"api_visibility": "private"}
"""For listeners that take seconds and should show that they do."""


class Context:
    """One project as the pages see it. suggestions: what is shown in reviewing, the models' own unless something improves it."""

    def __init__(
        self,
        project: Project,
        models: ModelService,
        keeper: SnapshotKeeper | None = None,
        suggestions: Model | None = None,
    ) -> None:
        self.project = project
        self.keeper = keeper
        self.settings: Settings = project.settings
        self.store: Store = project.store
        self.jobs: Jobs = project.jobs
        self.project_id = project_id(project.store)
        self.models = models
        self.suggestions: Model = suggestions or models
        self.doubts = None if self.settings.demo else DoubtService(project.store)
        self.api = Api(project, models, suggestions)
        self.permissions = Permissions()
        self.answers: dict[str, Any] = {}
        """What the pages may ask, by name: see `annotator.ui.answers`."""
        self.answering = Turns()
        """Where they are answered: handed over at half of what Starlette's threads cost, which Gradio's handlers need as well."""
        self.uploads = Uploads(project.settings)
        self.visitors = Visitors(project.store, project.settings) if project.settings.demo else None

    def user(self, request: Any) -> Reviewer:
        """The person who uses the page, behind a `gr.Request` or Starlette request. Raises NotAllowed if there is none."""
        person = person_of(request)
        if person is None:
            raise NotAllowed("Sign in first.")
        if came_by_token(request):
            raise NotAllowed("An access token is for the API; this belongs to the page.")
        return person

    def of(self, request: Any) -> Context:
        """This context as the person behind the request works in it: a visitor of the public demo has a store of their own.

        Raises NotAllowed, and Busy where there are too many visitors.
        """
        person = self.user(request)
        if self.visitors is None or not is_visitor(request):
            return self
        own = copy.copy(self)
        own.suggestions = self.models  # a visitor's decisions are theirs alone
        own.store = self.visitors.store_of(person, self.models.version, address_of(request))
        own.project = dataclasses.replace(self.project, store=own.store)
        return own

    def close(self) -> None:
        """Answer nothing more, and forget the visitors of the public demo."""
        self.answering.close()
        if self.visitors is not None:
            self.visitors.close()

    def require(self, request: Any, *roles: Role) -> Reviewer:
        """The person, if they have one of the roles (an admin has them all); else a gr.Error that says who may."""
        try:
            return allow(self.user(request), *roles)
        except NotAllowed as error:
            raise gr.Error(str(error), print_exception=False, title="Not allowed") from error


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
    return gr.Error(unexpected(error, "the page"), print_exception=False, title="Error")
