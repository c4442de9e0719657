"""Model versions to and from the Hub: private, whole, and nothing taken in that would not be taken from elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from annotator.hub.client import Hub, HubPublic, HubRefused, Retry
from annotator.models.bundled import BUNDLED_PATH
from annotator.models.hub_versions import leaving, pull_version, push_version
from annotator.models.registry import MADE_BY, NotPossible
from annotator.project import Project, open_project
from annotator.settings import Settings
from encoder.errors import ModelUnusable
from encoder.network.bases import NOTICE_FILE, notice
from storage.records import ModelVersion
from tests.annotator.model_directories import a_version
from tests.hub.standin import StandIn

ROOT = Path(__file__).resolve().parents[2]
FAST = Retry(first_wait_seconds=0.01)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    opened = open_project(Settings(data_dir=tmp_path / "project", empty=True, device="cpu"))
    yield opened
    opened.store.close()


@pytest.fixture
def version(project: Project) -> ModelVersion:
    """A version of the project that really loads."""
    return a_version(project.store, project.settings)


def pushed(project: Project, version: ModelVersion, name: str = "ana/evidence", **more: object) -> dict[str, object]:
    hub = Hub(retry=FAST)
    return asdict(push_version(project.store, project.settings, version.id, name, hub=hub, **more))  # type: ignore[arg-type]


def pulled(project: Project, name: str = "ana/evidence") -> ModelVersion:
    me = project.store.reviewer("local")
    return pull_version(project.store, project.settings, name, by=me, hub=Hub(retry=FAST))


def test_a_version_goes_up_private_with_its_card_and_without_leftovers(
    on_the_hub: StandIn, project: Project, version: ModelVersion
) -> None:
    directory = project.settings.models_dir / version.path
    (directory / MADE_BY).write_text("{}", "utf-8")
    (directory / "optimizer.pt").write_bytes(b"pickled")
    (directory / NOTICE_FILE).write_text(notice("trained further."), "utf-8")
    done = pushed(project, version)
    repo = on_the_hub.repo("model", "ana/evidence")
    assert repo.private
    assert (done["created"], done["url"]) == (True, f"{on_the_hub.endpoint}/ana/evidence")
    weights = [name for name in repo.files if name.endswith(".safetensors")]
    assert weights
    assert {Path(n).suffix for n in repo.files} <= {".json", ".safetensors", ".md", ".model", ".jinja", ".txt"}
    assert MADE_BY not in repo.files
    card = repo.files["README.md"].decode()
    assert card.startswith("---\nlibrary_name: evidence-annotator\n")
    assert "Not a medical device" in card
    assert "license: gemma" in card
    assert "Gemma Terms of Use" in card


def test_pushing_the_same_version_again_changes_nothing(
    on_the_hub: StandIn, project: Project, version: ModelVersion
) -> None:
    first, again = pushed(project, version), pushed(project, version)
    assert (first["changed"], again["changed"], again["created"]) == (True, False, False)
    assert first["commit"] == again["commit"]


def test_a_pushed_version_comes_back_the_same_and_out_of_service(
    on_the_hub: StandIn, project: Project, version: ModelVersion
) -> None:
    pushed(project, version)
    active = project.store.active_model()
    back = pulled(project)
    assert back.id != version.id
    assert f"{on_the_hub.endpoint}/ana/evidence" in back.note
    assert project.store.active_model() == active
    models = project.settings.models_dir
    for path in sorted((models / version.path).glob("*.safetensors")):
        assert (models / back.path / path.name).read_bytes() == path.read_bytes()


def test_what_would_leave_is_said_before_it_does(on_the_hub: StandIn, project: Project, version: ModelVersion) -> None:
    words = leaving(project.store, project.settings, version.id, "ana/evidence")
    assert f"{on_the_hub.endpoint}/ana/evidence (private" in words
    assert "PUBLIC" in leaving(project.store, project.settings, version.id, "ana/evidence", private=False)
    assert on_the_hub.calls == []


def test_a_public_repository_is_not_filled_with_what_was_to_stay_private(
    on_the_hub: StandIn, project: Project, version: ModelVersion
) -> None:
    repo = on_the_hub.add("model", "ana/evidence")
    with pytest.raises(HubPublic, match="Nothing was sent"):
        pushed(project, version)
    assert repo.files == {}
    assert pushed(project, version, private=False)["changed"]


def test_the_bundled_model_is_not_pushed(on_the_hub: StandIn, project: Project) -> None:
    project.store.add_model(ModelVersion(id="b", path=BUNDLED_PATH))
    with pytest.raises(NotPossible):
        push_version(project.store, project.settings, "b", "ana/evidence")


# --- refused


def nothing_kept(project: Project, before: int) -> None:
    assert len(project.store.models()) == before
    names = [p.name for p in project.settings.models_dir.iterdir()]
    assert [n for n in names if n.startswith((".pull", ".push", ".import"))] == []


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        ("pickles", HubRefused, "pickled ones \\(pytorch_model.bin\\)"),
        ("cut", Exception, "cut off|not a safetensors"),
        ("raw", ModelUnusable, "evidence_config|without evidence heads|config"),
        ("empty", HubRefused, "none at all"),
    ],
)
def test_a_repository_that_would_be_refused_from_elsewhere_is_refused_from_the_hub(
    on_the_hub: StandIn, project: Project, version: ModelVersion, spoil: str, error: type[Exception], words: str
) -> None:
    pushed(project, version)
    repo = on_the_hub.repo("model", "ana/evidence")
    files = dict(repo.head.files)
    weights = next(n for n in files if n.endswith(".safetensors"))
    if spoil in ("pickles", "empty"):
        files = {n: f for n, f in files.items() if not n.endswith(".safetensors")}
    repo.commit(files, "spoiled")
    if spoil == "pickles":
        repo.put({"pytorch_model.bin": b"\x80\x04."})
    if spoil == "cut":
        repo.put({weights: repo.files[weights][:-10]})
    if spoil == "raw":
        files.pop("evidence_config.json")
        repo.commit(files, "raw")
    before = len(project.store.models())
    with pytest.raises(error, match=words):
        pulled(project)
    nothing_kept(project, before)


def test_a_repositorys_own_code_is_not_even_downloaded(
    on_the_hub: StandIn, project: Project, version: ModelVersion
) -> None:
    pushed(project, version)
    on_the_hub.repo("model", "ana/evidence").put({"modeling.py": "raise SystemExit('run')"})
    back = pulled(project)
    assert not (project.settings.models_dir / back.path / "modeling.py").exists()
    assert on_the_hub.count("GET", "modeling.py") == 0


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/api/models/ana/evidence/tree", 404, "no model at"),
        ("GET", "/api/models/ana/evidence/tree", 403, "does not allow"),
        ("GET", "/api/models/ana/evidence/revision", 429, "slow down"),
    ],
)
def test_a_pull_that_the_hub_refuses_keeps_nothing(
    on_the_hub: StandIn, project: Project, version: ModelVersion, method: str, path: str, status: int, words: str
) -> None:
    pushed(project, version)
    before = len(project.store.models())
    on_the_hub.fail(method, path, status, times=9, Retry_After="900")
    if status == 429:  # the client waits by itself as long as it is asked to where it lists files
        on_the_hub.fail("HEAD", "resolve", 429, times=99, Retry_After="900")
    with pytest.raises(HubRefused, match=words):
        pulled(project)
    nothing_kept(project, before)


def test_a_pull_without_a_network_does_not_wait_for_the_clients_own_retries(
    on_the_hub: StandIn, project: Project, version: ModelVersion
) -> None:
    pushed(project, version)
    before, listed = len(project.store.models()), on_the_hub.count("GET", "/tree/")
    on_the_hub.cut("GET", "/api/models/ana/evidence", times=99)
    with pytest.raises(HubRefused, match="broke off"):
        pulled(project)
    assert on_the_hub.count("GET", "/tree/") == listed
    nothing_kept(project, before)


def test_a_gated_repository_says_what_to_do(on_the_hub: StandIn, project: Project, version: ModelVersion) -> None:
    pushed(project, version)
    on_the_hub.repo("model", "ana/evidence").gated = True
    with pytest.raises(HubRefused, match="is gated"):
        pulled(project)


def test_a_pull_whose_connection_is_cut_in_the_middle_comes_to_its_end(
    on_the_hub: StandIn, project: Project, version: ModelVersion
) -> None:
    pushed(project, version)
    on_the_hub.cut("GET", r"resolve/.*/model\.safetensors", after_bytes=100)
    on_the_hub.cut("GET", "/api/models/ana/evidence/revision")
    assert pulled(project).status is version.status


def test_a_push_without_a_login_says_how_to_log_in(
    on_the_hub: StandIn, project: Project, version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubRefused, match="hf auth login"):
        pushed(project, version)
    assert on_the_hub.calls == []


# --- the commands


def command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "annotator.cli", "models", *arguments]
    return subprocess.run(
        line, capture_output=True, text=True, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False
    )


@pytest.mark.slow
def test_the_commands_push_and_pull_and_ask_before_anything_leaves(
    hub: StandIn, hub_environment: dict[str, str], project: Project, version: ModelVersion
) -> None:
    where = ("--data-dir", str(project.settings.data_dir))
    unasked = command(hub_environment, "push", version.id, "ana/evidence", *where)
    assert unasked.returncode == 2
    assert "(private" in unasked.stderr
    assert ("model", "ana/evidence") not in hub.repos
    done = command(hub_environment, "push", version.id, "ana/evidence", "--yes", *where)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["created"]
    back = command(hub_environment, "pull", "ana/evidence", *where)
    assert back.returncode == 0, back.stderr
    assert json.loads(back.stdout)["id"] in {m.id for m in project.store.models()}
