"""Processes that save until they are killed, and what is there afterwards of every save that they were told is stored."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from storage.store import Store

ROOT = Path(__file__).resolve().parents[2]
SAVERS = """
import os, sys
from pathlib import Path
from storage.records import Annotation, Verdict
from storage.store import open_store


def tell(word, number):
    os.write(1, f"{word} {number}\\n".encode())  # in one piece: who is killed leaves no half of a line


def save_until_killed(name):
    store = open_store(Path(sys.argv[1]))
    tell("pid", os.getpid())
    number = 0
    while True:
        before = store.annotations_of(sys.argv[2], "ana").get("SLEEP_ISSUES")
        annotation = Annotation(sys.argv[2], "SLEEP_ISSUES", "ana", Verdict.NO_EVIDENCE, op_id=f"{name}-{number}")
        saved = store.add_annotation(annotation, expected_revision=before.revision if before else 0)
        tell("saved", saved.revision)
        number += 1


for name in range(int(sys.argv[3])):
    child = os.fork()
    if child == 0:
        save_until_killed(name)
    os.waitpid(child, 0)
    tell("gone", 0)
"""


@dataclass(frozen=True)
class Killed:
    """How many processes were killed, how many saves they had been told of, and how many of these are missing."""

    kills: int
    acknowledged: int
    lost: int


def kill_savers(store: Store, post_id: str, *, kills: int, saves: int = 5) -> Killed:
    """Kill processes that save answers to the post, each after one to `saves` saves; look after each kill, and at the whole."""
    command = [sys.executable, "-c", SAVERS, str(store.path.parent), post_id, str(kills)]
    acknowledged = gone = told = pid = lost = seen = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as savers:
        assert savers.stdout is not None
        for line in savers.stdout:
            word, number = line.split()
            if word == "pid":
                pid, told = int(number), 0
            elif word == "saved":
                acknowledged, told, seen = int(number), told + 1, seen + 1
                if told == 1 + gone % saves:
                    os.kill(pid, signal.SIGKILL)
            else:
                gone += 1
                stored = store.annotations_of(post_id, "ana")["SLEEP_ISSUES"].revision
                lost += max(0, acknowledged - stored)
    assert savers.returncode == 0
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    revisions = [a.revision for a in store.history(post_id)]
    assert revisions == list(range(len(revisions), 0, -1))
    return Killed(gone, seen, lost)
