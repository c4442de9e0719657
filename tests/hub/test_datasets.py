"""Corrected datasets to the Hub, and datasets from there by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from annotator.exchange.exporting import ExportRefused
from annotator.exchange.hub_datasets import Destination, leaving, push_to_hub
from annotator.exchange.use_cases import import_file
from annotator.hub.client import Hub, HubPublic, HubRefused, Retry
from storage.exports import ExportFilter
from storage.records import Split
from storage.store import Store, open_store
from tests.builders import SLEEP, a_post, an_annotation
from tests.hub.standin import StandIn

ROOT = Path(__file__).resolve().parents[2]
FAST = Retry(first_wait_seconds=0.01)
TABLE = "id,text\n1,I cannot sleep.\n2,The dog is well.\n"


@pytest.fixture
def reviewed(store: Store) -> Store:
    """Two posts with an answer each, in two splits."""
    one = a_post("I cannot sleep 😴. The dog is well.", id="p1")
    two = a_post("All is well.", id="p2", split=Split.TEST)
    store.add_posts([one, two])
    store.add_annotation(an_annotation(one, "cannot sleep"), expected_revision=0)
    store.add_annotation(an_annotation(two), expected_revision=0)
    return store


def pushed(store: Store, name: str = "ana/corrected", **more: object) -> dict[str, object]:
    to = Destination(name, **{key: more.pop(key) for key in ("private", "agreed") if key in more})  # type: ignore[arg-type]
    return push_to_hub(store, to, hub=Hub(retry=FAST), **more)  # type: ignore[arg-type]


def left_over(store: Store) -> list[str]:
    return [p.name for p in store.path.parent.iterdir() if p.name.startswith((".hub", ".push", ".export"))]


# --- out


def test_the_dataset_is_private_and_carries_its_card_and_manifest(on_the_hub: StandIn, reviewed: Store) -> None:
    done = pushed(reviewed, license_name="cc-by-4.0")
    repo = on_the_hub.repo("dataset", "ana/corrected")
    assert repo.private
    assert sorted(repo.files) == ["README.md", "data/test.parquet", "data/train.parquet", "manifest.json"]
    assert 'license: "cc-by-4.0"' in repo.files["README.md"].decode()
    assert (done["posts"], done["url"]) == (2, f"{on_the_hub.endpoint}/datasets/ana/corrected")
    assert left_over(reviewed) == []


@pytest.mark.slow
def test_the_datasets_library_loads_what_was_pushed(
    on_the_hub: StandIn, hub_environment: dict[str, str], reviewed: Store, tmp_path: Path
) -> None:
    pytest.importorskip("datasets")
    pushed(reviewed)
    code = (
        "import json\nfrom datasets import load_dataset\n"
        "loaded = load_dataset('ana/corrected')\n"
        "print(json.dumps({name: list(part['text']) for name, part in loaded.items()}))"
    )
    environment = {**hub_environment, "HF_DATASETS_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert rows == {"train": ["I cannot sleep 😴. The dog is well."], "test": ["All is well."]}


def test_pushing_again_replaces_the_data_and_leaves_other_files_alone(on_the_hub: StandIn, reviewed: Store) -> None:
    first = pushed(reviewed)
    assert pushed(reviewed)["commit"] == first["commit"]
    repo = on_the_hub.repo("dataset", "ana/corrected")
    repo.put({"notes.md": "of the owner"})
    pushed(reviewed, chosen=ExportFilter(splits=(Split.TRAIN,)))
    assert sorted(repo.files) == ["README.md", "data/train.parquet", "manifest.json", "notes.md"]


def test_nothing_leaves_before_it_was_agreed_to(on_the_hub: StandIn, reviewed: Store) -> None:
    seen: list[str] = []

    def refuse(manifest: object) -> bool:
        seen.append(leaving(manifest, "ana/corrected", private=True))  # type: ignore[arg-type]
        return False

    with pytest.raises(ExportRefused, match="Nothing was sent"):
        pushed(reviewed, agreed=refuse)
    assert "the full text of 2 posts, 2 answers with 1 marked passages" in seen[0]
    assert "(private" in seen[0]
    assert [c.path for c in on_the_hub.calls] == ["/api/whoami-v2"]
    assert left_over(reviewed) == []


def test_a_public_dataset_is_not_filled_with_what_was_to_stay_private(on_the_hub: StandIn, reviewed: Store) -> None:
    repo = on_the_hub.add("dataset", "ana/corrected")
    with pytest.raises(HubPublic, match="Nothing was sent"):
        pushed(reviewed)
    assert repo.files == {}


@pytest.mark.parametrize(
    ("status", "words"), [(401, "may see"), (403, "write permission"), (429, "slow down"), (500, "trouble")]
)
def test_a_push_that_the_hub_refuses_is_one_clear_line(
    on_the_hub: StandIn, reviewed: Store, status: int, words: str
) -> None:
    on_the_hub.fail("POST", "/commit/", status, times=9, **({"Retry_After": "900"} if status == 429 else {}))
    with pytest.raises(HubRefused, match=words) as caught:
        pushed(reviewed)
    assert "sleep" not in str(caught.value)
    assert left_over(reviewed) == []


def test_a_push_whose_connection_is_cut_comes_to_its_end(on_the_hub: StandIn, reviewed: Store) -> None:
    on_the_hub.cut("POST", "/commit/")
    on_the_hub.cut("PUT", "/lfs/")
    pushed(reviewed)
    assert "data/train.parquet" in on_the_hub.repo("dataset", "ana/corrected").files


# --- in


def test_a_dataset_is_imported_by_its_name(on_the_hub: StandIn, store: Store) -> None:
    on_the_hub.add("dataset", "lab/posts", {"train.csv": TABLE, "README.md": "# Posts", "code.py": "raise SystemExit"})
    report = import_file(store, "hub:lab/posts")
    assert report["imported"] == 2
    assert store.imports()[0]["file_name"] == "hub:lab/posts"
    assert on_the_hub.count("GET", "code.py") == 0
    assert left_over(store) == []


def test_a_dataset_with_a_file_for_each_split_keeps_its_splits(on_the_hub: StandIn, store: Store) -> None:
    on_the_hub.add("dataset", "lab/parts", {"train.csv": TABLE, "test.csv": "id,text\n3,Rain.\n"})
    assert import_file(store, "hub:lab/parts")["imported"] == 3
    assert store.post("3").split is Split.TEST


def test_what_was_pushed_comes_back_with_its_answers(on_the_hub: StandIn, reviewed: Store, tmp_path: Path) -> None:
    pushed(reviewed)
    other = open_store(tmp_path / "other")
    try:
        other.save_criteria([SLEEP])
        report = import_file(other, "hub:ana/corrected")
        assert (report["imported"], report["annotations"]) == (2, 2)
        assert other.post("p1").text == "I cannot sleep 😴. The dog is well."
    finally:
        other.close()


def test_a_dataset_that_needs_its_own_code_is_refused_and_the_code_never_fetched(
    on_the_hub: StandIn, store: Store
) -> None:
    on_the_hub.add("dataset", "lab/code", {"code.py": "raise SystemExit('run')", "README.md": "# Code"})
    with pytest.raises(HubRefused, match=r"needs its own code to be loaded \(code.py\), which is never run"):
        import_file(store, "hub:lab/code")
    assert on_the_hub.count("GET", "code.py") == 0
    assert (store.count_posts(), left_over(store)) == (0, [])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lab/missing", "no dataset at"),
        ("else/private", "no dataset at"),
        ("else/gated", "is gated"),
        ("lab/empty", "no data files"),
        ("not a name", "no name of a repository"),
    ],
)
def test_a_dataset_that_cannot_be_had_says_why(on_the_hub: StandIn, store: Store, name: str, words: str) -> None:
    on_the_hub.add("dataset", "else/private", {"a.csv": TABLE}, private=True)
    on_the_hub.add("dataset", "else/gated", {"a.csv": TABLE}, gated=True)
    on_the_hub.add("dataset", "lab/empty", {"README.md": "# Nothing"})
    with pytest.raises(HubRefused, match=words):
        import_file(store, f"hub:{name}")
    assert (store.count_posts(), left_over(store)) == (0, [])


def test_a_fetch_whose_connection_is_cut_in_the_middle_comes_to_its_end(on_the_hub: StandIn, store: Store) -> None:
    on_the_hub.add("dataset", "lab/posts", {"train.csv": TABLE})
    on_the_hub.cut("GET", "/api/datasets/lab/posts")
    on_the_hub.cut("GET", "resolve/.*/train.csv", after_bytes=10)
    from annotator.exchange.hub_datasets import fetched

    with fetched("lab/posts", store.path.parent, hub=Hub(retry=FAST)) as file:
        assert file.read_text("utf-8") == TABLE


# --- the commands


@pytest.mark.slow
def test_the_commands_push_an_export_and_import_it_by_name(
    hub: StandIn, hub_environment: dict[str, str], reviewed: Store, tmp_path: Path
) -> None:
    def evidence(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "annotator.cli", *arguments]
        return subprocess.run(
            line,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=hub_environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    here = ("--data-dir", str(reviewed.path.parent))
    assert evidence("export", "--push-to-hub", "ana/corrected", *here).returncode == 2
    assert ("dataset", "ana/corrected") not in hub.repos
    assert evidence("export", "--push-to-hub", "ana/d", "--format", "csv", "--output", "x", *here).returncode == 2
    done = evidence("export", "--push-to-hub", "ana/corrected", "--yes", *here)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["posts"] == 2
    back = evidence("import", "hub:ana/corrected", "--data-dir", str(tmp_path / "elsewhere"))
    assert json.loads(back.stdout)["imported"] == 2
