"""The form of what pages send: checked before anything reads it, so that another form is one clear refusal and never a trace.

A form is a TypedDict. No gradio, no torch.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from storage.records import InvalidRecord

LARGEST = 2**53  # of the whole numbers that JavaScript knows exactly
Id = Annotated[str, Field(max_length=2_000)]
Words = Annotated[str, Field(max_length=20_000)]
Whole = Annotated[int, Field(ge=0, le=LARGEST)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Filter = Annotated[dict[Id, Words | bool | Number | None], Field(max_length=30)]
"""What a queue is filtered by; `annotator.review.queue_filter.read_filter` knows the names."""


class Malformed(InvalidRecord):
    """A message of another form. place: the field at fault, without anything that somebody wrote."""

    def __init__(self, message: str, *, place: str) -> None:
        super().__init__(message)
        self.place = place


@functools.cache
def form_of(answer: Callable[..., Any]) -> TypeAdapter[Any]:
    """The form of the argument `message` of a function, by its annotation."""
    return adapter(typing.get_type_hints(answer, include_extras=True)["message"])


@functools.cache
def adapter(form: Any) -> TypeAdapter[Any]:
    return TypeAdapter(form)


def checked(form: TypeAdapter[Any], message: Mapping[str, Any], *, others: bool = False) -> Any:
    """The message's fields, as the form names them. others: further ones may be there, and are left out.

    Raises Malformed with the first field at fault.
    """
    try:
        read = form.validate_python(message, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = [str(step) for step in first["loc"]] or ["the message"]
        raise Malformed(
            f"{'.'.join(where)[:80]}: {first['msg']}.", place=f"{where[0][:40]!r} {first['type']}"
        ) from None
    if not others and (unknown := set(message) - set(read)):
        raise Malformed(f"{min(unknown)[:80]}: no such field.", place="a field of no such name")
    return read
