"""What a start, and every command, says about a database that is not whole; and commands that are cut off: one line, no trace."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from annotator.people.accounts import Accounts
from annotator.project import open_project, problems_of
from annotator.settings import Settings
from storage.backup import back_up
from storage.records import EvidenceError, Role
from tests.disks import fill, may_mount, small_disk

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def evidence(*arguments: str | Path, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "annotator.cli", *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with an account and a backup, closed."""
    folder = tmp_path_factory.mktemp("whole")
    project = open_project(Settings(data_dir=folder))
    Accounts(project.store).add("eva", Role.ADMIN, "correct horse battery")
    back_up(project.store, folder / "backups")
    project.store.close()
    with contextlib.closing(sqlite3.connect(folder / "evidence.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return folder


@pytest.fixture
def broken(whole: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    database = folder / "evidence.db"
    content = database.read_bytes()
    changed = {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "overwritten": b"\xa5" * len(content),
        "damaged inside": content[:8192] + b"\xa5" * (len(content) - 8192),
    }
    if request.param == "gone":
        for left in folder.glob("evidence.db*"):
            left.unlink()
    else:
        database.write_bytes(changed[request.param])
    return folder


KINDS = ["empty", "cut", "overwritten", "damaged inside", "gone"]


@pytest.mark.parametrize("broken", KINDS, indirect=True)
def test_a_database_that_is_not_whole_is_refused_by_the_app_with_the_way_back_and_never_called_whole(
    broken: Path,
) -> None:
    for command in (["serve", "--port", "0"], ["check"]):
        ended = evidence(*command, "--data-dir", broken)
        assert ended.returncode == 1, ended.stderr
        assert "Traceback" not in ended.stderr
        assert ("evidence restore" in ended.stderr) or command == ["check"]
        assert "Everything is whole" not in ended.stderr


@pytest.mark.parametrize("broken", ["damaged inside", "gone"], indirect=True)
def test_no_command_takes_it_for_a_project_and_the_newest_backup_comes_back(broken: Path) -> None:
    ended = evidence("users", "add", "tom", "--password-stdin", "--data-dir", broken, given="correct horse battery\n")
    assert (ended.returncode, "evidence restore" in ended.stderr) == (1, True), ended.stderr
    newest = max((broken / "backups").glob("*.db"))
    back = evidence("restore", newest, "--data-dir", broken, "--overwrite")
    assert back.returncode == 0, back.stderr
    assert '"eva"' in evidence("users", "list", "--data-dir", broken).stdout


def test_bits_that_flipped_anywhere_end_in_one_line_or_do_no_harm(whole: Path, tmp_path: Path) -> None:
    """In the pages that SQLite checks and in the texts inside them, which only this program can read."""
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    content = (folder / "evidence.db").read_bytes()
    chance, refused = random.Random(5), 0
    for _ in range(30):
        damaged = bytearray(content)
        for _ in range(chance.choice((1, 8, 40))):
            damaged[chance.randrange(100, len(damaged))] ^= 1 << chance.randrange(8)
        for left in folder.glob("evidence.db*"):
            left.unlink()
        (folder / "evidence.db").write_bytes(damaged)
        try:
            project = open_project(Settings(data_dir=folder))
            refused += bool(problems_of(project))
            project.store.close()
        except EvidenceError:
            refused += 1
    assert refused > 10


def test_an_empty_database_is_brought_back_from_the_place_of_snapshots(whole: Path, tmp_path: Path) -> None:
    folder, place = tmp_path / "data", tmp_path / "place"
    shutil.copytree(whole, folder)
    assert evidence("backup", "--to", place, "--data-dir", folder).returncode == 0
    (folder / "evidence.db").write_bytes(b"")
    for left in folder.glob("evidence.db-*"):
        left.unlink()
    project = open_project(Settings(data_dir=folder, snapshot_to=str(place)))
    assert "eva" in {r.name for r in project.store.reviewers()}
    project.store.close()
    (tmp_path / "nothing").mkdir()
    (folder / "evidence.db").write_bytes(b"")
    shutil.rmtree(folder / "backups")
    refused = evidence("serve", "--port", "0", "--data-dir", folder, EVIDENCE_SNAPSHOT_TO=str(tmp_path / "nothing"))
    assert (refused.returncode, "is missing" in refused.stderr) == (1, True)


def test_check_warns_of_what_others_can_read(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    folder.chmod(0o700)
    assert evidence("check", "--data-dir", folder).returncode == 0
    folder.chmod(0o755)
    (folder / "evidence.db").chmod(0o644)
    ended = evidence("check", "--data-dir", folder)
    assert ended.returncode == 1
    assert f"chmod go= {folder}" in ended.stderr


def test_a_new_project_is_for_its_owner_only(tmp_path: Path) -> None:
    evidence(
        "users", "add", "tom", "--password-stdin", "--data-dir", tmp_path / "data", given="correct horse battery\n"
    )
    assert {oct(p.stat().st_mode & 0o777) for p in (tmp_path / "data").glob("evidence.db*")} == {"0o600"}
    assert oct((tmp_path / "data").stat().st_mode & 0o777) == "0o700"


def test_a_password_that_nobody_can_be_asked_for_is_one_line(tmp_path: Path) -> None:
    ended = evidence("users", "add", "tom", "--data-dir", tmp_path / "data", given="correct horse battery\n")
    assert ended.returncode == 2
    assert "--password-stdin" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_admin_unlocks_a_name_from_the_command_line(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    store = open_project(Settings(data_dir=folder)).store
    for _ in range(5):
        Accounts(store).throttle.take("eva", address="203.0.113.9")
    store.close()
    assert '"forgotten": 2' in evidence("users", "unlock", "eva", "--data-dir", folder).stdout
    assert evidence("users", "unlock", "nobody", "--data-dir", folder).returncode == 1


@may_mount
def test_on_a_full_disk_a_command_says_so_in_one_line(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        assert evidence("users", "list", "--data-dir", disk / "data").returncode == 1
        added = evidence(
            "users", "add", "a", "--password-stdin", "--data-dir", disk / "data", given="correct horse battery\n"
        )
        assert added.returncode == 0, added.stderr
        fill(disk)
        ended = [
            evidence(
                "users",
                "add",
                f"b{n}",
                "--password-stdin",
                "--data-dir",
                disk / "data",
                given="correct horse battery\n",
            )
            for n in range(2)
        ]
        assert {e.returncode for e in ended} == {1}
        assert all("Traceback" not in e.stderr and "disk is full" in e.stderr for e in ended), ended


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl+C", "killed"])
def test_an_import_that_is_cut_off_leaves_nothing_and_no_trace(tmp_path: Path, number: signal.Signals) -> None:
    rows = tmp_path / "rows.jsonl"
    with rows.open("w") as file:
        for n in range(60_000):
            file.write(f'{{"post_id": "p{n}", "text": "I cannot sleep, night {n}."}}\n')
    folder = tmp_path / "data"
    command = [sys.executable, "-m", "annotator.cli", "import", str(rows), "--data-dir", str(folder)]
    running = subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while running.poll() is None and not any(folder.glob(".import-*")):
        pass
    assert running.poll() is None, "the import was over too soon"
    running.send_signal(number)
    _, said = running.communicate(timeout=300)
    assert "Traceback" not in said
    assert running.returncode == (130 if number is signal.SIGINT else -signal.SIGKILL)
    project = open_project(Settings(data_dir=folder))
    assert project.store.count_posts() == 0
    project.store.close()
    assert list(folder.glob(".import-*")) == []
