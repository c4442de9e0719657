"""Inviting, new passwords and ending sessions over HTTP: by role, with wrong links, and with too many of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.security.people import PASSWORD, PEOPLE, Guarded, guarded

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
ASKED = {
    "people_list": {},
    "people_invite": {"name": "zoe", "role": "admin", "days": 7},
    "people_reset": {"name": "adam"},
    "people_withdraw": {"name": "adam"},
    "people_role": {"name": "eva", "role": "admin"},
    "people_enable": {"name": "adam", "enabled": False},
    "people_end_sessions": {"name": "adam"},
    "team_start": {},
    "team_rules": {"rules": {}, "shown": {}},
}
NEW = "another horse battery"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """An app of this module's own: it changes who is there."""
    folder: Path = tmp_path_factory.mktemp("people")
    with guarded(folder) as running:
        yield running


def ask(client: httpx.Client, name: str, message: object) -> httpx.Response:
    return client.post(f"/ask/{name}", json=message)


def set_password(client: httpx.Client, path: str, password: str, **more: str) -> httpx.Response:
    return client.post(path, data={"password": password, "again": password, **more})


def test_nobody_but_an_admin_asks_for_people_and_no_reviewer_for_the_team(own: Guarded) -> None:
    for person in ("eva", "jon"):
        with own.client(person) as client:
            for name, message in ASKED.items():
                if person == "jon" and name.startswith("team"):
                    continue
                assert ask(client, name, message).status_code == 403, (person, name)
    with own.client(None) as stranger:
        assert {ask(stranger, name, message).status_code for name, message in ASKED.items()} == {401}


def test_an_invited_person_comes_in_by_the_link_and_nobody_after_them(own: Guarded) -> None:
    with own.client("adam") as adam, own.client(None) as zoe, own.client(None) as other:
        reply = ask(adam, "people_invite", {"name": "<b>zoe", "role": "reviewer", "days": 1}).json()
        link = "/" + reply["link"]
        shown = zoe.get(link)
        assert (shown.status_code, "&lt;b&gt;zoe" in shown.text, "<b>zoe" in shown.text) == (200, True, False)
        assert shown.headers["cache-control"] == "no-store"
        differ = zoe.post(link, data={"password": NEW, "again": PASSWORD})
        assert (differ.status_code, "The two passwords differ" in differ.text) == (400, True)
        assert set_password(zoe, link, "short").status_code == 400
        assert set_password(zoe, link, NEW).status_code == 303
        assert zoe.get("/status").json()["person"] == "<b>zoe"
        assert (other.get(link).status_code, set_password(other, link, PASSWORD).status_code) == (404, 404)
        assert ask(zoe, "people_list", {}).status_code == 403


def test_a_lost_password_is_set_by_a_link_and_every_session_before_it_ends(own: Guarded) -> None:
    own.app.accounts.add("dan", PEOPLE["eva"], PASSWORD)
    with own.client("adam") as adam, own.client(None) as before, own.client(None) as dan:
        assert before.post("/login", data={"name": "dan", "password": PASSWORD}).status_code == 303
        link = ask(adam, "people_reset", {"name": "dan"}).json()["link"]
        assert set_password(dan, "/" + link, NEW).status_code == 303
        assert before.get("/status", headers={"accept": "application/json"}).status_code == 401
        assert dan.get("/status").json()["person"] == "dan"
        assert ask(adam, "people_end_sessions", {"name": "dan"}).json()["ended"] == 1
        assert ask(adam, "people_enable", {"name": "dan", "enabled": False}).json()["ok"]
        assert dan.post("/login", data={"name": "dan", "password": NEW}).status_code == 401


def test_everybody_changes_their_own_password_and_only_their_own(own: Guarded) -> None:
    own.app.accounts.add("fay", PEOPLE["eva"], PASSWORD)
    with own.client(None) as fay:
        assert fay.post("/login", data={"name": "fay", "password": PASSWORD}).status_code == 303
        assert re.search(r'name="person" value="fay"', fay.get("/password").text)
        assert set_password(fay, "/password", NEW, current="wrong wrong wrong", person="fay").status_code == 401
        assert set_password(fay, "/password", NEW, current=PASSWORD, person="adam").status_code == 403
        assert set_password(fay, "/password", NEW, current=PASSWORD, person="fay").status_code == 303
        assert fay.get("/status").json()["person"] == "fay"
        foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        assert fay.post("/password", data={}, headers=foreign).status_code == 403
    with own.client(None) as stranger:
        assert stranger.get("/password", headers={"accept": "application/json"}).status_code == 401
        assert stranger.post("/join/a/b", data={}).status_code in (401, 404)


def test_guessing_links_is_slowed_down(own: Guarded) -> None:
    with own.client(None) as stranger:
        assert 'href="/">To the app' in stranger.get("/join/used-already").text
        statuses = [stranger.get(f"/join/guess-{n}").status_code for n in range(39)]
    assert set(statuses) == {404, 429}
    assert statuses[:24] == [404] * 24
