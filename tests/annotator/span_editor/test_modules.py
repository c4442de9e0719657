"""JavaScript modules become one function body, each in a scope of its own; the pure ones run under Node as they are."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from annotator.span_editor.component import FOLDER as EDITOR
from annotator.span_editor.modules import EXPORT, BrokenModule, bundle, imports
from annotator.ui.assets import FOLDER as PAGES

START = re.compile(r"^export (?:async )?(?:function|const) start\b", re.MULTILINE)
MODULES = sorted((EDITOR / "js").glob("*.js"))
PAGE_MODULES = sorted(PAGES.glob("*.js"))
ENTRIES = [p for p in (*MODULES, *PAGE_MODULES) if START.search(p.read_text("utf-8"))]
HERE = Path(__file__).parent
RUN = """
const [body, element] = [process.argv[1], {}];
new Function("element", "server", "props", "watch", body)(element, {}, { value: 3 }, null);
console.log(element.said);
"""


def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("no Node on the PATH")
    return found


def written(folder: Path, **files: str) -> Path:
    """Modules by name; the path of the one called main."""
    for name, text in files.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    return folder / "main.js"


def test_two_modules_may_have_the_same_name_for_different_things(tmp_path: Path) -> None:
    main = written(
        tmp_path,
        one='const name = "one";\nexport function first() {\n  return name;\n}\n',
        two='import { first } from "./one.js";\nconst name = "two";\nexport const both = () => first() + " " + name;\n',
        main='import { both } from "./two.js";\nexport function start({ element, props }) {\n  element.said = both() + props.value;\n}\n',
    )
    done = subprocess.run([node(), "-e", RUN, bundle(main)], capture_output=True, text=True, check=True)
    assert done.stdout == "one two3\n"


def test_modules_that_import_one_another_in_a_circle_are_refused(tmp_path: Path) -> None:
    main = written(
        tmp_path,
        main='import { a } from "./other.js";\nexport function start() {}\n',
        other='import { start } from "./main.js";\nexport const a = 1;\n',
    )
    with pytest.raises(BrokenModule, match=r"main\.js -> other\.js -> main\.js is a circle"):
        bundle(main)


def test_a_name_that_the_other_module_does_not_export_is_refused(tmp_path: Path) -> None:
    main = written(tmp_path, main='import { a, b } from "./other.js";\n', other="export const a = 1;\nconst b = 2;\n")
    with pytest.raises(BrokenModule, match=r"main\.js imports b, which other\.js does not export"):
        bundle(main)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda p: p.name)
def test_every_page_is_one_readable_script(entry: Path) -> None:
    check = 'new Function("element", "server", "props", "watch", require("fs").readFileSync(0, "utf8"))'
    subprocess.run([node(), "-e", check], input=bundle(entry), text=True, check=True)


def test_every_module_is_used_and_exports_only_what_another_takes() -> None:
    taken: dict[Path, set[str]] = {}
    for path in [*MODULES, *PAGE_MODULES]:
        for other, names in imports(path).items():
            taken.setdefault(other, set()).update(names)
    unused = {
        f"{path.name}: {name}"
        for path in [*MODULES, *PAGE_MODULES]
        for _, name in EXPORT.findall(path.read_text("utf-8"))
        if name not in taken.get(path.resolve(), set()) and name != "start"
    }
    assert unused == set()


@pytest.mark.parametrize("tests", sorted(HERE.glob("*.test.mjs")), ids=lambda p: p.name)
def test_the_pure_modules_under_node(tests: Path) -> None:
    done = subprocess.run([node(), "--test", str(tests)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
