"""The API's endpoints as Gradio's own: for gradio_client, Gradio's HTTP calls and MCP. The use cases: `annotator.web.api.endpoints`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio import events

from annotator.problems import problem_of
from annotator.web.api.arguments import parameters_of
from annotator.web.api.endpoints import Api, Endpoint
from annotator.web.gate import address_of, person_of
from annotator.web.permissions import Permissions


def build(api: Api, permissions: Permissions) -> None:
    """Register the endpoints; called inside the Blocks.

    They are not queued: a queued one could not be called by MCP on behalf of a person. The use cases limit what runs at once.
    """
    blocks = gr.context.Context.root_block
    for endpoint in api.endpoints:
        with permissions.part(blocks, None):  # an endpoint says itself who may
            events.api(_handler(api, endpoint), api_name=endpoint.name, queue=False)


def _handler(api: Api, endpoint: Endpoint) -> Callable[..., Any]:
    """A function with the arguments and the documentation of the use case; it also takes Gradio's request."""
    use_case = getattr(api, endpoint.name)
    parameters = parameters_of(use_case)
    names = [p.name for p in parameters]

    def handler(request: gr.Request, *given: Any) -> dict[str, Any]:
        try:
            chosen = {name: value for name, value in zip(names, given, strict=True) if value is not None}
            return api.call(endpoint.name, person_of(request), chosen, address=address_of(request))
        except Exception as error:
            problem = problem_of(error)
            raise gr.Error(problem.message, title=problem.code, print_exception=False) from None

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    shown = [
        inspect.Parameter(p.name, kind, annotation=p.hint, **({} if p.required else {"default": p.default}))
        for p in parameters
    ]
    asking = inspect.Parameter("request", kind, annotation=gr.Request)  # which Gradio knows by its type
    handler.__signature__ = inspect.Signature([asking, *shown], return_annotation=dict[str, Any])  # type: ignore[attr-defined]
    handler.__annotations__ = {p.name: p.annotation for p in (asking, *shown)} | {"return": dict[str, Any]}
    handler.__name__ = endpoint.name
    handler.__doc__ = inspect.getdoc(use_case)
    return handler
