"""JavaScript modules as the body of one function: Gradio runs a component's script as such, and no module could be fetched by it.

Each file becomes a scope of its own, in the order in which they import one another. Only `import { a, b } from "./file.js";`
and `export function | const` at the beginning of a line are read; whatever else a module could do is refused by Node, under
which the same files run in the tests.
"""

from __future__ import annotations

import re
from pathlib import Path

IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.MULTILINE)
COMMENT = re.compile(r"^\s*//.*\n", re.MULTILINE)
EXPORT = re.compile(r"^export ((?:async )?function|const) (\w+)", re.MULTILINE)


class BrokenModule(Exception):
    """A module that cannot be put together with the others."""


def bundle(entry: Path) -> str:
    """The module `entry` and all that it imports, as statements. Ends by starting it.

    `entry` exports `start(host)`; `element`, `server`, `props` and `watch` are what Gradio gives to a component's function.
    Raises BrokenModule for modules that import one another in a circle, and for a name that the other does not export.
    """
    order: list[Path] = []
    _collect(entry.resolve(), order, above=())
    names = {path: f"module{number}_{path.stem}" for number, path in enumerate(order)}
    scopes = [_scope(path, names) for path in order]
    start = f"{names[order[-1]]}.start({{ element, server, props, watch }});"
    return "\n".join(["'use strict';", *scopes, start])


def imports(path: Path) -> dict[Path, list[str]]:
    """What a module takes from which other."""
    found = IMPORT.findall(path.read_text(encoding="utf-8"))
    return {
        (path.parent / source).resolve(): [n.strip() for n in names.split(",") if n.strip()] for names, source in found
    }


def _collect(path: Path, order: list[Path], above: tuple[Path, ...]) -> None:
    """Put what `path` imports before it, depth first."""
    if path in above:
        raise BrokenModule(f"{' -> '.join(p.name for p in (*above, path))} is a circle of imports.")
    if path in order:
        return
    for other in imports(path):
        _collect(other, order, (*above, path))
    order.append(path)


def _scope(path: Path, names: dict[Path, str]) -> str:
    text = path.read_text(encoding="utf-8")
    taken = []
    for other, wanted in imports(path).items():
        if missing := set(wanted) - set(_exported(other)):
            raise BrokenModule(f"{path.name} imports {', '.join(sorted(missing))}, which {other.name} does not export.")
        taken.append(f"const {{ {', '.join(wanted)} }} = {names[other]};")
    body = EXPORT.sub(r"\1 \2", COMMENT.sub("", IMPORT.sub("", text)))  # the page need not carry them
    given = ", ".join(_exported(path))
    return "\n".join([f"const {names[path]} = (() => {{", *taken, body, f"return {{ {given} }};", "})();"])


def _exported(path: Path) -> list[str]:
    return [name for _, name in EXPORT.findall(path.read_text(encoding="utf-8"))]
