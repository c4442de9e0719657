"""Who may import what. Static imports are read from the syntax tree, the rest is seen in a fresh interpreter."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("storage", "encoder", "annotator")


def modules() -> list[Path]:
    return [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Dotted names of everything that the module imports; `if TYPE_CHECKING` blocks do not count."""
    tree = ast.parse(path.read_text("utf-8"))
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        if top_level_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
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
        assert not {i for i in inner if not i.startswith(("storage.records", "storage.formats"))}
    if name.startswith("annotator"):
        assert not touches(imports, "app")
    if name in ("annotator.review", "annotator.agreement", "annotator.accounts"):
        assert not touches(imports, "torch", "gradio")
    if name == "annotator.worker":
        assert not touches(imports, "gradio")


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
    "module", ["encoder", "encoder.align", "encoder.offsets", "encoder.sentences", "encoder.config"]
)
def test_the_light_modules_of_the_encoder_load_no_torch(module: str) -> None:
    assert not loaded_after(f"import {module}") & {"torch", "transformers"}


@pytest.mark.parametrize("module", ["annotator.review", "annotator.accounts", "annotator.exchange"])
def test_use_cases_load_neither_torch_nor_gradio(module: str) -> None:
    assert not loaded_after(f"import {module}") & {"torch", "gradio"}


def test_the_worker_loads_no_gradio() -> None:
    assert "gradio" not in loaded_after("import annotator.worker")


def test_importing_the_app_loads_no_torch() -> None:
    assert "torch" not in loaded_after("import app")


def test_only_settings_reads_the_environment() -> None:
    readers = [
        name_of(p) for p in modules() if "os.environ" in p.read_text("utf-8") or "os.getenv" in p.read_text("utf-8")
    ]
    assert readers == ["annotator.settings"]
