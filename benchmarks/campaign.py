"""The attacks and faults of `tests/security` and `tests/faults` at length, against the running app: one table of counts.

    python -m benchmarks.campaign [--only strangers,messages,...] [--factor 1.0]

Wrong, in every line, is what must not be: an answer to a stranger, a trace, post text in a log, a script that ran, an acknowledged
save that is gone, half a project brought back. --factor: how much of each.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks import import_fuzz
from storage.store import open_store
from tests.annotator.snapshot_project import KEY, a_project, at, begun_again, decide, lose
from tests.builders import a_post
from tests.faults.killing import kill_savers
from tests.security import fuzzing, payloads
from tests.security.people import Guarded, guarded

OPEN = frozenset({"/login", "/healthz"})
CLOSED = frozenset({303, 401, 403, 404, 405, 411, 413, 415, 421, 429})
DISGUISES: tuple[dict[str, str], ...] = (
    {"accept": "application/json"},
    {"accept": "text/html"},
    {"accept": "application/json", "cookie": "evidence_session=" + "a" * 43},
    {"accept": "application/json", "authorization": "Bearer evidence_" + "a" * 43},
    {
        "accept": "application/json",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-host": "localhost",
        "x-real-ip": "127.0.0.1",
    },
)
TABS = ("posts", "adjudicate", "try", "data", "retrain", "overview", "guidelines", "team", "agreement", "people")
CUTS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.99)


@dataclass
class Line:
    """One line of the table."""

    what: str
    tried: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def note(self, outcome: str) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + 1

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {count:,}" for name, count in sorted(self.counts.items()))
        return f"| {self.what} | {self.tried:,} | {counts} | {len(self.wrong)} | {self.seconds:.0f} s |"


def strangers(site: Guarded, factor: float) -> Line:
    """Every route without a session, in several disguises."""
    line = Line("requests without a session")
    disguises = DISGUISES[: max(1, round(len(DISGUISES) * factor))]
    with site.client(None) as stranger:
        for (method, path), headers in itertools.product(site.routes(), disguises):
            if path in OPEN:
                continue
            answer = stranger.request(method, path, json={}, headers=headers)
            line.tried += 1
            line.note(str(answer.status_code))
            if answer.status_code not in CLOSED or fuzzing.SECRET in answer.text:
                line.wrong.append(f"{method} {path}: {answer.status_code}")
    return line


def messages(site: Guarded, factor: float) -> Line:
    """Messages of another form to everything that pages ask for, from each role."""
    line, chance = Line("messages of another form, by role"), random.Random(1)
    for name in site.cookies:
        with site.client(name) as client:
            _add(line, fuzzing.ask_wrongly(client, chance, round(3000 * factor)))
    return line


def calls(site: Guarded, factor: float) -> Line:
    """Listeners of the pages with random arguments, from each role."""
    line, chance = Line("calls of listeners with random arguments, by role"), random.Random(2)
    for name in site.cookies:
        with site.client(name) as client:
            _add(line, fuzzing.call_wrongly(site, client, chance, round(600 * factor)))
    return line


def _add(line: Line, came: dict[str, int]) -> None:
    known = ("accepted", "refused", "done", "error")
    for outcome, count in came.items():
        line.tried += count
        word = outcome.split()[0]
        if word in known:
            line.counts[word] = line.counts.get(word, 0) + count
        else:
            line.wrong += [outcome] * count


def scripts(factor: float) -> Line:
    """Payloads in every text of a project, through every page."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import Pages, running_app
    from tests.browsers import Chromium, browser_path

    line = Line(f"pages opened on {len(payloads.PAYLOADS)} payloads in every text")
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(open_store(Path(folder))) as store,
        sync_playwright() as playwright,
    ):
        ids = payloads.fill_with(store)
        browser = Chromium(playwright, str(browser_path()))
        with running_app(Path(folder)) as url:
            pages = Pages(browser, url)
            page = pages.open("/")
            page.set_default_timeout(120_000)
            addresses = [f"/?post={quote(i, safe='')}" for i in ids[:: max(1, round(1 / factor))]] + [
                f"/?tab={t}" for t in TABS
            ]
            for address in addresses:
                page.goto(url + address)
                page.wait_for_function("window.evidenceOpened === true")
                page.wait_for_timeout(500)
                line.tried += 1
                found = page.evaluate(payloads.HARM)
                line.note("safe" if found == payloads.SAFE else "harmed")
                line.wrong += [] if found == payloads.SAFE else [f"{address}: {found}"]
            line.wrong += pages.problems
            pages.close()
        browser.close()
    return line


def kills(factor: float) -> Line:
    """SIGKILL of processes that save."""
    line = Line("processes killed while saving")
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(open_store(Path(folder))) as store:
        store.save_criteria([c for c in import_fuzz.CRITERIA if c.id == "SLEEP_ISSUES"])
        store.ensure_reviewer("ana")
        store.add_posts([a_post(fuzzing.POST, id="p1")])
        killed = kill_savers(store, "p1", kills=round(200 * factor), saves=60)
    line.tried, line.counts = killed.kills, {"saves acknowledged": killed.acknowledged}
    line.wrong = ["an acknowledged save is gone"] * killed.lost
    return line


def imports(factor: float) -> Line:
    """Mutated files of every format."""
    line = Line("mutated files imported, of every format")
    found = import_fuzz.starts()
    for name, start in found.items():
        with tempfile.TemporaryDirectory() as folder:
            tally = import_fuzz.fuzz(name, start, max(1, round(4800 * factor / len(found))), Path(folder), seconds=30.0)
        line.tried += tally.files
        line.counts = {
            "taken": line.counts.get("taken", 0) + tally.taken,
            "refused": line.counts.get("refused", 0) + tally.refused,
        }
        line.wrong += [f"{name} {number}: {words}" for number, words in tally.wrong]
    return line


def snapshots(factor: float) -> Line:
    """Each file of the newest of two snapshots cut at several places: the start brings back a whole project, or refuses."""
    line = Line("snapshots cut, plain and encrypted")
    for key, share in itertools.product((None, KEY), CUTS[:: max(1, round(1 / factor))]):
        number = 0
        while _cut_and_begin(line, key, share, number):
            number += 1
    return line


def _cut_and_begin(line: Line, key: str | None, share: float, number: int) -> bool:
    """Whether there was a file of that number to cut."""
    from storage.records import EvidenceError

    with tempfile.TemporaryDirectory() as folder, _environment("EVIDENCE_SNAPSHOT_KEY", key):
        place = Path(folder) / "place"
        project = a_project(Path(folder) / "data")
        at(place, project, key=key).write(project.store, reason="first", keep=3)
        before = {path for path in place.rglob("*") if path.is_file()}
        decide(project, 2)
        at(place, project, key=key).write(project.store, reason="second", keep=3)
        files = sorted(path for path in place.rglob("*") if path.is_file() and path not in before)
        if number >= len(files):
            project.store.close()
            return False
        os.truncate(files[number], int(files[number].stat().st_size * share))
        lose(project)
        line.tried += 1
        try:
            again = begun_again(project, place)
        except EvidenceError:
            line.note("refused")
            return True
        there = sorted(a.post_id for a in again.store.iter_annotations())
        again.store.close()
        line.note({1: "the one before it", 2: "the newest"}.get(len(there), "half"))
        if there not in (["p1"], ["p1", "p2"]):
            line.wrong.append(f"{files[number].name} cut at {share}: {there}")
    return True


@contextlib.contextmanager
def _environment(name: str, value: str | None) -> Iterator[None]:
    before = os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


class Printed(logging.Handler):
    """What the app logs while it is attacked: traces, and post text, are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(("httpx", "annotator.hub.client")):  # which names the repository that somebody typed
            return
        if record.exc_info or fuzzing.SECRET in record.getMessage():
            self.wrong.append(f"log: {record.name} {record.getMessage()[:100]}")


def attacked(parts: list[Callable[[Guarded, float], Line]], factor: float) -> Iterator[Line]:
    """The parts that need an app with people, on one app; its log is looked at, and what Gradio prints."""
    printed, log = io.StringIO(), Printed()
    logging.getLogger().addHandler(log)
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stderr(printed),
        guarded(Path(folder) / "data") as site,
    ):
        fuzzing.prepare(site)
        for part in parts:
            line = timed(lambda part=part: part(site, factor))  # type: ignore[misc]
            line.wrong += log.wrong
            log.wrong = []
            line.wrong += ["a trace was printed"] * printed.getvalue().count("Traceback")
            line.wrong += ["post text was printed"] * printed.getvalue().count(fuzzing.SECRET)
            printed.seek(0)
            printed.truncate()
            yield line
    logging.getLogger().removeHandler(log)


def timed(work: Callable[[], Line]) -> Line:
    began = time.monotonic()
    line = work()
    line.seconds = time.monotonic() - began
    return line


ON_AN_APP: dict[str, Any] = {"strangers": strangers, "messages": messages, "calls": calls}
ALONE: dict[str, Any] = {"kills": kills, "imports": imports, "snapshots": snapshots, "scripts": scripts}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join([*ON_AN_APP, *ALONE]), help="parts, comma-separated")
    parser.add_argument("--factor", type=float, default=1.0)
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    wrong = 0
    print("| what | tried | came out | wrong | took |\n|---|---|---|---|---|", flush=True)
    on_app = attacked([ON_AN_APP[name] for name in ON_AN_APP if name in wanted], arguments.factor)
    alone = (timed(lambda name=name: ALONE[name](arguments.factor)) for name in ALONE if name in wanted)  # type: ignore[misc]
    for line in itertools.chain(on_app if set(wanted) & set(ON_AN_APP) else (), alone):
        print(line, flush=True)
        for words in line.wrong[:10]:
            print(f"    {words}", file=sys.stdout, flush=True)
        wrong += len(line.wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # threads of the app that were left running end here
