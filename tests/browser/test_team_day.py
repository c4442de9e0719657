"""A day of a team in real browsers: an admin invites, a lead makes a blind round, two people read, one adjudicates, all see why.

Everything that the server sends to the two readers is kept and searched: no answer of the other may be in it before the round is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator.learning.instant import switch
from annotator.people.accounts import Accounts
from annotator.project import STARTED, default_criteria
from annotator.teams.naming import codes_of
from storage.records import ModelVersion, Post, Prediction, Role, Span, Split
from storage.store import Store, open_store
from tests.browser.conftest import PATIENCE_MS, Pages, running_app

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PASSWORD = "correct horse battery"
TEXT = "I lie awake until four. The dog is well."
STREAMS = ("/queue/data", "/heartbeat", "/upload_progress")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, str]]:
    folder: Path = tmp_path_factory.mktemp("team-day")
    store = open_store(folder)
    store.save_criteria(default_criteria()[:2])
    store.set_setting(STARTED, True)
    store.add_model(ModelVersion(id="m1", path="kept-in-the-tests"))
    store.activate_model("m1", by=None)
    switch(store, on=False)
    store.add_posts([Post(f"p{n}", f"{TEXT} Synthetic night {n}.", split=Split.TRAIN) for n in range(2)])
    spans = (Span(0, 23, 0.9),)
    store.add_predictions(Prediction(f"p{n}", c.id, "m1", spans, 0.1) for n in range(2) for c in store.criteria())
    Accounts(store).add("adam", Role.ADMIN, PASSWORD)
    with running_app(folder) as url:
        yield store, url
    store.close()


KEEP = """
const plain = window.fetch;
window.fetch = async (...given) => {
  const answer = await plain(...given);
  if (!STREAMS.some((part) => answer.url.includes(part))) answer.clone().text().then((text) => window.keepBody(answer.url, text));
  return answer;
};
""".replace("STREAMS", str(list(STREAMS)))


class Person:
    """Somebody's browser, with everything that the server has answered to it: documents, and what the scripts fetched."""

    def __init__(self, pages: Pages, name: str) -> None:
        self.name = name
        self.bodies: list[tuple[str, str]] = []
        self.page = pages.open("/healthz", base_url=pages.url)
        self.page.context.expose_function("keepBody", lambda url, text: self.bodies.append((url, text)))
        self.page.context.add_init_script(KEEP)

    def go(self, path: str, ready: str) -> Any:
        answer = self.page.goto(path)
        self.bodies.append((path, answer.text()))
        self.page.wait_for_selector(ready, timeout=PATIENCE_MS)
        return self.page

    def was_sent(self, words: str) -> list[str]:
        return [url for url, body in self.bodies if words in body]


def come_in(person: Person, link: str) -> None:
    person.page.goto(link)
    person.page.fill("[name=password]", PASSWORD)
    person.page.fill("[name=again]", PASSWORD)
    person.page.click("button")
    person.page.wait_for_selector(f".app-person:has-text('{person.name}')")


def invite(admin: Person, name: str, role: str) -> str:
    page = admin.page
    page.fill("#people [name=name]", name)
    page.select_option("#people form [name=role]", role)
    page.click("#people button:has-text('Make a link')")
    return str(page.input_value(f"#people input[aria-label='Link for {name}']"))


def read_everything(reader: Person, button: str) -> None:
    """Decides each criterion of both posts by one button, with a note that nobody else may see."""
    page = reader.go("/?tab=review", ".ev[data-state=ready]")
    for post in ("p0", "p1"):
        reader.go(f"/?post={post}", ".ev[data-state=ready]")
        for row in page.locator("[data-part=criteria] .ev-criterion").all():
            row.click()
            page.evaluate("document.querySelector('[data-part=note-box]').open = true")
            page.fill("[data-part=note]", f"secret-of-{reader.name}")
            page.locator("[data-part=note]").blur()
            row.click()
            page.click(f"[data-part=detail] {button}")
            page.wait_for_function("document.querySelector('[data-part=saved]').dataset.saved === 'saved'")
    page.focus("[data-part=root]")
    page.keyboard.press("r")
    page.fill(".ev-discussion textarea", f"@jon, flagged by secret-of-{reader.name}")
    page.click(".ev-discussion button:has-text('Flag for the lead')")
    page.wait_for_selector(".ev-thread li:has-text('flagged it for the lead')")
    assert page.locator(".ev-thread li").count() == 1  # whoever else flagged it is not shown
    assert page.inner_text("[data-part=detail-head] h2") in page.inner_text(".ev-thread small")


def look_around(reader: Person, other: str) -> None:
    """Everywhere that a reader can go, with every filter by the other person."""
    reader.go("/?post=p0", ".ev[data-state=ready]").click("[data-action=history]")
    reader.page.wait_for_selector("[data-part=dialog][open]")
    page = reader.go("/?tab=posts", "#posts-list [data-part=count]:not(:empty)")
    page.select_option("#posts-list [name=reviewer]", other)
    page.wait_for_selector("#posts-list .ev-empty-list")
    reader.go("/?tab=overview", ".ov-cards > div")
    reader.go("/?tab=guidelines", "#page-guidelines .ev-card")


def test_the_day_of_each_role_and_nobodys_blind_answer_in_what_another_is_sent(
    running: tuple[Store, str], chromium: Any
) -> None:
    store, url = running
    pages = Pages(chromium, url)
    adam, jon, ana, ben = (Person(pages, name) for name in ("adam", "jon", "ana", "ben"))
    try:
        adam.page.goto("/login")
        adam.page.fill("[name=name]", "adam")
        adam.page.fill("[name=password]", PASSWORD)
        adam.page.click("button")
        adam.go("/?tab=people", "#people [data-person=adam]")
        for person, role in ((jon, "adjudicator"), (ana, "reviewer"), (ben, "reviewer")):
            come_in(person, invite(adam, person.name, role))
        invite(adam, "gus", "reviewer")
        adam.page.click("#people [data-person=gus] button:has-text('Withdraw the link')")
        adam.page.wait_for_selector(
            "#people [data-part=link]", state="hidden"
        )  # nobody is sent a link that works no longer

        lead = jon.go("/?tab=team", "#team [data-part=count]:not(:empty)")
        lead.click("#team button:has-text('New round')")
        lead.fill("#team .ev-new [name=name]", "first")
        for name in ("ana", "ben"):  # who adjudicates chooses among codes
            lead.check(f"#team .ev-new [name=people][value={codes_of(store)[name]}]")
        lead.fill("#team .ev-new [name=base]", "2")
        lead.fill("#team .ev-new [name=deadline]", "2020-01-31")
        lead.click("#team button:has-text('Show who gets what')")
        lead.click("#team button:has-text('Make the round')")
        lead.wait_for_selector("#team .ev-round:has-text('0 of 4 done')")

        read_everything(ben, "[data-part=marks] [data-verb=accept]")
        read_everything(ana, "[data-part=none]")
        assert {str(a.verdict) for a in store.iter_annotations() if a.reviewer == "ben" and a.decided} == {"evidence"}
        assert "first, was due 2020-01-31" in ana.page.inner_text("[data-part=position]")
        look_around(ana, "ben")
        look_around(ben, "ana")
        assert ana.page.locator("#page-team, #page-people").filter(visible=True).count() == 0
        assert (ana.was_sent("secret-of-ben"), ben.was_sent("secret-of-ana")) == ([], [])
        assert ana.was_sent("secret-of-ana")
        assert len(ana.bodies) > 50

        list_ = jon.go("/?tab=overview", "#discussions h3:has-text('1 new for you')")
        list_.click("#discussions .ev-threads summary")
        list_.wait_for_selector("#discussions .ev-thread li:nth-child(2)")
        list_.click("#discussions .ev-discussion button:has-text('Resolve')")
        list_.wait_for_selector("#discussions button:has-text('Resolved (1)')")

        judge = jon.go("/?tab=adjudicate", "#adjudicate [data-part=count]:has-text('1 of 4 to decide')")
        for left in ("1 of 3", "1 of 2", "1 of 1", "Nothing is left to decide"):
            judge.fill("#adjudicate [name=reason]", "One night is no week.")
            judge.check("#adjudicate [name=example]")
            judge.click("#adjudicate button:has-text('No evidence')")
            judge.wait_for_selector(f"#adjudicate [data-part=count]:has-text('{left}')")
        ben.go("/?tab=overview", "#mine [data-part=rounds]:not(:empty)")
        assert ben.was_sent("One night is no week.") == []
        assert (
            ben.go("/?tab=guidelines", "#page-guidelines .ev-card").locator("#guidelines .ev-examples a").count() == 0
        )

        head = adam.go("/?tab=team", "#team button[aria-label='More about first']")
        head.click("#team button[aria-label='More about first']")
        head.click("#team button:has-text('Close the round')")
        head.click("#team button:has-text('Close it? Its readers then see')")
        head.wait_for_selector("#team button:has-text('Open again')")
        seen = ben.go("/?tab=overview", "#mine .ev-history")
        assert "4 answers of yours were adjudicated, 0 of them as you said" in seen.inner_text("#mine")
        assert "One night is no week." in seen.inner_text("#mine")
        ben.go("/?post=p0", ".ev[data-state=ready]")
        assert ben.was_sent("secret-of-ana") != []  # what is searched for would have been found
    finally:
        pages.close()
    assert pages.problems == []
