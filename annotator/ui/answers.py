"""How the pages' own components ask the server: one POST of JSON to `/ask/NAME`, and the one shape of every answer.

A route of our own, beside Gradio's for server functions: that one costs ten times the work of a decision, and a reviewer asks
two or three times per post. Gradio's stays for what asks through it. What fails there is silent, so only an explicit `ok` is a yes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import gradio as gr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from annotator.messages import Malformed, checked, form_of
from annotator.problems import TooManyRequests, problem_of
from annotator.ui.context import Context, as_page_error
from annotator.web.body_json import json_of
from storage.records import EvidenceError, Reviewer, StoreUnavailable

log = logging.getLogger(__name__)

ASK = "/ask/"
Wire = dict[str, Any]
Answer = Callable[[Context, Any, Reviewer], Wire]
"""Its `message` is annotated with the form that it must have: see `annotator.messages`."""


def server_functions(context: Context, answers: Mapping[str, Answer]) -> list[Callable[[Wire, gr.Request], Wire]]:
    """For `gr.HTML(server_functions=...)`: each answer under its name, given the person who asks. `/ask` has them as well."""
    context.answers.update(answers)
    context.permissions.note_answers(answers)
    return [_server_function(context, name) for name in answers]


def answer_routes(context: Context) -> list[Route]:
    """POST /ask/{name}: what the pages of this context have registered, for the roles that its page is for."""

    async def ask(request: Request) -> Response:
        name = request.path_params["name"]
        answer = context.answers.get(name)
        if answer is None:
            return _json({"ok": False, "error": "This page is older than the app. Load it again."}, 404)
        person = context.user(request)
        if not context.permissions.may_ask_by_name(person, name):
            error = f"This is not for you: you are signed in as {person.name} ({person.role})."
            return _json({"ok": False, "error": error}, 403)
        try:
            message = json_of(await request.body())
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            return _json({"ok": False, "error": "The question is no JSON object."}, 400)
        return await context.answering.run(_told, context, name, message, request)

    return [Route(ASK + "{name}", ask, methods=["POST"])]


class AnswersAtOnce:
    """ASGI middleware behind the gate that answers `/ask/NAME` itself: the rest of the way, through Gradio's application and back,
    costs more than most answers do.
    """

    def __init__(self, app: Any, *, context: Context) -> None:
        self._app = app
        self._ask = answer_routes(context)[0].endpoint

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        name = scope["path"].removeprefix(ASK) if scope["type"] == "http" and scope["method"] == "POST" else ""
        if not name or name == scope["path"] or "/" in name:
            await self._app(scope, receive, send)
            return
        response: Response = await self._ask(Request({**scope, "path_params": {"name": name}}, receive, send))
        await response(scope, receive, send)


def _told(context: Context, name: str, message: Wire, request: Any) -> Response:
    """The answer; trouble with the storage and a busy app with the status that says so, too."""
    try:
        return _json(_answer(context, name, message, request))
    except (StoreUnavailable, TooManyRequests) as error:
        problem = problem_of(error)
        return _json({"ok": False, "error": problem.message}, problem.status, problem.headers())


def _server_function(context: Context, name: str) -> Callable[[Wire, gr.Request], Wire]:
    def call(message: Wire, request: gr.Request) -> Wire:
        try:
            return _answer(context, name, message or {}, request)
        except (StoreUnavailable, TooManyRequests) as error:
            return {"ok": False, "error": str(error)}

    call.__name__ = name
    return call


def _answer(context: Context, name: str, message: Wire, request: Any) -> Wire:
    """What the page is told. Raises StoreUnavailable, TooManyRequests: the same question can be asked later."""
    answer = context.answers[name]
    try:
        me = context.user(request)
        return {"ok": True, **answer(context.of(request), checked(form_of(answer), message), me)}
    except Malformed as error:
        log.warning("%s was asked in another form than it takes: %s", name, error.place)
        return {"ok": False, "error": f"This cannot be read ({error}) Load the page again."}
    except (StoreUnavailable, TooManyRequests):
        raise
    except EvidenceError as error:
        return {"ok": False, "error": str(error)}
    except Exception as error:  # the page must get an answer; what went wrong is in the log
        return {"ok": False, "error": as_page_error(error).message}


def _json(content: Wire, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    told = {"cache-control": "no-store", **(headers or {})}
    return Response(body, status_code=status, media_type="application/json", headers=told)
