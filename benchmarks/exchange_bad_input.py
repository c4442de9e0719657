"""What the command line says to files that it cannot take as they are, in which memory, and what is left behind.

    python -m benchmarks.exchange_bad_input [--rows 1000000] [--gigabytes 2] [--folder DIR] [--only NAME ...]

Prints one JSON line per case: seconds, peak memory of the process, exit code, the message or the counts, and the posts in the project.
A full disk is a small file system in memory, where it may be mounted (as root on Linux); it is left out otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.exchange import a_text

BROKEN = "123456"


@dataclass
class Case:
    """One file for the command line."""

    name: str
    path: Path
    arguments: tuple[str, ...] = ()
    seen: dict[str, Any] = field(default_factory=dict)


def million_rows(path: Path, rows: int, *, words: int = 20) -> Path:
    """A table or JSON lines in which one row is broken: a quote that never closes, a line that breaks off."""
    rng = random.Random(0)
    texts = [a_text(rng, words) for _ in range(997)]
    with path.open("w", encoding="utf-8") as file:
        if path.suffix == ".csv":
            file.write("id,text\n")
        for number in range(rows):
            text = f"{number} {texts[number % 997]}"
            broken = str(number) == BROKEN or (rows <= int(BROKEN) and number == rows // 2)
            if path.suffix == ".csv":
                file.write(f'{number},"{text}\n' if broken else f'{number},"{text}"\n')
            else:
                line = json.dumps({"id": str(number), "text": text})
                file.write((line[:20] if broken else line) + "\n")
    return path


def large(path: Path, gigabytes: float) -> Path:
    rng = random.Random(1)
    texts = [a_text(rng, 700) for _ in range(499)]
    number = 0
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < gigabytes * 1e9:
            file.writelines(
                json.dumps({"id": str(n), "text": f"{n} {texts[n % 499]}"}) + "\n" for n in range(number, number + 1000)
            )
            number += 1000
    return path


def one_line(path: Path, gigabytes: float) -> Path:
    with path.open("w", encoding="utf-8") as file:
        file.write('{"id": "1", "text": "')
        for _ in range(int(gigabytes * 1000)):
            file.write("word " * 200_000)
        file.write('"}\n')
    return path


def holes(path: Path, gigabytes: float) -> Path:
    with path.open("wb") as file:
        file.truncate(int(gigabytes * 1e9))
    return path


def bomb(path: Path, gigabytes: float) -> Path:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("posts.csv", "w", force_zip64=True) as file,
    ):
        file.write(b"id,text\n1,")
        for _ in range(int(gigabytes * 1000)):
            file.write(b"0" * 1_000_000)
    return path


def workbook_bomb(path: Path, gigabytes: float) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["id", "text"])  # type: ignore[union-attr]
    book.save(path)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet2.xml", "w", force_zip64=True) as file,
    ):
        for _ in range(int(gigabytes * 1000)):
            file.write(b" " * 1_000_000)
    return path


def coded(folder: Path) -> Path:
    folder.mkdir()
    (folder / "set.py").write_text("raise SystemExit('this ran')\n")
    return folder


def cases(folder: Path, rows: int, gigabytes: float, only: list[str]) -> Iterator[Case]:
    """The cases, each file made just before it is used and removed afterwards."""
    made = {
        "million rows, CSV": lambda: (million_rows(folder / "rows.csv", rows), ()),
        "million rows, JSON Lines, dry run": lambda: (million_rows(folder / "rows.jsonl", rows), ("--dry-run",)),
        "large file, dry run": lambda: (large(folder / "large.jsonl", gigabytes), ("--dry-run",)),
        "large file on one line": lambda: (one_line(folder / "line.jsonl", gigabytes), ()),
        "large file of zeros": lambda: (holes(folder / "holes.csv", gigabytes), ()),
        "zip bomb": lambda: (bomb(folder / "bomb.zip", gigabytes), ()),
        "workbook bomb": lambda: (workbook_bomb(folder / "bomb.xlsx", gigabytes), ()),
        "wrong extension": lambda: (million_rows(folder / "rows.jsonl", 1000).rename(folder / "rows.xlsx"), ()),
        "dataset that needs its own code": lambda: (coded(folder / "set"), ("--format", "hf")),
        "file that changes while it is read": lambda: (million_rows(folder / "changing.csv", rows // 10), ()),
        "full disk": lambda: (million_rows(folder / "full.csv", rows // 4), ()),
    }
    for name, make in made.items():
        if not only or any(o in name for o in only):
            path, arguments = make()
            yield Case(name, path, arguments)
            if path.is_file():
                path.unlink()


def run(case: Case, data_dir: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "annotator.cli", "import", str(case.path), "--data-dir", str(data_dir)]
    began = time.perf_counter()
    process = subprocess.Popen([*command, *case.arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    over = threading.Event()
    if "changes" in case.name:
        threading.Thread(target=_append, args=(case.path, over), daemon=True).start()
    peak = threading.Thread(target=_watch, args=(process.pid, over, case.seen), daemon=True)
    peak.start()
    out, err = process.communicate()
    over.set()
    peak.join()
    report = json.loads(out) if process.returncode == 0 else {}
    counts = {k: report[k] for k in ("imported", "rejected_count", "rejected") if k in report}
    said = [line for line in err.strip().splitlines() if line.strip()][-1:] if process.returncode else []
    return {
        "case": case.name,
        "exit": process.returncode,
        "seconds": round(time.perf_counter() - began, 1),
        "peak_mb": case.seen.get("peak_mb"),
        **counts,
        "said": said,
    } | left_in(data_dir)


def left_in(data_dir: Path) -> dict[str, Any]:
    """Posts of a file that are in the project, hidden ones too, and folders of imports that were not removed."""
    left = sorted(p.name for p in data_dir.glob(".import-*")) if data_dir.exists() else []
    with closing(sqlite3.connect(data_dir / "evidence.db")) as db:
        rows = db.execute("SELECT count(*) FROM post WHERE source IS NOT 'demo'").fetchone()[0]
        return {"posts": rows, "imports": db.execute("SELECT count(*) FROM import").fetchone()[0], "left": left}


def _append(path: Path, over: threading.Event) -> None:
    number = 0
    while not over.wait(0.2):
        with path.open("a") as file:
            file.write(f"late{number},one more\n")
        number += 1


def _watch(pid: int, over: threading.Event, seen: dict[str, Any]) -> None:
    status = Path(f"/proc/{pid}/status")
    while not over.wait(0.1):
        try:
            lines = status.read_text().splitlines()
        except OSError:
            return
        found = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
        seen["peak_mb"] = max(seen.get("peak_mb", 0), found >> 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        for number, case in enumerate(cases(folder, arguments.rows, arguments.gigabytes, arguments.only)):
            data_dir = folder / f"data-{number}"
            data_dir.mkdir()
            full = case.name == "full disk"
            if (
                full
                and subprocess.run(
                    ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(data_dir)], check=False, capture_output=True
                ).returncode
            ):
                print(json.dumps({"case": case.name, "said": "left out: no file system can be mounted here"}))
                continue
            try:
                print(json.dumps(run(case, data_dir), ensure_ascii=False), flush=True)
            finally:
                if full:
                    subprocess.run(["umount", str(data_dir)], check=True)


if __name__ == "__main__":
    os.environ["PYTHONUNBUFFERED"] = "1"
    main()
