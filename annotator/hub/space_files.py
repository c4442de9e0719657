"""What of the checkout a Hugging Face Space needs: the product's tracked files, and a README that configures the Space rightly."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from storage.records import EvidenceError

ROOT_FILES = ("README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "app.py", "pyproject.toml", "requirements.txt")
FOLDERS = ("storage", "encoder", "annotator", "docs")
MOST_BYTES = 1_000_000_000  # the Hub's free private room is larger; a product file this large is a mistake
_COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
_SHORT_DESCRIPTION = 60


class CheckoutInvalid(EvidenceError):
    """The checkout cannot become a Space; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class SpaceFile:
    """A file to upload. path: there, with forward slashes."""

    path: str
    source: Path
    bytes: int


def product_files(checkout: Path) -> tuple[list[SpaceFile], list[str]]:
    """(the files that a Space needs, sorted by path; warnings). Tests, benchmarks, data and caches are none of them.

    In a git checkout only tracked files count, so that nothing private goes along by accident; what is left out for that is
    a warning. Raises CheckoutInvalid.
    """
    if not (checkout / "app.py").is_file() or not (checkout / "README.md").is_file():
        raise CheckoutInvalid(
            f"{checkout} is no checkout of this program: app.py or README.md is missing. Name one with --checkout."
        )
    tracked, warnings = _tracked(checkout)
    names = sorted(name for name in tracked if _belongs(name) and (checkout / name).is_file())
    files = [SpaceFile(name, checkout / name, (checkout / name).stat().st_size) for name in names]
    missing = sorted({"app.py", "README.md", "requirements.txt"} - set(names))
    if missing:
        raise CheckoutInvalid(f"{missing[0]} is not tracked by git in {checkout}. A Space cannot start without it.")
    if sum(f.bytes for f in files) > MOST_BYTES:
        largest = max(files, key=lambda f: f.bytes)
        raise CheckoutInvalid(
            f"The files are larger than {MOST_BYTES:,} bytes together; the largest is {largest.path}."
        )
    return files, warnings


def front_matter(readme: Path) -> dict[str, Any]:
    """The Space's configuration at the head of the README, checked. Raises CheckoutInvalid naming what is wrong."""
    found = re.match(r"---\n(.*?\n)---\n", readme.read_text("utf-8"), re.DOTALL)
    if found is None:
        raise CheckoutInvalid(
            f"{readme} does not begin with the configuration of a Space (YAML between two lines of ---)."
        )
    try:
        values = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        raise CheckoutInvalid(f"The head of {readme} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise CheckoutInvalid(f"The head of {readme} is no table of settings.")
    for problem in _problems(values, readme.parent):
        raise CheckoutInvalid(f"The head of {readme}: {problem}")
    return values


def with_sign_in(readme: Path) -> bytes:
    """The README with `hf_oauth: true` in its front matter: the Hub then gives the Space what its sign-in needs."""
    text = readme.read_text("utf-8")
    if front_matter(readme).get("hf_oauth") is True:
        return text.encode()
    head, rest = re.sub(r"^hf_oauth:.*\n", "", text[4:], count=1, flags=re.MULTILINE).split("---\n", 1)
    return f"---\n{head}hf_oauth: true\n---\n{rest}".encode()


def _problems(values: dict[str, Any], checkout: Path) -> list[str]:
    wanted = ("title", "sdk", "sdk_version", "app_file", "python_version")
    found = [f"{name} is missing." for name in wanted if not values.get(name)]
    if values.get("sdk") != "gradio":
        found.append(f"sdk is {values.get('sdk')!r}; this program needs gradio.")
    for name in ("colorFrom", "colorTo"):
        if values.get(name, "gray") not in _COLORS:
            found.append(f"{name} is {values[name]!r}; it may be {', '.join(_COLORS)}.")
    if not (checkout / str(values.get("app_file", "app.py"))).is_file():
        found.append(f"app_file names {values['app_file']!r}, which is not there.")
    if len(str(values.get("short_description", ""))) > _SHORT_DESCRIPTION:
        found.append(f"short_description is longer than {_SHORT_DESCRIPTION} characters.")
    if not isinstance(values.get("python_version", ""), str) or not isinstance(values.get("sdk_version", ""), str):
        found.append("versions must stand in quotes, else 3.10 is read as 3.1.")
    return found


def _belongs(name: str) -> bool:
    parts = name.split("/")
    if any(part.startswith(".") or part == "__pycache__" for part in parts):
        return False
    return name in ROOT_FILES if len(parts) == 1 else parts[0] in FOLDERS


def is_ours(path: str) -> bool:
    """Whether a file of the Space lies where this program's own files lie: one that is not needed any more may go."""
    return "/" in path and path.split("/")[0] in FOLDERS


def _tracked(checkout: Path) -> tuple[list[str], list[str]]:
    """(paths, warnings): what git knows, or every file where there is no git."""
    listed = _git(checkout, "ls-files", "-z")
    if listed is None:
        every = [p.relative_to(checkout).as_posix() for p in checkout.rglob("*") if p.is_file() and not p.is_symlink()]
        return every, [f"{checkout} is no git checkout: every file in the product's folders goes along."]
    others = [n for n in _git(checkout, "ls-files", "-z", "--others", "--exclude-standard") or [] if _belongs(n)]
    warnings = [f"{len(others)} files are not tracked by git and are left out, such as {others[0]}."] if others else []
    changed = [n for n in _git(checkout, "diff", "--name-only", "-z", "HEAD") or [] if _belongs(n)]
    if changed:
        warnings.append(f"{len(changed)} files differ from the last commit and go as they are, such as {changed[0]}.")
    return listed, warnings


def _git(checkout: Path, *arguments: str) -> list[str] | None:
    program = shutil.which("git")
    if program is None or not (checkout / ".git").exists():
        return None
    done = subprocess.run([program, "-C", str(checkout), *arguments], capture_output=True, text=True, check=False)  # noqa: S603
    return [name for name in done.stdout.split("\0") if name] if done.returncode == 0 else None
