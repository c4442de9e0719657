"""From what a program sent to the arguments of a use case: names, defaults and kinds are those of its signature.

Plain HTTP sends everything as text, other callers send JSON: both are read alike, and a wrong value is named.
"""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from storage.records import InvalidRecord, has_unpaired_surrogate

LONGEST_LIST = 1000
MAX_PAGE = 100
MAX_OFFSET = 10_000_000
_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false", list: "a list of at most 1,000"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of an endpoint. `hint` is its annotation, `kind` its bare type, `items` that of a list's items."""

    name: str
    hint: Any
    kind: type
    items: type | None
    required: bool
    default: Any

    def describe(self, words: str) -> dict[str, Any]:
        shown: dict[str, Any] = {"name": self.name, "type": _NAMES[self.kind], "description": words}
        return {**shown, "required": True} if self.required else {**shown, "required": False, "default": self.default}


def parameters_of(function: Callable[..., Any]) -> list[Parameter]:
    """The keyword-only arguments of a use case, in order."""
    hints = typing.get_type_hints(function)
    found = []
    for name, spec in inspect.signature(function).parameters.items():
        if spec.kind is inspect.Parameter.KEYWORD_ONLY:
            required = spec.default is inspect.Parameter.empty
            default = None if required else spec.default
            found.append(Parameter(name, hints[name], *_kind(hints[name]), required, default))
    return found


def describe(function: Callable[..., Any]) -> dict[str, Any]:
    """What the use case does and what each of its arguments is, from its documentation and signature."""
    summary, _, arguments = (inspect.getdoc(function) or "").partition("\n\nArgs:\n")
    lines = (line.strip().partition(": ") for line in arguments.splitlines())
    words = {name: text for name, _, text in lines}
    described = [p.describe(words[p.name]) for p in parameters_of(function)]
    return {"description": summary.replace("\n", " "), "arguments": described}


def read_arguments(parameters: list[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments to call with. Raises InvalidRecord for a name that is unknown or missing, or a value of another kind."""
    known = {p.name for p in parameters}
    if unknown := sorted(set(given) - known):
        names = ", ".join(p.name for p in parameters) or "nothing"
        raise InvalidRecord(f"There is no argument {unknown[0][:80]!r}. It takes {names}.")
    values = {}
    for parameter in parameters:
        if parameter.name in given:
            values[parameter.name] = _read(parameter, given[parameter.name])
        elif parameter.required:
            raise InvalidRecord(f"{parameter.name} is missing.")
    return values


def check_page(limit: int, offset: int) -> None:
    """Raises InvalidRecord for a page that is too long or lies too far."""
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidRecord(f"limit is {limit}; it may be 1 to {MAX_PAGE}. Ask for more with offset.")
    if not 0 <= offset <= MAX_OFFSET:
        raise InvalidRecord(f"offset is {offset}; it may be 0 to {MAX_OFFSET:,}.")


def one_of(value: str, choices: Iterable[str], name: str) -> str:
    """The value, if it is one of the choices. Raises InvalidRecord."""
    if value not in tuple(choices):
        raise InvalidRecord(f"{name} is {value[:40]!r}; it may be {', '.join(choices)}.")
    return value


def _read(parameter: Parameter, value: Any) -> Any:
    if value is None or (value == "" and parameter.kind is not str):
        if not parameter.required:
            return parameter.default
        raise InvalidRecord(f"{parameter.name} is missing.")
    try:
        read = _READERS[parameter.kind](value)
        if parameter.items is str:
            return [_text(item) for item in read]
        return read
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidRecord(f"{parameter.name} must be {_NAMES[parameter.kind]}.") from error


def _kind(hint: Any) -> tuple[type, type | None]:
    """(bare type, type of its items) of an annotation such as `list[str] | None`."""
    if isinstance(hint, types.UnionType):
        hint = next(a for a in hint.__args__ if a is not type(None))
    items = typing.get_args(hint)
    return typing.get_origin(hint) or hint, items[0] if items else None


def _text(value: Any) -> str:
    if not isinstance(value, str) or has_unpaired_surrogate(value):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    number = int(value) if isinstance(value, str) else value
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or abs(number) >= 2**53:
        raise ValueError
    return number


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError
    return number


def _flag(value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise ValueError
    return words[str(value).lower()]


def _items(value: Any) -> list[Any]:
    """A JSON list; of plain HTTP also one value, or several with commas between."""
    if isinstance(value, str):
        value = json.loads(value) if value.lstrip().startswith("[") else [v.strip() for v in value.split(",")]
    if not isinstance(value, list) or len(value) > LONGEST_LIST:
        raise ValueError
    return value


_READERS: dict[type, Callable[[Any], Any]] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _flag,
    list: _items,
}
