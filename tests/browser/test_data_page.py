"""The Data page in a real browser: a table comes in with a look at it first, goes out again, and criteria are loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator.exchange.use_cases import presets
from annotator.project import STARTED, default_criteria
from annotator.settings import Settings
from storage.records import AnnotatedSpan, Annotation, Verdict
from storage.store import Store, open_store
from tests.browser.conftest import Pages, running_app

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROWS = "nr,body,where_from\nw1,I cannot sleep and the nights are long.,forum\nw2,The dog is well.,clinic\nw3,Grey again.,clinic\n"
RESULT = "#import-result textarea"
BEGINS = "([box, text]) => document.querySelector(box).value.includes(text)"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[tuple[Store, Any]]:
    """A project without posts, and its Data page."""
    folder: Path = tmp_path_factory.mktemp("data-page")
    store = open_store(folder)
    store.save_criteria(default_criteria())
    store.set_setting(STARTED, True)
    with running_app(folder) as url:
        pages = Pages(chromium, url)
        page = pages.open("/?tab=data")
        page.wait_for_selector("#import-run")
        yield store, page
        pages.close()
        assert pages.problems == []
    store.close()


def section(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def seen(page: Any, text: str) -> None:
    """Wait until the words can be seen; a table also keeps copies of its cells that cannot."""
    page.get_by_text(text).locator("visible=true").first.wait_for()


def value_becomes(page: Any, box: str, text: str) -> None:
    page.wait_for_function(BEGINS, arg=[box, text])


def test_a_table_is_previewed_checked_imported_and_taken_out_again(project: tuple[Store, Any], tmp_path: Path) -> None:
    store, page = project
    table = tmp_path / "week.csv"
    table.write_text(ROWS, encoding="utf-8")
    page.set_input_files("#import-file input[type=file]", str(table))
    value_becomes(page, "#import-seen textarea", "CSV")
    seen(page, "I cannot sleep and the nights are long.")
    page.get_by_label("Source", exact=True).click()
    page.get_by_role("option", name="where_from").click()
    page.click("text=Check the whole file")
    value_becomes(page, RESULT, "3 posts would be imported")
    value_becomes(page, RESULT, "Nothing has been stored yet.")
    assert store.progress_counts(me="local")["posts"] == 0
    page.click("#import-run")
    value_becomes(page, RESULT, "3 posts imported")
    assert sorted(store.sources()) == ["clinic", "forum"]
    section(page, "Past imports")
    seen(page, "week.csv")
    page.click("#past-undo")
    page.click("#past-undo-yes")
    page.wait_for_function("() => !document.querySelector('#past-undo-yes')?.offsetParent")
    assert store.progress_counts(me="local")["posts"] == 0


def test_a_preset_keeps_the_columns_for_the_next_file(project: tuple[Store, Any], tmp_path: Path) -> None:
    store, page = project
    section(page, "Import")
    page.get_by_text("Presets", exact=True).click()
    page.fill("#preset-name textarea, #preset-name input", "weekly")
    page.click("#preset-save")
    seen(page, "weekly was saved.")
    assert presets(store)["weekly"]["columns"]["source"] == "where_from"
    page.reload()
    page.wait_for_selector("#import-run")
    page.get_by_text("Presets", exact=True).click()
    page.get_by_label("Use the preset").click()
    page.get_by_role("option", name="weekly").click()
    table = tmp_path / "next.csv"
    table.write_text(ROWS, encoding="utf-8")
    page.set_input_files("#import-file input[type=file]", str(table))
    seen(page, "I cannot sleep and the nights are long.")
    assert page.get_by_label("Source", exact=True).input_value() == "where_from"
    widths = "() => document.querySelector('#import-preview').getBoundingClientRect().width"
    assert page.evaluate(widths) > 500
    page.click("#preset-delete")
    seen(page, "weekly was deleted.")
    assert presets(store) == {}


def test_corrected_data_is_downloaded(project: tuple[Store, Any], tmp_path: Path) -> None:
    store, page = project
    section(page, "Import")
    page.get_by_text("Or paste", exact=True).click()
    page.fill("#import-paste textarea", "id,text\ne1,I cannot sleep.\n")
    page.click("#import-run")
    seen(page, "There are a file and pasted rows.")
    assert page.locator(".toast-header[role]").count() == 0  # it would be a button in a button
    assert page.locator(".toast-title-row[role=button]").count() > 0
    page.click("text=Look at what I pasted")
    seen(page, "take the place of the file")
    seen(page, "I cannot sleep.")
    page.click("#import-run")
    value_becomes(page, RESULT, "1 post imported")
    [post] = store.iter_posts()
    span = AnnotatedSpan(0, 15)
    annotation = Annotation(post.id, "SLEEP_ISSUES", Settings().local_reviewer, Verdict.EVIDENCE, (span,))
    store.add_annotation(annotation, expected_revision=0)
    section(page, "Export")
    page.click("#export-run")
    page.wait_for_selector("#export-download")
    with page.expect_download() as download:
        page.click("#export-download")
    line = json.loads(Path(download.value.path()).read_text("utf-8").splitlines()[0])
    assert "I cannot sleep." in json.dumps(line)
    assert "SLEEP_ISSUES" in json.dumps(line)


def test_a_criteria_file_becomes_the_set_in_use(project: tuple[Store, Any], tmp_path: Path) -> None:
    store, page = project
    section(page, "Criteria")
    file = tmp_path / "mine.yaml"
    file.write_text(
        "- {id: ANGER, name: Anger, text: The writer is angry., guideline: Mark anger.}\n", encoding="utf-8"
    )
    page.locator("input[type=file]:visible, [role=tabpanel]:visible input[type=file]").last.set_input_files(str(file))
    seen(page, "The writer is angry.")
    page.click("text=Use this set")
    seen(page, "1 criterion is in use now.")
    assert [c.id for c in store.criteria()] == ["ANGER"]


def test_a_file_of_which_nothing_can_be_taken_cannot_be_imported(project: tuple[Store, Any], tmp_path: Path) -> None:
    _, page = project
    disabled = "wanted => document.querySelector('#import-run').disabled === wanted"
    for name, content, says, off in (
        ("a.bin", b"\x00\x01\x02" * 400, "is not text: a binary file", True),
        ("b.csv", b"id,text\n1,I cannot sleep at all.\n", "I cannot sleep at all.", False),
        ("c.csv", b"id,text\n1,[removed]\n", "1 refused", True),
    ):
        (tmp_path / name).write_bytes(content)
        page.reload()
        page.wait_for_selector("#import-run")
        section(page, "Import")
        page.set_input_files("#import-file input[type=file]", str(tmp_path / name))
        page.locator("#import-preview").get_by_text(says).first.wait_for()
        page.wait_for_function(disabled, arg=off)
    section(page, "Export")
    page.get_by_text("Saved exports", exact=True).click()
    page.fill("#export-preset-name textarea, #export-preset-name input", "for the paper")
    page.click("#export-preset-save")
    seen(page, "for the paper was saved.")
    page.click("#export-preset-delete")
    seen(page, "for the paper was deleted.")


def test_a_large_import_can_be_cancelled_while_it_waits(project: tuple[Store, Any], tmp_path: Path) -> None:
    """Large files go to the worker, of which this app has none: it waits until it is cancelled."""
    store, page = project
    before = store.count_posts()
    table = tmp_path / "year.csv"
    table.write_text(
        "id,text\n" + "".join(f"y{n},{'I cannot sleep. ' * 12}\n" for n in range(90_000)), encoding="utf-8"
    )
    page.reload()
    page.wait_for_selector("#import-run")
    section(page, "Import")
    page.set_input_files("#import-file input[type=file]", str(table))
    page.click("#import-run:not([disabled])")
    value_becomes(page, RESULT, "waiting for the background worker")
    assert page.inner_text("#import-cancel") == "Cancel"
    page.click("#import-cancel")
    value_becomes(page, RESULT, "The import was cancelled. Nothing was imported.")
    page.wait_for_selector("#import-cancel", state="hidden")
    assert store.count_posts() == before
