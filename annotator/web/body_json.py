"""JSON as browsers send it, to values that can be stored and answered with."""

from __future__ import annotations

import json
from typing import Any


def json_of(body: bytes) -> Any:
    """The value. Half characters, as a cut-off input leaves them, become U+FFFD: no text that is stored may hold one.

    Raises ValueError (NaN and Infinity are none either) and RecursionError.
    """
    value = json.loads(body, parse_constant=_no_number)
    if b"\\ud" not in body.lower():  # they can only come as escapes
        return value
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _no_number(name: str) -> Any:
    raise ValueError(name)
