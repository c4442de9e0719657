"""Pictures of every page in every state, in every width and color scheme, to look at, and what axe finds in each.

    python -m benchmarks.every_page FOLDER [--only review,retrain]

Starts the app on projects made for it, brings each page into each of its states (tests/browser/every_page.py), and writes
`FOLDER/<state>-<scheme>.png`: one picture for each width. Prints what axe finds, and ends with 1 if it finds anything.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from tests.browser.every_page import SCHEMES, STATES, WIDTHS, State, looks, opened
from tests.browser.every_project import project
from tests.browsers import FLAGS, browser_path

TALLEST = 2400


def sheet(pictures: dict[int, bytes]) -> Image.Image:
    """The pictures of one state in one scheme, by width, beside each other."""
    images = [Image.open(io.BytesIO(data)).convert("RGB") for data in pictures.values()]
    found = Image.new("RGB", (sum(i.width + 20 for i in images), max(i.height for i in images)), "#888")
    x = 0
    for image in images:
        found.paste(image, (x, 0))
        x += image.width + 20
    return found


def picture(page: Any, width: int) -> bytes:
    height = min(TALLEST, max(WIDTHS[width], int(page.evaluate("document.documentElement.scrollHeight"))))
    if page.locator("dialog[open]").count():
        height = WIDTHS[width]
    return bytes(page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height}))


def main() -> int:
    """Write the sheets, print the findings. Returns the exit code."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="beginnings of states' names, comma-separated")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    chosen = [s for s in STATES if s.name.startswith(tuple(arguments.only.split(",")))]
    problems = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        for name in dict.fromkeys(s.project for s in chosen):
            with project(name) as url:
                for state in (s for s in chosen if s.project == name):
                    problems += _look_at(browser, url, state, arguments.folder)
        browser.close()
    print(f"{problems} problems in {len(chosen)} states")
    return 1 if problems else 0


def _look_at(browser: Any, url: str, state: State, folder: Path) -> int:
    """Write the sheets of one state. Returns how many things are wrong with it."""
    pictures: dict[str, dict[int, bytes]] = {scheme: {} for scheme in SCHEMES}
    seen: dict[str, list[str]] = {}
    try:
        with opened(browser, url, state) as page:
            for scheme, width, found in looks(page):
                pictures[scheme][width] = picture(page, width)
                for problem in found:
                    seen.setdefault(problem, []).append(f"{scheme} {width}")
    except Exception as error:  # the other states are looked at all the same
        seen[f"cannot be reached: {error}"] = ["everywhere"]
    for scheme, by_width in pictures.items():
        if by_width:
            sheet(by_width).save(folder / f"{state.name}-{scheme}.png")
    for problem, where in seen.items():
        print(f"{state.name}: {problem} [{', '.join(where)}]", flush=True)
    print(f"{state.name}: looked at", flush=True)
    return len(seen)


if __name__ == "__main__":
    sys.exit(main())
