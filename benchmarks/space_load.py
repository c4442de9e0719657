"""Many visitors of the public demo at once on Try it, each with a cookie and texts of their own.

`python -m benchmarks.space_load [--visitors 50] [--requests 4] [--pause 0] [--url URL]`

Starts the app as a public demo on the loopback address in a process of its own, or asks the one at `--url`. Each visitor opens the page and
then tries one text after the other, through the queue as the page does. Prints milliseconds to the page and to the highlighted text
(p50, p95, worst), errors, texts that came back to somebody else, and the app's peak memory.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 300.0
REQUEST_SECONDS = 120.0
SENTENCES = (
    "I have not slept through a night since the spring.",
    "The neighbours have painted their fence green.",
    "Nothing tastes of anything and I forget to eat.",
    "My sister is visiting on Sunday with the children.",
    "I cannot follow a page to its end.",
    "The bus was late again, so I walked.",
    "I used to sing in a choir and now I do not care.",
    "Everything I do costs more than I have.",
)


@dataclass(slots=True)
class Load:
    """What was measured. Seconds of each page and each text; `mixed_up`: texts that were not the visitor's own."""

    pages: list[float] = field(default_factory=list)
    texts: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    mixed_up: int = 0


async def visit_all(url: str, visitors: int, requests: int, *, pause: float = 0.0) -> Load:
    """All visitors at once. pause: seconds that each reads, on average, before the next text."""
    load = Load()
    await asyncio.gather(*(_visit(url, number, requests, pause, load) for number in range(visitors)))
    return load


async def _visit(url: str, number: int, requests: int, pause: float, load: Load) -> None:
    try:
        async with httpx.AsyncClient(base_url=url, timeout=REQUEST_SECONDS) as client:
            began = time.perf_counter()
            (await client.get("/", headers={"accept": "text/html"})).raise_for_status()
            config = (await client.get("/config")).raise_for_status().json()
            load.pages.append(time.perf_counter() - began)
            event, session = _highlight_event(config), secrets.token_hex(6)
            for n in range(requests):
                await asyncio.sleep(random.Random(number * 1000 + n).uniform(0, 2 * pause))
                text = _text(number, n)
                began = time.perf_counter()
                drawn = await _highlight(client, event, session, text)
                load.texts.append(time.perf_counter() - began)
                load.mixed_up += "".join(piece for piece, _ in drawn["pieces"]) != text
    except (httpx.HTTPError, RuntimeError, ValueError) as error:
        load.errors.append(f"visitor {number}: {type(error).__name__} {error}")


def _text(visitor: int, number: int) -> str:
    """About 300 words that no other visitor has."""
    chosen = random.Random(visitor * 1000 + number).choices(SENTENCES, k=34)
    return f"Visitor {visitor}, text {number}. " + " ".join(chosen)


def _highlight_event(config: dict[str, Any]) -> int:
    """The number of the event behind the page's button Highlight."""
    buttons = {c["id"] for c in config["components"] if c["type"] == "button" and c["props"]["value"] == "Highlight"}
    found = [d["id"] for d in config["dependencies"] if any(target in buttons for target, _ in d["targets"])]
    return int(found[0])


async def _highlight(client: httpx.AsyncClient, event: int, session: str, text: str) -> dict[str, Any]:
    sent = {"data": [text], "fn_index": event, "session_hash": session}
    (await client.post("/gradio_api/queue/join", json=sent)).raise_for_status()
    async with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as lines:
        async for line in lines.aiter_lines():
            message = json.loads(line[5:]) if line.startswith("data:") else {}
            if message.get("msg") == "process_completed":
                if not message["success"]:
                    raise RuntimeError(str(message["output"]))
                drawn: dict[str, Any] = message["output"]["data"][0]
                return drawn
    raise RuntimeError("the stream ended without an answer")


@contextlib.contextmanager
def demo() -> Iterator[tuple[str, int]]:
    """(address, process id) of a public demo on a project of its own."""
    from annotator.server import free_port

    port = free_port("127.0.0.1")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "app.py", "--demo", "--data-dir", folder, "--port", str(port)]
        with subprocess.Popen(command, cwd=ROOT) as app:
            try:
                if not becomes_ready(app, f"http://127.0.0.1:{port}"):
                    raise SystemExit("The app did not come up.")
                yield f"http://127.0.0.1:{port}", app.pid
            finally:
                app.terminate()
                app.wait(60)


def becomes_ready(app: subprocess.Popen[Any], url: str) -> bool:
    """Wait until the app answers and its model is loaded; False if it ends before, or START_SECONDS pass."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and app.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/healthz", timeout=5).json()["model"] == "ready":
                return True
        time.sleep(0.2)
    return False


def peak_mebibytes(pid: int) -> float | None:
    """The most memory that the process ever held; None where there is no /proc."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("utf-8"))
    except OSError:
        return None
    return int(found[1]) / 1024 if found else None


def figures(seconds: Sequence[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {"n": len(seconds)}
    milliseconds = {
        "p50": statistics.median(seconds),
        "p95": statistics.quantiles(seconds, n=20)[-1],
        "worst": max(seconds),
    }
    return {"n": len(seconds), **{name: round(value * 1000) for name, value in milliseconds.items()}}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--requests", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between a visitor's texts, on average")
    parser.add_argument("--url", help="an app that runs already; its memory is not measured")
    given = parser.parse_args(argv)
    with contextlib.nullcontext((given.url, None)) if given.url else demo() as (url, pid):
        before = os.getloadavg()[0]
        idle = peak_mebibytes(pid) if pid else None
        began = time.perf_counter()
        load = asyncio.run(visit_all(url, given.visitors, given.requests, pause=given.pause))
        report = {
            "visitors": given.visitors,
            "pause": given.pause,
            "seconds": round(time.perf_counter() - began, 1),
            "page_ms": figures(load.pages),
            "text_ms": figures(load.texts),
            "errors": load.errors,
            "mixed_up": load.mixed_up,
            "peak_mib": {"before": idle, "after": peak_mebibytes(pid) if pid else None},
            "load_before": round(before, 1),
        }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
