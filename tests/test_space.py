"""A Hugging Face Space starts as it will there: requirements.txt and nothing else, another user, a checkout that cannot be written."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from annotator.hub.space_files import FOLDERS, ROOT_FILES, front_matter
from annotator.server import free_port
from benchmarks.space_load import becomes_ready
from tests.annotator.visiting import Visit
from tests.test_hygiene import tracked

ROOT = Path(__file__).resolve().parent.parent
NOBODY = 65534
INSTALL_SECONDS = 600
MOST_BYTES = 2 * 2**30
SPACE = {"SPACE_ID": "somebody/evidence", "SPACE_HOST": "somebody-evidence.hf.space", "SYSTEM": "spaces"}


# --- what the Space is told


def test_the_spaces_gradio_is_the_one_that_is_pinned() -> None:
    """`sdk_version` is one version: the least that the range allows, which the product was written for."""
    head = front_matter(ROOT / "README.md")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    least = next(re.match(r"gradio>=([\d.]+),", r) for r in project["dependencies"] if r.startswith("gradio"))
    assert least is not None
    assert head["sdk_version"] in (least[1], f"{least[1]}.0")


def test_the_front_matter_has_what_a_space_reads() -> None:
    head = front_matter(ROOT / "README.md")
    assert (head["sdk"], head["app_file"], head["python_version"]) == ("gradio", "app.py", "3.12")
    assert head["license"] == "apache-2.0"
    assert head["tags"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert "Programming Language :: Python :: 3.12" in project["classifiers"]


def test_every_torch_that_zero_gpu_offers_is_allowed() -> None:
    from packaging.requirements import Requirement

    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    torch = next(Requirement(line) for line in lines if line.startswith("torch"))
    assert [v for v in ("2.8.0", "2.9.1", "2.10.0", "2.11.0") if v not in torch.specifier] == []


def test_the_pages_are_served_by_blocks_launch_alone() -> None:
    """ZeroGPU hooks that method; a server of our own would start without it."""
    calls = r"uvicorn\.(run|Server|Config)|mount_gradio_app\("
    sources = [
        p
        for name in (*FOLDERS, "app.py")
        for p in ([ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*.py"))
    ]
    assert [str(p) for p in sources if re.search(calls, p.read_text("utf-8"))] == []


# --- how it starts


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="space-"))
    folder.chmod(0o755)
    yield folder
    for path in [folder, *(p for p in folder.rglob("*") if p.is_dir() and not p.is_symlink())]:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def checkout(room: Path) -> Path:
    """What a Space clones: the tracked files of the product, which nobody may change."""
    target = room / "app"
    for path in tracked():
        name = path.relative_to(ROOT)
        if name.parts[0] in (*FOLDERS, *ROOT_FILES) and path.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)
    for path in [*target.rglob("*"), target]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return target


@pytest.fixture(scope="module")
def python(room: Path, checkout: Path) -> Path:
    """A fresh environment with the requirements; the project itself is not installed in it."""
    base = next(
        (p for p in (f"{sys.base_prefix}/bin/python3", "/usr/bin/python3") if _everybody_may_use(Path(p))), None
    )
    if base is None:
        pytest.skip("no Python here that another user may run")
    environment = room / "environment"
    subprocess.run([base, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-compile",  # of 15,000 modules the app loads a quarter, once
        "-r",
        checkout / "requirements.txt",
    ]
    try:
        done = subprocess.run(install, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"the packages could not be installed within {INSTALL_SECONDS} s")
    assert done.returncode == 0, done.stderr[-3000:]
    ours = [python, "-c", "from importlib.metadata import version; version('evidence-annotator')"]
    assert subprocess.run(ours, cwd=room, capture_output=True, check=False).returncode != 0
    return python


def _everybody_may_use(program: Path) -> bool:
    """Whether users other than this one can run it: each folder on the way must let them through."""
    real = program.resolve()
    return real.is_file() and all(p.stat().st_mode & stat.S_IXOTH for p in [real, *real.parents])


@contextlib.contextmanager
def as_a_space(python: Path, checkout: Path, home: Path, **more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """(the process of `python app.py`, its address), started as another user with a home of its own."""
    home.mkdir()
    home.chmod(0o777)
    port = free_port("127.0.0.1")
    environment = {**SPACE, "HOME": str(home), "PATH": os.environ["PATH"], "GRADIO_SERVER_PORT": str(port), **more}
    other = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
    log = (home.parent / f"{home.name}.log").open("w+", encoding="utf-8")
    with (
        log,
        subprocess.Popen(
            [*other, python, "app.py"], cwd=checkout, env=environment, stdout=log, stderr=log, text=True
        ) as app,
    ):
        try:
            if not becomes_ready(app, f"http://127.0.0.1:{port}"):
                pytest.fail(f"The app did not come up:\n{Path(log.name).read_text('utf-8')[-3000:]}")
            yield app, f"http://127.0.0.1:{port}"
        finally:
            app.send_signal(signal.SIGTERM)
            try:
                app.wait(60)
            finally:
                app.kill()


def peak_bytes(pid: int) -> int:
    """The most memory that the process and those it started held, each at its own peak: not less than what they held together."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    own = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    return own + sum(peak_bytes(int(child)) for child in children)


@pytest.mark.installs
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
def test_a_space_comes_up_predicts_and_stays_small(python: Path, checkout: Path, room: Path, capsys: Any) -> None:
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("setpriv is needed to run as another user")
    home = room / "home"
    with as_a_space(python, checkout, home) as (app, url):
        assert httpx.get(url, headers={"accept": "text/html"}, timeout=60).status_code == 200
        visit = Visit(url)
        drawn = visit.highlight("I cannot sleep at all lately. The dog is well.")
        by_name = {c["id"]: c for c in drawn["criteria"]}
        assert by_name["SLEEP_ISSUES"]["spans"][0]["quote"].strip() == "I cannot sleep at all lately."
        assert visit.ask("review_start")["item"] is not None
        answer = visit.client.post("/api/v1/predict", json={"text": "I cannot sleep at all lately."})
        assert answer.status_code == 200
        visit.client.close()
        peak = peak_bytes(app.pid)
        if os.geteuid() == 0:
            assert Path(f"/proc/{app.pid}").stat().st_uid == NOBODY
    with capsys.disabled():
        sys.stdout.write(f"\na Space's peak memory: {peak / 2**20:,.0f} MiB\n")
    assert app.returncode == 0
    assert peak <= MOST_BYTES
    written = {p.relative_to(home).parts[0] for p in home.rglob("*")}
    assert "evidence-data" in written
    assert "evidence-data" in (room / "home.log").read_text("utf-8")
