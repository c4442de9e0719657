"""The Team page in a real browser: a round is looked at, made, changed, closed and opened again, also by two leads at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator.project import STARTED, default_criteria
from storage.records import Annotation, Post, Role, Verdict
from storage.store import Store, open_store
from storage.team_records import Round
from tests.browser.conftest import PATIENCE_MS, Pages, running_app
from tests.browser.test_pages_access import serious

pytestmark = [pytest.mark.browser, pytest.mark.slow]

READERS = ("ana", "ben", "cem")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, str]]:
    folder: Path = tmp_path_factory.mktemp("team-page")
    store = open_store(folder)
    store.save_criteria(default_criteria())
    store.set_setting(STARTED, True)
    for name in READERS:
        store.add_reviewer(name, Role.REVIEWER)
    store.add_posts([Post(f"p{n:02d}", f"Synthetic night {n}. I lie awake.", source=f"s{n % 2}") for n in range(24)])
    with running_app(folder) as url:
        yield store, url
    store.close()


@pytest.fixture
def open_page(running: tuple[Store, str], chromium: Any) -> Iterator[Any]:
    """Opens the page, and holds that no script of it fails."""
    pages = Pages(chromium, running[1])

    def opened(**options: Any) -> Any:
        page = pages.open("/?tab=team", **options)
        page.wait_for_selector("#team [data-part=count]:not(:empty)")
        return page

    yield opened
    pages.close()
    assert pages.problems == []


def only(store: Store, name: str) -> Round:
    return next(r for r in store.rounds() if r.name == name)


def make_round(page: Any, name: str, *, people: tuple[str, ...] = READERS, posts: int = 6) -> None:
    page.click("#team button:has-text('New round')")
    page.fill("#team .ev-new [name=name]", name)
    for person in people:
        page.check(f"#team .ev-new [name=people][value={person}]")
    page.fill("#team .ev-new [name=posts]", str(posts))
    page.fill("#team .ev-new [name=share1]", "50")
    page.fill("#team .ev-new [name=readers1]", "2")
    page.click("#team button:has-text('Show who gets what')")
    page.click("#team button:has-text('Make the round')")
    page.wait_for_selector(f"#team .ev-round[aria-label='Round {name}'] .ev-round-body")


def toast(page: Any, words: str) -> None:
    page.wait_for_selector(f"#team [data-part=toast]:has-text('{words}')", timeout=PATIENCE_MS)


def test_a_round_is_shown_before_it_is_made_and_then_changed_closed_and_opened(
    running: tuple[Store, str], open_page: Any
) -> None:
    store, page = running[0], open_page()
    page.click("#team button:has-text('New round')")
    page.fill("#team .ev-new [name=name]", "first")
    page.click("#team button:has-text('Show who gets what')")
    toast(page, "Choose who reads")
    for person in READERS:
        page.check(f"#team .ev-new [name=people][value={person}]")
    page.fill("#team .ev-new [name=posts]", "6")
    page.fill("#team .ev-new [name=share1]", "50")
    asked = "document.querySelector('#team .ev-new [name=readers1]').validationMessage"
    for readers, words in (("", "By how many is this share read?"), ("1.5", "valid value")):
        page.fill("#team .ev-new [name=readers1]", readers)
        page.click("#team button:has-text('Show who gets what')")
        assert words in page.evaluate(asked)
    page.fill("#team .ev-new [name=readers1]", "4")
    page.click("#team button:has-text('Show who gets what')")
    toast(page, "A post cannot have 4 readers: 3 people are chosen")
    page.fill("#team .ev-new [name=readers1]", "2")
    page.press("#team .ev-new [name=readers1]", "Enter")
    page.wait_for_selector("#team [data-part=toast]", state="hidden")
    page.wait_for_selector("#team .ev-outcome:has-text('6 posts (of 24 that fit): 3 read by 1, 3 read by 2')")
    assert page.locator("#team .ev-outcome tbody tr").all_inner_texts() == ["ana\t3", "ben\t3", "cem\t3"]
    assert store.rounds() == []
    page.click("#team button:has-text('Make the round')")
    page.wait_for_selector("#team .ev-round:has-text('0 of 9 done')")
    made = only(store, "first")
    assert (made.people, made.blind, dict(made.overlap)) == (READERS, True, {1: 0.5, 2: 0.5})

    begun = store.assigned(round_id=made.id, reviewer="cem")[0]
    answer = Annotation(begun.post_id, "SLEEP_ISSUES", "cem", Verdict.NO_EVIDENCE)
    store.add_annotation(answer, expected_revision=0)
    page.uncheck("#team .ev-round [name=people][value=cem]")
    page.click("#team button:has-text('Change who reads')")
    toast(page, "given out anew")
    page.wait_for_selector("#team .ev-said:has-text('cem has left with 1 post begun')")
    assert [a.post_id for a in store.assigned(round_id=made.id, reviewer="cem")] == [begun.post_id]
    page.fill("#team .ev-round [name=posts]", "1")
    page.select_option("#team .ev-round [name=from]", "ana")
    page.select_option("#team .ev-round [name=to]", "")
    page.dblclick("#team .ev-round form[aria-label='Move posts of first'] button")  # moves them once
    toast(page, "1 post moved")
    page.click("#team button:has-text('Give out what is missing (1)')")
    toast(page, "1 reader given")
    page.fill("#team .ev-round [name=deadline]", "2026-01-31")
    page.click("#team .ev-round form[aria-label='Last day of first'] button")
    page.wait_for_selector("#team .ev-said:has-text('Its last day was 2026-01-31')")
    page.dblclick("#team button:has-text('Close the round')")  # asks, and does not answer itself
    page.click("#team button:has-text('Close it? Its readers then see')")
    page.wait_for_selector("#team button:has-text('Open again')")
    assert only(store, "first").closed_at is not None
    page.click("#team button:has-text('Open again')")
    page.wait_for_selector("#team .ev-said:has-text('closed and opened again')")
    done = ["made", "people", "taken", "given", "deadline", "closed", "reopened"]
    assert [e.what for e in store.round_events(made.id)] == done


def test_a_lead_is_told_that_another_one_was_faster(running: tuple[Store, str], open_page: Any) -> None:
    store, page, other = running[0], open_page(), open_page()
    make_round(page, "both")
    other.click("#team button:has-text('Load again')")
    other.click("#team button[aria-label='More about both']")
    other.wait_for_selector("#team .ev-round[aria-label='Round both'] .ev-round-body")
    for each in (page, other):
        each.fill("#team .ev-round[aria-label='Round both'] [name=deadline]", "2027-01-31")
    page.click("#team .ev-round form[aria-label='Last day of both'] button")
    toast(page, "The last day is set")
    other.fill("#team .ev-round[aria-label='Round both'] [name=deadline]", "2027-02-28")
    other.click("#team .ev-round form[aria-label='Last day of both'] button")
    toast(other, "changed by somebody else in the meantime")
    assert only(store, "both").deadline == "2027-01-31"


def test_the_rules_are_set_on_the_page(running: tuple[Store, str], open_page: Any) -> None:
    store, page = running[0], open_page()
    page.click("#team .ev-rules summary")
    page.select_option("#team .ev-rules [name=spans]", "union")
    page.fill("#team .ev-rules [name=iou]", "0.4")
    page.check("#team .ev-rules [name=own]")
    page.click("#team button:has-text('Save the rules')")
    toast(page, "The rules are set")
    assert store.gold_rule().to_dict() == {"iou": 0.4, "spans": "union"}
    assert store.setting("adjudication")["own"] is True
    page.click("#team .ev-rules summary")
    page.fill("#team .ev-rules [name=iou]", "2")
    page.evaluate("document.querySelector('#team .ev-rules form').noValidate = true")
    page.click("#team button:has-text('Save the rules')")
    toast(page, "above 0 and at most 1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_the_page_has_no_serious_finding(width: int, scheme: str, running: tuple[Store, str], open_page: Any) -> None:
    page = open_page(width=width, color_scheme=scheme)
    name = f"seen-{width}-{scheme}"
    make_round(page, name, posts=2)
    page.click("#team .ev-rules summary")
    page.click("#team button:has-text('New round')")
    assert serious(page, "#page-team") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
