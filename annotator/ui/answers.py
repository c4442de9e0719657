"""Server functions: how the pages' own components ask the server, and the one shape of every answer.

A server function that fails is silent in Gradio, so only an explicit `ok` is a yes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from annotator.ui.context import Context, as_page_error
from storage.records import EvidenceError, Reviewer

Wire = dict[str, Any]
Answer = Callable[[Context, Wire, Reviewer], Wire]


def server_functions(context: Context, answers: Mapping[str, Answer]) -> list[Callable[[Wire, gr.Request], Wire]]:
    """For `gr.HTML(server_functions=...)`: each answer under its name, given the person who asks."""
    return [_server_function(context, name, answer) for name, answer in answers.items()]


def _server_function(context: Context, name: str, answer: Answer) -> Callable[[Wire, gr.Request], Wire]:
    def call(message: Wire, request: gr.Request) -> Wire:
        try:
            return {"ok": True, **answer(context.of(request), message or {}, context.user(request))}
        except EvidenceError as error:
            return {"ok": False, "error": str(error)}
        except Exception as error:  # the page must get an answer; what went wrong is in the log
            return {"ok": False, "error": as_page_error(error).message}

    call.__name__ = name
    return call
