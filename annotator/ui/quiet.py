"""Calls that Gradio cannot read, or that fail where no handler of ours catches it: one line, and nothing of what was sent in the log.

Gradio prints a trace for every such call, and its messages quote the arguments, which may be post text.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

import gradio as gr

from annotator.messages import LARGEST
from annotator.ui.context import as_page_error

log = logging.getLogger(__name__)
LONGEST = 300  # of what a message quotes
UNREADABLE = "What the page sent cannot be read. Load the page again."


def keep_quiet(blocks: gr.Blocks) -> None:
    """Wrap what Gradio runs for each call of a listener of `blocks`: arguments first, then the whole."""
    read, process = blocks.preprocess_data, blocks.process_api

    @functools.wraps(read)
    async def preprocess_data(block_fn: Any, *given: Any, **named: Any) -> Any:
        if block_fn.fn is None:
            raise _refused(block_fn, "it is for the browser only")
        try:
            values = await read(block_fn, *given, **named)
        except gr.Error as error:  # a choice that is none
            error.message, error.print_exception = str(error.message)[:LONGEST], False
            raise
        except Exception as error:
            raise _refused(block_fn, type(error).__name__) from None
        if not all(map(_is_usable, block_fn.inputs, values)):
            raise _refused(block_fn, "a number that is none")
        return values

    @functools.wraps(process)
    async def process_api(*given: Any, **named: Any) -> Any:
        try:
            return await process(*given, **named)
        except Exception as error:
            raise as_page_error(error) from None

    blocks.preprocess_data = preprocess_data  # type: ignore[method-assign]
    blocks.process_api = process_api  # type: ignore[method-assign]


def _is_usable(block: Any, value: Any) -> bool:
    """Gradio takes infinity, and numbers of any length, for a number."""
    if not isinstance(block, gr.Number) or value is None:
        return True
    return isinstance(value, int | float) and abs(value) <= LARGEST


def _refused(block_fn: Any, why: str) -> gr.Error:
    log.warning("A call of %s was refused: %s", block_fn.api_name or block_fn.name, why)
    return gr.Error(UNREADABLE, print_exception=False, title="Not possible")
