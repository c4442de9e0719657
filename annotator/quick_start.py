"""What libraries do when they are imported and this program does not need: left out, to start sooner."""

from __future__ import annotations

import functools
import inspect
import sys
from pathlib import Path
from typing import Any

_WRITES_STUBS = "create_or_modify_pyi"


def leave_gradio_as_it_is() -> None:
    """Keep Gradio from writing a .pyi file beside each of its modules whenever it is imported: a second of every start, for
    editors only, and into a folder that may be shared or read-only.

    It skips a class that has no file, and asks `inspect` for that. Call before gradio is imported.
    """
    if getattr(inspect.getfile, "leaves_gradio", False):
        return
    plain = inspect.getfile

    @functools.wraps(plain)
    def getfile(of: Any) -> str:
        caller = sys._getframe(1).f_code  # noqa: SLF001 - inspect has no public way to the caller that is as cheap
        if caller.co_name == _WRITES_STUBS and Path(caller.co_filename).parent.name == "gradio":
            raise OSError("no stub file is wanted")
        return plain(of)

    getfile.leaves_gradio = True  # type: ignore[attr-defined]
    inspect.getfile = getfile  # type: ignore[assignment]
