"""The Agreement page in a real browser: what it shows is the report, by keyboard and by mouse, in light and dark and on a phone."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator.project import STARTED, default_criteria
from annotator.teams.reports import work_out
from storage.store import Store, open_store
from tests.annotator.teams.studies import the_study
from tests.browser.conftest import Pages, running_app
from tests.browser.test_pages_access import serious

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, str]]:
    folder: Path = tmp_path_factory.mktemp("agreement-page")
    store = open_store(folder)
    the_study(store, default_criteria(), posts=60)
    store.set_setting(STARTED, True)
    with running_app(folder) as url:
        yield store, url
    store.close()


@pytest.fixture
def open_page(running: tuple[Store, str], chromium: Any) -> Iterator[Any]:
    pages = Pages(chromium, running[1])

    def opened(**options: Any) -> Any:
        page = pages.open("/?tab=agreement", **options)
        page.wait_for_selector("#agreement .ag-plot")
        return page

    yield opened
    pages.close()
    assert pages.problems == []


def cells(page: Any, region: str) -> list[list[str]]:
    rows: list[list[str]] = page.eval_on_selector_all(
        f"#agreement [aria-label='{region}'] tbody tr", "rows => rows.map(r => [...r.children].map(c => c.innerText))"
    )
    return rows


def test_the_tables_say_what_the_report_says(running: tuple[Store, str], open_page: Any) -> None:
    store, _ = running
    found = work_out(store)
    page = open_page()
    people = cells(page, "People")
    assert [[row[0], row[1], row[2], row[3], row[4]] for row in people] == [
        [p["person"], *(str(p[key]) for key in ("assigned", "done", "left", "decisions"))] for p in found["people"]
    ]
    criteria = cells(page, "Criteria")
    assert [row[5] for row in criteria] == [str(c["open"]) for c in found["criteria"]]
    alpha = found["agreement"]["criteria"][0]["figures"]["alpha"]
    shown = cells(page, "Agreement by criterion")[0]
    assert shown[6] == f"{alpha['value']:.2f} {alpha['low']:.2f} to {alpha['high']:.2f}"
    assert "Calibrate again: equal verdicts on all criteria fell" in page.inner_text("#agreement [data-part=proposals]")
    assert page.locator("#agreement .wording").count() == 1
    page.locator("#agreement .ag-people summary").first.click()
    page.locator("#agreement .ag-people .ev-link").first.click()
    page.wait_for_selector("#agreement [data-part=older] li")
    page.locator("#agreement .ag-cell").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#agreement .ag-table >> text=ana: no evidence")
    page.select_option("#agreement [name=round]", label="first")
    page.wait_for_function("() => !document.querySelector('#agreement [data-part=proposals]').innerText")
    with page.expect_download() as started:
        page.click("#agreement [data-part=filter] button:has-text('CSV')")
    lines = list(csv.DictReader(Path(started.value.path()).read_text("utf-8").splitlines()))
    done = {line["of"]: line["value"] for line in lines if (line["table"], line["figure"]) == ("people", "done")}
    assert done == {p["person"]: str(p["done"]) for p in work_out(store, round_id=1)["people"]}
    with page.expect_download() as started:
        page.click("#agreement [data-part=filter] button:has-text('Methods report')")
    assert "<h2>Gold and adjudication</h2>" in Path(started.value.path()).read_text("utf-8")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (320, "light")])
def test_the_page_has_no_serious_finding(width: int, scheme: str, open_page: Any) -> None:
    page = open_page(width=width, color_scheme=scheme)
    assert serious(page, "#page-agreement") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
