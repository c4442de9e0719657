"""The README and the pages in docs/ say what is so: settings and commands are the program's, files exist, places are right."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from annotator.cli import parser
from annotator.settings import table

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGES = {path: path.read_text("utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
SETTINGS, PLACES = (PAGES[ROOT / "docs" / name] for name in ("settings.md", "architecture.md"))


def section(name: str, text: str = README) -> str:
    """What stands between the marks `<!-- name -->` and `<!-- /name -->`."""
    return text.split(f"<!-- {name} -->", 1)[1].split(f"<!-- /{name} -->", 1)[0].strip()


def settings_table() -> str:
    rows = [
        f"| `{row['variable']}` | {code(row['flag'])} | {code(row['default'])} | {row['help']} |" for row in table()
    ]
    return "\n".join(["| variable | flag | default | meaning |", "|---|---|---|---|", *rows])


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def commands_table() -> str:
    """As `evidence --help` lists them."""
    top = parser()
    top.formatter_class = lambda prog: argparse.HelpFormatter(prog, max_help_position=40, width=500)
    listed = re.findall(r"^    (\S+)\s+(.+)$", top.format_help(), re.MULTILINE)
    rows = [f"| `evidence {name}` | {words} |" for name, words in listed]
    return "\n".join(["| command | what it does |", "|---|---|", *rows])


def test_the_settings_table_lists_every_setting_as_the_program_knows_it() -> None:
    assert section("settings", SETTINGS) == settings_table()


def test_the_command_table_lists_every_command() -> None:
    assert section("commands") == commands_table()


def test_every_command_line_is_understood() -> None:
    lines = [m.strip() for text in PAGES.values() for m in re.findall(r"^(?:\$ )?evidence (.+)$", text, re.MULTILINE)]
    assert len(lines) > 20
    for line in lines:
        parser().parse_args(line.split("  #")[0].split(" | ")[0].split())


def test_files_that_are_linked_to_exist() -> None:
    for page, text in PAGES.items():
        links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
        assert [link for link in links if not (page.parent / link).exists()] == [], page.name


def test_what_the_table_of_places_names_is_there() -> None:
    rows = re.findall(
        r"^\| ([^|]+\?) \| \[`([^`]+)`\]\(([^)]+)\) \| `([^`]+)` \|$", section("where", PLACES), re.MULTILINE
    )
    assert len(rows) == 10
    for question, file, link, name in rows:
        assert f"../{file}" == link, question
        assert name in (ROOT / file).read_text("utf-8"), f"{question} {file} does not hold {name}"
