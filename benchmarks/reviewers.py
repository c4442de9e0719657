"""Many reviewers at once: each asks for the next post and saves a decision, again and again, over HTTP as the page does.

`python -m benchmarks.reviewers --data-dir DIR [--people 30] [--seconds 30] [--order random]`

DIR is a project of `benchmarks.scale_project`; it is copied first. The app runs in a process of its own. Prints next and save in
milliseconds (p50, p95, worst), pairs a second, the processor time of the app per pair (which other work on the machine hardly
changes), how long the health check took meanwhile, what the first page weighs, and the app's memory.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotator.people.accounts import Accounts
from annotator.server import free_port
from benchmarks.scale_project import project
from benchmarks.space_load import becomes_ready, peak_mebibytes
from storage.records import Role

ROOT = Path(__file__).resolve().parent.parent
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Load:
    """Seconds of each call."""

    next: list[float] = field(default_factory=list)
    save: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Person:
    """One reviewer's browser: a connection that stays open, a session, and the name that the page says."""

    def __init__(self, port: int, name: str, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"cookie": f"evidence_session={token}", "content-type": "application/json"}
        self._headers |= {"x-evidence-person": urllib.parse.quote(name), "sec-fetch-site": "same-origin"}

    def get(self, path: str) -> tuple[int, bytes]:
        self._connection.request("GET", path, headers={**self._headers, "accept-encoding": "gzip, br"})
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def ask(self, name: str, message: dict[str, Any]) -> dict[str, Any]:
        self._connection.request("POST", f"/ask/{name}", json.dumps(message), self._headers)
        answer = self._connection.getresponse()
        found = json.loads(answer.read())
        if answer.status != 200 or not found["ok"]:
            raise RuntimeError(f"{name}: {answer.status} {found.get('error')}")
        return dict(found)


def review(person: Person, order: str, until: float, load: Load) -> None:
    """Next and save until the time is over: one decision on each post, which is then put off as done by being passed over."""
    opened, seen = None, []
    try:
        while time.monotonic() < until:
            began = time.perf_counter()
            message = {"filter": {"order": order}, "next": True, "exclude": seen[-50:], "opened": opened}
            item = person.ask("review_item", message)["item"]
            load.next.append(time.perf_counter() - began)
            if item is None:
                return
            opened = item["post"]["id"]
            seen.append(opened)
            criterion = item["criteria"][0]
            began = time.perf_counter()
            results = person.ask("review_save", {"decisions": [a_decision(opened, criterion)]})["results"]
            load.save.append(time.perf_counter() - began)
            if not results[0]["ok"]:
                raise RuntimeError(str(results[0]))
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        load.errors.append(f"{type(error).__name__}: {error}")


def a_decision(post_id: str, criterion: dict[str, Any]) -> dict[str, Any]:
    return {
        "post_id": post_id,
        "criterion_id": criterion["id"],
        "criterion_version": criterion["version"],
        "verdict": "no_evidence",
        "spans": [],
        "rejected": criterion["undecided"],
        "undecided": [],
        "model_version": criterion["model_version"],
        "expected_revision": criterion["revision"],
        "op_id": uuid.uuid4().hex,
        "seconds": 4.0,
    }


def watch(port: int, until: float, load: Load) -> None:
    while time.monotonic() < until:
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/healthz")
        if connection.getresponse().status != 200:
            load.errors.append("health check")
        connection.close()
        load.health.append(time.perf_counter() - began)
        time.sleep(0.25)


@contextlib.contextmanager
def serving(data_dir: Path) -> Iterator[tuple[int, int]]:
    """(port, process id) of the app on the project."""
    port = free_port("127.0.0.1")
    command = [
        sys.executable,
        "app.py",
        "--data-dir",
        str(data_dir),
        "--port",
        str(port),
        "--threads",
        "1",
        "--first-model",
        "bundled",
    ]
    with subprocess.Popen([*command, "--log-level", "warning"], cwd=ROOT) as app:
        try:
            if not becomes_ready(app, f"http://127.0.0.1:{port}"):
                raise SystemExit("The app did not come up.")
            yield port, app.pid
        finally:
            app.terminate()
            app.wait(60)


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def figures(seconds: Sequence[float]) -> str:
    if len(seconds) < 20:
        return f"{len(seconds)} calls"
    middle, cut, worst = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1], max(seconds)
    return f"{1000 * middle:.1f}, p95 {1000 * cut:.1f}, worst {1000 * worst:.0f}"


def measure(port: int, pid: int, people: list[Person], given: argparse.Namespace) -> list[tuple[str, str]]:
    load, until = Load(), time.monotonic() + given.seconds
    threads = [threading.Thread(target=review, args=(p, given.order, until, load)) for p in people]
    threads.append(threading.Thread(target=watch, args=(port, until, load)))
    before, began = processor_seconds(pid), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, used = time.monotonic() - began, processor_seconds(pid) - before
    pairs = max(1, len(load.save))
    return [
        ("next and save, pairs a second", f"{pairs / took:.0f}"),
        ("processor time of the app per pair, ms", f"{1000 * used / pairs:.2f}"),
        ("next, ms", figures(load.next)),
        ("save, ms", figures(load.save)),
        ("health check, ms", figures(load.health)),
        ("errors", f"{len(load.errors)} {load.errors[0] if load.errors else ''}"),
    ]


def page_rows(person: Person) -> list[tuple[str, str]]:
    rows = []
    for name in ("first", "second"):
        began = time.perf_counter()
        status, body = person.get("/")
        took = 1000 * (time.perf_counter() - began)
        rows.append((f"{name} page", f"{status}, {len(body) / 1000:.0f} KB, {took:.0f} ms"))
    with contextlib.suppress(OSError):
        rows.append(("page, plain", f"{len(gzip.decompress(body)) / 1000:.0f} KB"))
    began = time.perf_counter()
    person.ask("review_start", {})
    return [*rows, ("opening Review", f"{1000 * (time.perf_counter() - began):.0f} ms")]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--order", default="random")
    parser.add_argument("--in-place", action="store_true", help="do not copy the project first: it is changed")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=given.data_dir.parent) as folder:
        data = given.data_dir if given.in_place else Path(folder) / "copy"
        if not given.in_place:
            shutil.copytree(given.data_dir, data)
        store = project(data)
        accounts = Accounts(store)
        names = [f"reviewer{n}" for n in range(given.people)]
        for name in names:
            store.ensure_reviewer(name, Role.REVIEWER)
        if not store.has_accounts():
            accounts.add("admin", Role.ADMIN, uuid.uuid4().hex)
        tokens = {name: accounts.open_session(name) for name in names}
        load = os.getloadavg()[0]
        with serving(data) as (port, pid):
            people = [Person(port, name, tokens[name]) for name in names]
            rows = [*page_rows(people[0]), *measure(port, pid, people, given)]
            rows.append(("peak memory of the app, MB", f"{peak_mebibytes(pid) or 0:.0f}"))
        posts = store.count_posts()
    print(f"| {posts:,} posts, {given.people} people, {given.order}, load {load:.1f} | |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
