"""Who gets in where: asked of every route and every listener that the running app itself knows."""

from __future__ import annotations

import httpx
import pytest

from storage.records import Role
from tests.security.people import PEOPLE, Guarded, page_of

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

OPEN = {"/login", "/healthz"}
CURATED = ("/export/x", "/export/x/manifest", "/imports/1/report", "/models/x.zip", "/api/v1/export", "/api/v1/jobs")
USED_OF_GRADIO = (
    "queue/join",
    "queue/data",
    "component_server",
    "upload",
    "upload_progress",
    "cancel",
    "info",
    "app_id",
)
USED_OF_GRADIO += ("startup-events", "theme.css", "call/", "run/", "file=", "heartbeat/")


def test_without_a_session_every_route_but_login_and_health_is_closed(site: Guarded) -> None:
    routes = site.routes()
    assert len(routes) > 80
    with site.client(None) as stranger:
        answered = [
            (method, path, answer.status_code)
            for method, path in routes
            if path not in OPEN
            and (answer := stranger.request(method, path, json={}, headers={"accept": "application/json"})).status_code
            not in (303, 401, 404, 405)
        ]
    assert answered == []


@pytest.mark.parametrize(
    "path", ["/login/", "/login//", "/healthz/", "/Login", "/config/../login/", "/gradio_api/../login/"]
)
def test_only_the_exact_path_of_signing_in_takes_a_form(site: Guarded, path: str) -> None:
    form = {"files": ("x.bin", b"x" * 200_000)}
    with site.client(None) as stranger:
        for method in ("GET", "POST"):
            answer = stranger.request(method, path, files=form if method == "POST" else None)
            assert answer.status_code in (303, 401, 404, 405, 413), path


@pytest.mark.parametrize("name", PEOPLE)
def test_what_gradio_brings_along_and_no_page_needs_is_not_there(site: Guarded, name: str) -> None:
    unused = {
        (method, path)
        for method, path in site.routes()
        if path.startswith("/gradio_api/") and not path.removeprefix("/gradio_api/").startswith(USED_OF_GRADIO)
    }
    assert len(unused) > 25  # among them proxy=, vibe-edit, deep_link, process_recording, dev/reload, token
    with site.client(name) as client:
        found = {(m, p): client.request(m, p, json={}).status_code for m, p in unused if m != "HEAD"}
    assert {pair: status for pair, status in found.items() if status not in (404, 403)} == {}


def test_a_reviewer_reaches_none_of_the_curators_own_routes(site: Guarded) -> None:
    with site.client("eva") as eva:
        assert {eva.get(path).status_code for path in CURATED} == {403}


def test_every_listener_and_every_component_has_its_roles(site: Guarded) -> None:
    """A listener without an entry is refused to everybody, so a new one is noticed here and not by a stranger."""
    for name in PEOPLE:
        with site.client(name) as client:
            loads = [
                n for n, fn in site.blocks.fns.items() if fn.targets and fn.targets[0][1] == "load" and not fn.inputs
            ]
            for number in loads:
                assert _join(client, site, number) == 200, (name, number)


def test_a_reviewer_calls_no_listener_of_the_curators_pages_in_any_way(site: Guarded) -> None:
    restricted = _listeners_for(site, Role.ADJUDICATOR) - _listeners_for(site, Role.REVIEWER)
    assert len(restricted) > 30
    with site.client("eva") as eva:
        for number in restricted:
            name = site.blocks.fns[number].api_name
            assert _join(eva, site, number) == 403
            body = {"data": [None] * len(site.blocks.fns[number].inputs)}
            statuses = {
                eva.post(f"/gradio_api/{way}/{name}", json=body).status_code for way in ("call", "run", "call/v2")
            }
            statuses.add(eva.post("/gradio_api/run/predict", json={**body, "fn_index": number}).status_code)
            assert statuses == {403}, name


def test_a_listener_or_component_that_is_none_is_refused_to_an_admin(site: Guarded) -> None:
    with site.client("adam") as adam:
        for number in (-1, 10**6, "0; DROP", None, 1.5, True, [], {}):
            body = {"data": [], "fn_index": number, "session_hash": page_of(adam)}
            assert adam.post("/gradio_api/queue/join", json=body).status_code == 403, number
            asked = {"data": {}, "component_id": number, "fn_name": "review_start", "session_hash": page_of(adam)}
            assert adam.post("/gradio_api/component_server", json=asked).status_code == 403, number


def _listeners_for(site: Guarded, role: Role) -> set[int]:
    """The listeners that somebody of that role is let through to."""
    name = next(n for n, r in PEOPLE.items() if r is role)
    with site.client(name) as client:
        return {number for number in site.blocks.fns if _join(client, site, number) != 403}


def _join(client: httpx.Client, site: Guarded, number: int) -> int:
    body = {
        "data": [None] * len(site.blocks.fns[number].inputs),
        "fn_index": number,
        "session_hash": page_of(client),
    }
    answer = client.post("/gradio_api/queue/join", json=body)
    return int(answer.status_code)
