"""Who may import what. Static imports are read from the syntax tree, the rest is seen in a fresh interpreter."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("storage", "encoder", "annotator", "recipes")
USE_CASES = (
    "annotator.people",
    "annotator.review",
    "annotator.teams",
    "annotator.learning",
    "annotator.exchange",
)  # no gradio, no torch
MOST_PARAMETERS = 6
_API = "the parameters of the HTTP API are read from this signature"
PUBLIC_SURFACES = {
    "encoder.predict.Predictor.load": "what a program calls first, each choice by its name",
    "annotator.web.api.endpoints.Api.posts": _API,
    "annotator.web.api.endpoints.Api.next": _API,
    "annotator.web.api.endpoints.Api.annotate": _API,
    "annotator.web.api.endpoints.Api.export": _API,
}
OPEN_TO_ENCODER = ("storage.records", "storage.formats", "storage.criteria_file", "storage.files")


def modules() -> list[Path]:
    return [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    """Dotted names of everything that the module imports, lazily and for type checking too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def touches(imports: set[str], *forbidden: str) -> set[str]:
    return {name for name in imports for bad in forbidden if name == bad or name.startswith(bad + ".")}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    name, imports = name_of(path), imports_of(path)
    if name.startswith("storage"):
        assert not touches(imports, "encoder", "annotator", "app", "torch", "transformers", "gradio")
    if name.startswith("encoder"):
        assert not touches(imports, "annotator", "app", "gradio", "sqlite_utils", "sqlite3")
        inner = {i for i in imports if i.startswith("storage.")}
        assert not {i for i in inner if not i.startswith(OPEN_TO_ENCODER)}
    if name.startswith(("annotator", "recipes")):
        assert not touches(imports, "app")
    if not name.startswith("recipes"):
        assert not touches(imports, "recipes")
    if name.startswith(USE_CASES):
        assert not touches(imports, "torch", "gradio")
    if name == "annotator.worker":
        assert not touches(imports, "gradio")


@cache
def own_imports() -> dict[str, set[str]]:
    """For each module the modules and packages of ours that it imports, itself left out."""
    names = {name_of(path) for path in modules()}
    graph = {}
    for path in modules():
        imports = imports_of(path)
        taken = {i for i in imports if i in names}
        # `from package import module` names the package too, but draws no arrow to its `__init__`
        through = {i.rpartition(".")[0] for i in taken}
        graph[name_of(path)] = {i for i in taken if i not in through or _uses_itself(path, i, names)} - {name_of(path)}
    return graph


def _uses_itself(path: Path, package: str, names: set[str]) -> bool:
    """Whether the module takes something of the package's own `__init__`, not only modules in it."""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == package
        and any(f"{package}.{alias.name}" not in names for alias in node.names)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
    )


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """One circle of the graph as the names along it, or nothing."""
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


def folders() -> list[str]:
    return ["", *(name_of(path) for path in modules() if path.name == "__init__.py")]


@pytest.mark.parametrize("folder", folders(), ids=lambda name: name or "packages")
def test_no_two_rooms_import_each_other_in_a_circle(folder: str) -> None:
    """The modules and packages right inside the folder, each package taken as one with all that is in it."""
    prefix = folder + "." if folder else ""

    def room(name: str) -> str:
        return prefix + name.removeprefix(prefix).split(".")[0]

    graph: dict[str, set[str]] = {}
    for name, imports in own_imports().items():
        if name.startswith(prefix):
            inside = {room(i) for i in imports if i.startswith(prefix)}
            graph.setdefault(room(name), set()).update(inside - {room(name)})
    assert circle_in(graph) == []


def test_no_module_imports_itself_in_a_circle() -> None:
    assert circle_in(own_imports()) == []


def test_a_circle_would_be_found() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []


def test_records_import_the_standard_library_only() -> None:
    imports = imports_of(ROOT / "storage" / "records.py")
    assert {i.split(".")[0] for i in imports} <= set(sys.stdlib_module_names)


def loaded_after(statement: str) -> set[str]:
    """Top-level packages in a fresh interpreter's sys.modules after the statement."""
    code = f"{statement}\nimport sys\nprint(' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_storage_loads_no_model_and_no_user_interface() -> None:
    names = [name_of(p) for p in modules() if name_of(p).startswith("storage")]
    loaded = loaded_after("\n".join(f"import {n}" for n in names))
    assert not loaded & {"torch", "transformers", "gradio", "encoder", "annotator"}


@pytest.mark.parametrize(
    "module", ["encoder", "encoder.text.align", "encoder.text.offsets", "encoder.text.sentences", "encoder.config"]
)
def test_the_light_modules_of_the_encoder_load_no_torch(module: str) -> None:
    assert not loaded_after(f"import {module}") & {"torch", "transformers"}


@pytest.mark.parametrize("module", ["annotator.review.decisions", "annotator.people.accounts", "annotator.exchange"])
def test_use_cases_load_neither_torch_nor_gradio(module: str) -> None:
    assert not loaded_after(f"import {module}") & {"torch", "gradio"}


def test_opening_a_project_loads_no_pandas_which_can_still_be_imported() -> None:
    assert "pandas" not in loaded_after("import annotator.project")
    assert "pandas" in loaded_after("import annotator.project, pandas")


def test_the_worker_loads_no_gradio() -> None:
    assert "gradio" not in loaded_after("import annotator.worker")


def test_importing_the_app_loads_no_torch() -> None:
    assert "torch" not in loaded_after("import app")


def functions_of(path: Path) -> Iterator[tuple[str, int]]:
    """Every function with its dotted name and the number of its named parameters, `self` and `cls` left out."""

    def inside(node: ast.AST, name: str) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                within = f"{name}.{child.name}"
                if not isinstance(child, ast.ClassDef):
                    given = [a.arg for a in (*child.args.posonlyargs, *child.args.args, *child.args.kwonlyargs)]
                    yield within, len([a for a in given if a not in ("self", "cls")])
                yield from inside(child, within)
            else:
                yield from inside(child, name)

    return inside(ast.parse(path.read_text("utf-8")), name_of(path))


def test_functions_with_more_than_six_parameters_take_a_record() -> None:
    long = {name for path in modules() for name, count in functions_of(path) if count > MOST_PARAMETERS}
    assert long == set(PUBLIC_SURFACES)


def private_names_in(tree: ast.AST) -> set[str]:
    """Names with an underscore in front that a file imports, or takes hold of by their spelling (ruff's SLF sees the attributes)."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("getattr", "setattr", "delattr"):
            found.update(
                a.value.split(".")[-1] for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
            )
    return {name for name in found if re.match("_[^_]", name)}


def test_no_test_takes_hold_of_a_private_name() -> None:
    files = sorted((ROOT / "tests").rglob("*.py"))
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in files}
    assert {name: found for name, tree in trees.items() if (found := private_names_in(tree))} == {}
    assert private_names_in(ast.parse("monkeypatch.setattr('a.b._c', 1)\nfrom a import _d")) == {"_c", "_d"}


def test_only_settings_reads_the_environment() -> None:
    """`encoder.training.sharding` asks accelerate for the one variable by which `accelerate launch` says that it shards."""
    reading = re.compile(r"\benviron\b|\bgetenv\b|\bparse_\w*from_env\b|\bget_int_from_env\b")
    readers = {name_of(p) for p in modules() if reading.search(p.read_text("utf-8"))}
    assert readers == {"annotator.settings", "encoder.training.sharding"}
