"""The shell examples of the README and of docs/ run, one after the other, in a folder of their own, as a stranger would type them.

What installs packages is left out; so is what writes to the Hub or to a mounted bucket, which tests/hub and the tests of snapshots run
against a stand-in. Any other line must run here: a new kind of example has to be given its place in `KINDS`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import time
import zipfile
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import httpx
import pytest

from annotator.server import free_port
from tests.encoder.tiny import save_checkpoint
from tests.forked import Surroundings, started
from tests.test_readme import PAGES, ROOT

PATIENCE_SECONDS = 600
PASSWORD = "correct horse battery"

ELSEWHERE = {
    "installs": r"pip install ",
    "the API, in tests/annotator/web/test_api_live.py": r"TOKEN=|curl ",
    "what asks first, in tests/annotator/commands/test_posts.py": r"evidence posts withdraw ",
    "the Hub and buckets, in tests/hub and the tests of snapshots": r"evidence (models (push|pull)|export --push-to-hub|import hub:"
    r"|restore hf://|backup --to /mnt/|train-job )",
}


def shell_lines() -> list[str]:
    """Every line of the shell examples, the README's first; continued lines are joined."""
    blocks = re.findall(r"^```(?:bash|sh|console)\n(.*?)^```", "\n".join(PAGES.values()), re.DOTALL | re.MULTILINE)
    joined = re.sub(r"\\\n\s*", "", "".join(blocks))
    return [line.split("  #")[0].strip() for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def run_plainly(words: list[str], folder: Path) -> None:
    process = _started(words, folder, given=f"{PASSWORD}\n{PASSWORD}\n")
    process.join(PATIENCE_SECONDS)
    assert process.exitcode == 0, f"evidence {shlex.join(words)}\n{_said(folder)[-2000:]}"


def run_dry(words: list[str], folder: Path) -> None:
    run_plainly([*words, *([] if "--dry-run" in words else ["--dry-run"])], folder)


def add_person(words: list[str], folder: Path) -> None:
    run_plainly([*words, "--password-stdin"], folder)


def serve_a_while(words: list[str], folder: Path) -> None:
    """Until it answers; on the CPU where the example says cuda and there is none."""
    words = [*words, "--port", str(free_port("127.0.0.1"))]
    if "cuda" in words and not _cuda():
        words[words.index("cuda")] = "cpu"
    app = _started(words, folder)
    try:
        end = time.monotonic() + PATIENCE_SECONDS
        while app.is_alive() and time.monotonic() < end:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{words[-1]}/healthz", timeout=5).status_code == 200:
                    break
            time.sleep(0.2)
        assert app.is_alive(), _said(folder)[-2000:]
    finally:
        app.terminate()
        app.join(PATIENCE_SECONDS)
    assert app.exitcode == 0, _said(folder)[-2000:]


def _started(words: list[str], folder: Path, *, given: str = "") -> ForkServerProcess:
    return started(words, Surroundings(folder, _environment(), folder / "said.txt", given))


def _said(folder: Path) -> str:
    return (folder / "said.txt").read_text("utf-8", "replace")


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "EVIDENCE_WORKER": "0"}


KINDS: tuple[tuple[str, Callable[[list[str], Path], None]], ...] = (
    (r"evidence serve\b", serve_a_while),
    (r"evidence deploy-space\b", run_dry),
    (r"evidence users add\b", add_person),
    (r"evidence (criteria|imports?|export|predict|train|evaluate|backup|check|models add|study)\b", run_plainly),
)


def is_run_elsewhere(line: str) -> bool:
    return any(re.match(pattern, line) for pattern in ELSEWHERE.values())


def test_every_shell_line_is_run_here_or_where_it_is_said() -> None:
    lines = shell_lines()
    assert len(lines) > 20
    nowhere = [x for x in lines if not is_run_elsewhere(x) and not any(re.match(pattern, x) for pattern, _ in KINDS)]
    assert nowhere == []


def test_no_place_is_named_that_no_line_needs() -> None:
    lines = shell_lines()
    assert [p for p, _ in KINDS if not any(re.match(p, line) for line in lines)] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the examples take for granted: a criteria file, posts, corrected posts, and a Gemma checkpoint in place of the Hub's."""
    (tmp_path / "my_criteria.yaml").write_text("- {id: SLEEP_ISSUES, text: The writer cannot sleep.}\n", "utf-8")
    texts = [f"Day {n}. I cannot sleep at all. The dog is well." for n in range(12)]
    (tmp_path / "posts.csv").write_text("id,text\n" + "".join(f'p{n},"{t}"\n' for n, t in enumerate(texts)), "utf-8")
    posts = [{"post_id": f"p{n}", "text": text} for n, text in enumerate(texts)]
    (tmp_path / "posts.jsonl").write_text("".join(json.dumps(p) + "\n" for p in posts), "utf-8")
    with zipfile.ZipFile(tmp_path / "corpus.zip", "w") as archive:
        archive.write(tmp_path / "posts.csv", "corpus/posts.csv")
    save_checkpoint("gemma3", tmp_path / "google" / "gemma-3-270m")
    return tmp_path


def write_gold(folder: Path) -> None:
    """In place of the export of a project in which nobody has decided anything yet."""
    lines = []
    for line in (folder / "posts.jsonl").read_text("utf-8").splitlines():
        post = json.loads(line)
        start = post["text"].index("I cannot")
        spans = [{"start": start, "end": start + len("I cannot sleep at all.")}]
        annotations = [
            {"criterion": "SLEEP_ISSUES", "verdict": "evidence", "spans": spans},
            {"criterion": "FATIGUE", "verdict": "no_evidence", "spans": []},
        ]
        split = "dev" if post["post_id"] in ("p0", "p1", "p2") else "train"
        lines.append(json.dumps({**post, "split": split, "annotations": annotations}) + "\n")
    (folder / "gold.jsonl").write_text("".join(lines), "utf-8")


@pytest.mark.slow
def test_the_shell_examples_run_one_after_the_other(folder: Path) -> None:
    for line in shell_lines():
        if is_run_elsewhere(line):
            continue
        run = next(run for pattern, run in KINDS if re.match(pattern, line))
        run(shlex.split(line)[1:], folder)
        if line.startswith("evidence export --format gold"):
            write_gold(folder)
