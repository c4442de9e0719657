"""What a call names: never an address, never a file of somebody else, never another person's page; and how much it may send."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.security.people import Guarded, page_of

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

META = {"_type": "gradio.FileData"}
MULTIPART = {"content-type": "multipart/form-data; boundary=a"}
TOO_LARGE = {"/login": 100_000, "/tokens": 100_000, "/gradio_api/queue/join": 17 * 2**20, "/api/v1/predict": 2 * 2**20}


@pytest.fixture
def bait() -> Iterator[tuple[str, list[str]]]:
    """(address of a server on this machine, what was asked of it)."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"text\nsecret")

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/secret.csv", asked
    server.shutdown()
    server.server_close()
    thread.join()


def upload(
    client: httpx.Client, content: bytes = b"text\nI cannot sleep.\n", name: str = "posts.csv"
) -> httpx.Response:
    return client.post("/gradio_api/upload", files={"files": (name, content)})


def file_listeners(site: Guarded) -> list[int]:
    """Listeners that take a file."""
    kinds = ("File", "UploadButton")
    return [n for n, fn in site.blocks.fns.items() if any(type(b).__name__ in kinds for b in fn.inputs)]


def call_with(site: Guarded, client: httpx.Client, number: int, value: Any) -> int:
    """The status of a call whose every file argument is `value`, also hidden deeper."""
    kinds = ("File", "UploadButton")
    data = [value if type(b).__name__ in kinds else None for b in site.blocks.fns[number].inputs]
    body = {
        "data": data,
        "fn_index": number,
        "session_hash": page_of(client),
        "event_data": {"deep": [{"x": value}]},
    }
    return client.post("/gradio_api/queue/join", json=body).status_code


def test_no_argument_of_any_listener_fetches_an_address(site: Guarded, bait: tuple[str, list[str]]) -> None:
    address, asked = bait
    with site.client("adam") as adam:
        for number in site.blocks.fns:
            file = {"path": address, "url": address, "meta": META}
            inputs = [file] * len(site.blocks.fns[number].inputs)
            for data in (inputs, [[file]] * len(inputs), [{"a": {"b": file}}] * len(inputs)):
                body = {"data": data, "fn_index": number, "session_hash": "bait", "event_data": file}
                assert adam.post("/gradio_api/queue/join", json=body).status_code == 403
        asked_components = {"data": file, "component_id": 0, "fn_name": "x", "session_hash": "bait"}
        assert adam.post("/gradio_api/component_server", json=asked_components).status_code == 403
        assert adam.get(f"/gradio_api/file={address}").status_code == 403
    assert asked == []


def test_only_who_sent_a_file_names_and_reads_it(site: Guarded) -> None:
    with site.client("adam") as adam, site.client("jon") as jon, site.client("eva") as eva:
        path = upload(adam).json()[0]
        assert adam.get(f"/gradio_api/file={path}").status_code == 200
        assert jon.get(f"/gradio_api/file={path}").status_code == 403
        assert eva.get(f"/gradio_api/file={path}").status_code == 403
        several = {"range": "bytes=0-1,2-3,4-"}
        assert adam.get(f"/gradio_api/file={path}", headers=several).content == b"text\nI cannot sleep.\n"
        numbers = file_listeners(site)
        assert len(numbers) >= 5
        file = {"path": path, "orig_name": "posts.csv", "meta": META}
        assert {call_with(site, jon, n, file) for n in numbers} == {403}
        assert {call_with(site, adam, n, file) for n in numbers} == {200}


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../../etc/passwd",
        "evidence.db",
        "/proc/self/environ",
        "file:///etc/passwd",
        "\x00",
        "",
        "C:\\x",
        "http://[::1]/",
    ],
)
def test_no_file_outside_the_uploads_is_named(site: Guarded, path: str) -> None:
    inside = str(site.app.settings.data_dir / path) if path == "evidence.db" else path
    with site.client("adam") as adam:
        file = {"path": inside, "meta": META}
        assert {call_with(site, adam, n, file) for n in file_listeners(site)} == {403}


def test_a_link_in_the_uploads_leads_nowhere(site: Guarded, tmp_path: Path) -> None:
    with site.client("adam") as adam:
        sent = Path(upload(adam, b"text\nlinked\n").json()[0])
        sent.unlink()
        sent.symlink_to(site.app.settings.data_dir / "evidence.db")
        assert adam.get(f"/gradio_api/file={sent}").status_code == 403
        sent.unlink()


def test_what_a_call_gives_is_for_who_made_it(site: Guarded) -> None:
    with site.client("adam") as adam, site.client("jon") as jon:
        made = adam.post("/gradio_api/call/models", json={"data": [1, 0]}).json()["event_id"]
        for way in ("", "v2/"):
            assert jon.get(f"/gradio_api/call/{way}models/{made}").status_code == 404
        assert "event: complete" in adam.get(f"/gradio_api/call/models/{made}").text
        body = {"data": [], "fn_index": -1, "session_hash": page_of(adam)}
        assert adam.post("/gradio_api/queue/join", json=body).status_code == 403  # the session is adam's from here on
        for query in (f"session_hash=jons&session_hash={page_of(adam)}", f"session_hash={page_of(adam)}", ""):
            assert jon.get(f"/gradio_api/queue/data?{query}").status_code in (400, 403), query


def test_nobody_uploads_who_has_no_page_for_it(site: Guarded) -> None:
    with site.client("eva") as eva:
        refused = upload(eva)
        assert refused.status_code == 403
        assert "No page of yours takes files" in refused.text
    with site.client(None) as stranger:
        assert upload(stranger).status_code == 401


def test_a_person_keeps_only_so_much_here(site: Guarded) -> None:
    with site.client("jon") as jon:
        sent = [upload(jon, bytes([n]) * 900_000, f"{n}.csv").status_code for n in range(5)]
        assert sent == [200, 200, 200, 413, 413]
        assert "kept for one person" in upload(jon, b"y" * 900_000).text
    with site.client("adam") as adam:
        assert upload(adam, b"z" * 900_000).status_code == 200


def test_a_body_without_a_length_or_beyond_the_limit_is_refused_before_it_is_read(site: Guarded) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(400):
            yield b"x" * 65536

    with site.client("adam") as adam:
        assert adam.post("/gradio_api/upload", content=endless(), headers=MULTIPART).status_code == 411
        for path, size in TOO_LARGE.items():
            assert adam.post(path, content=b"x" * size).status_code == 413, path
    with site.client(None) as stranger:
        for path in ("/login", "/login/", "/gradio_api/upload", "/gradio_api/queue/join", "/nowhere"):
            assert stranger.post(path, content=b"x" * (17 * 2**20)).status_code == 413, path


def test_what_comes_in_pieces_is_counted(site: Guarded) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(300):
            yield b"x" * 65536

    with site.client("adam") as adam:
        kind = {"content-type": "application/json"}
        assert adam.post("/gradio_api/queue/join", content=pieces(), headers=kind).status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'"x"',
        b"{\xff}",
        b"[" * 100_000,
        b'{"data": NaN}',
        json.dumps({"session_hash": 5}).encode(),
    ],
)
def test_a_call_that_is_no_call_is_refused_in_one_line(site: Guarded, body: bytes) -> None:
    with site.client("adam") as adam:
        for path in (
            "/gradio_api/queue/join",
            "/gradio_api/component_server",
            "/gradio_api/cancel",
            "/gradio_api/run/predict",
            "/ask/review_save",
        ):
            answer = adam.post(path, content=body, headers={"content-type": "application/json"})
            assert answer.status_code in (200, 400, 403), (path, answer.status_code)
            assert "Traceback" not in answer.text
            assert str(site.app.settings.data_dir) not in answer.text


def test_another_persons_page_is_neither_listened_to_nor_used(site: Guarded) -> None:
    with site.client("adam") as adam, site.client("eva") as eva:
        load = next(
            n for n, fn in site.blocks.fns.items() if fn.targets and fn.targets[0][1] == "load" and not fn.inputs
        )
        body = {"data": [], "fn_index": load, "session_hash": "adams-page"}
        assert adam.post("/gradio_api/queue/join", json=body).status_code == 200
        assert eva.post("/gradio_api/queue/join", json=body).status_code == 403
        assert eva.get("/gradio_api/queue/data?session_hash=adams-page").status_code == 403
        assert eva.get("/gradio_api/heartbeat/adams-page").status_code == 403
        cancel = {"session_hash": "adams-page", "fn_index": load, "event_id": "x"}
        assert eva.post("/gradio_api/cancel", json=cancel).status_code == 403
