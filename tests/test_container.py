"""The container by its Dockerfile: what is copied suffices, it does not run as root, and it can be watched and stopped."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from annotator.settings import Settings, variable
from annotator.web.gate import OPEN_PATHS
from tests.test_hygiene import tracked

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
LINES = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()


def instructions(name: str) -> list[str]:
    return [line.removeprefix(name).strip() for line in LINES if line.startswith(f"{name} ")]


def copied() -> list[tuple[str, str]]:
    """(source in the checkout, place under the working directory)."""
    found = []
    for line in instructions("COPY"):
        *sources, target = [word for word in shlex.split(line) if not word.startswith("--")]
        found += [(s, s if target == "./" else target) for s in sources]
    return found


def ignored(name: str) -> bool:
    patterns = (ROOT / ".dockerignore").read_text("utf-8").split()
    parts = Path(name).parts
    return any(
        fnmatch(parts[0], p) or (p.startswith("**/") and any(fnmatch(part, p[3:]) for part in parts)) for p in patterns
    )


def test_what_is_copied_exists_and_holds_every_package_and_what_the_build_reads() -> None:
    sources = [source for source, _ in copied()]
    assert [s for s in sources if not (ROOT / s).exists() or ignored(s)] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = [p.removesuffix("*") for p in project["tool"]["setuptools"]["packages"]["find"]["include"]]
    wanted = {*packages, "pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    assert wanted <= set(sources)


def test_no_file_of_the_packages_stays_behind() -> None:
    folders = {source for source, _ in copied() if (ROOT / source).is_dir()}
    names = [p.relative_to(ROOT).as_posix() for p in tracked()]
    assert [n for n in names if n.split("/")[0] in folders and ignored(n)] == []


def test_neither_tests_nor_data_nor_history_reach_the_image() -> None:
    for name in ("tests/builders.py", "benchmarks/align.py", "data/evidence.db", ".git/config"):
        assert ignored(name), name
        assert name.split("/")[0] not in {source for source, _ in copied()}


@pytest.mark.slow
def test_what_is_copied_runs_without_the_rest(tmp_path: Path) -> None:
    image = tmp_path / "app"
    for source, target in copied():
        place = image / target
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / source, place)
    code = "import annotator, annotator.server, annotator.ui.layout, annotator.worker; print(annotator.__file__)"
    where = subprocess.run([sys.executable, "-c", code], cwd=image, capture_output=True, text=True, check=True)
    assert where.stdout.strip().startswith(str(image))
    (tmp_path / "posts.csv").write_text("id,text\np1,I cannot sleep.\n", "utf-8")
    for command in (["import", str(tmp_path / "posts.csv")], ["check"]):
        asked = [sys.executable, "-m", "annotator.cli", *command, "--data-dir", str(tmp_path / "data")]
        done = subprocess.run(asked, cwd=image, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_it_runs_as_a_numbered_user_who_is_not_root() -> None:
    (user,) = instructions("USER")
    assert user.isdigit()
    assert int(user) > 0
    assert f"--uid {user} " in DOCKERFILE
    assert LINES.index(f"USER {user}") < LINES.index('ENTRYPOINT ["evidence"]')


def test_it_has_one_volume_which_is_the_data_directory() -> None:
    assert instructions("VOLUME") == ["/data"]
    assert "EVIDENCE_DATA_DIR=/data" in DOCKERFILE


def test_its_health_is_asked_where_strangers_may_ask() -> None:
    (check,) = instructions("HEALTHCHECK")
    asked = re.search(r"\}(/\w+)'", check)
    assert asked is not None
    assert asked[1] in OPEN_PATHS
    assert "EVIDENCE_PORT" in check


def test_it_is_stopped_by_the_signal_that_the_app_listens_to_and_given_the_time_that_it_takes() -> None:
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    assert instructions("ENTRYPOINT") == ['["evidence"]']  # no shell in between that would swallow the signal
    given = re.search(r"--stop-timeout (\d+)", DOCKERFILE)
    assert given is not None
    assert int(given[1]) > Settings().stop_seconds


def test_its_variables_are_settings() -> None:
    known = {variable(name) for name in Settings.__dataclass_fields__}
    assert set(re.findall(r"\b(EVIDENCE_\w+)=", DOCKERFILE)) <= known


def test_there_is_a_build_for_cpu_and_one_for_cuda() -> None:
    assert "TORCH=cpu" in instructions("ARG")
    assert 'if [ "$TORCH" = cuda ]; then pip install --no-cache-dir ".[gpu]"' in DOCKERFILE
