"""The stand-in answers `huggingface_hub` as the Hub does, as far as this product uses it."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationDelete, HfApi, Volume, snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from tests.hub.standin import StandIn


def a_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\nwords\n", "utf-8")
    (folder / "sub" / "model.safetensors").write_bytes(bytes(range(256)) * 400)
    return folder


def test_a_folder_goes_up_and_comes_down_the_same(on_the_hub: StandIn, tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    api = HfApi()
    api.create_repo("ana/m", private=True)
    api.upload_folder(repo_id="ana/m", folder_path=folder)
    down = Path(snapshot_download("ana/m"))
    for name in ("README.md", "sub/model.safetensors"):
        assert (down / name).read_bytes() == (folder / name).read_bytes()
    assert on_the_hub.repo("model", "ana/m").private
    assert on_the_hub.count("POST", "/verify$") == 1


def test_uploading_the_same_again_makes_no_commit_and_sends_no_large_file(on_the_hub: StandIn, tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    api = HfApi()
    api.create_repo("ana/m")
    for _ in range(2):
        api.upload_folder(repo_id="ana/m", folder_path=folder)
    assert len(on_the_hub.repo("model", "ana/m").commits) == 2
    assert on_the_hub.count("PUT", "/lfs/") == 1


def test_files_are_deleted_and_listed(on_the_hub: StandIn) -> None:
    on_the_hub.add("dataset", "ana/d", {"a.csv": "x", "b/c.csv": "y", "b/d.csv": "z"})
    api = HfApi()
    api.create_commit("ana/d", [CommitOperationDelete("b/c.csv")], commit_message="less", repo_type="dataset")
    assert api.list_repo_files("ana/d", repo_type="dataset") == [".gitattributes", "a.csv", "b/d.csv"]


def test_a_space_keeps_its_settings(on_the_hub: StandIn) -> None:
    api = HfApi()
    api.create_repo("ana/s", repo_type="space", space_sdk="gradio", private=True)
    api.add_space_secret("ana/s", "KEY", "value")
    api.add_space_variable("ana/s", "EVIDENCE_DEMO", "1")
    api.request_space_hardware("ana/s", "t4-small")
    api.set_space_volumes("ana/s", volumes=[Volume(type="bucket", source="ana/b", mount_path="/data")])
    runtime = api.get_space_runtime("ana/s")
    assert (runtime.hardware, runtime.volumes[0].mount_path) == ("t4-small", "/data")
    assert api.get_space_variables("ana/s")["EVIDENCE_DEMO"].value == "1"
    assert on_the_hub.repo("space", "ana/s").space.secrets == {"KEY": "value"}


def test_private_gated_and_missing_repositories_are_refused_as_on_the_hub(on_the_hub: StandIn) -> None:
    on_the_hub.add("model", "else/private", {"config.json": "{}"}, private=True)
    on_the_hub.add("model", "else/gated", {"config.json": "{}"}, gated=True)
    api = HfApi()
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("else/private")
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("else/missing", token=False)
    with pytest.raises(GatedRepoError):
        api.hf_hub_download("else/gated", "config.json")
    with pytest.raises(HfHubHTTPError, match="403"):
        api.create_repo("else/mine")


def test_failures_come_as_asked_and_then_stop(on_the_hub: StandIn) -> None:
    on_the_hub.fail("GET", "whoami", 503)
    with pytest.raises(HfHubHTTPError, match="503"):
        HfApi().whoami()
    assert HfApi().whoami()["name"] == "ana"


def test_a_download_that_is_cut_in_the_middle_is_taken_up_again(on_the_hub: StandIn) -> None:
    content = bytes(range(256)) * 1000
    on_the_hub.add("model", "ana/m", {"model.safetensors": content})
    on_the_hub.cut("GET", "resolve/.*/model.safetensors", after_bytes=1000)
    path = HfApi().hf_hub_download("ana/m", "model.safetensors")
    assert Path(path).read_bytes() == content
    assert [c.status for c in on_the_hub.calls if c.method == "GET" and "resolve" in c.path] == [0, 200]


def test_a_part_of_a_file_is_served(hub: StandIn) -> None:
    hub.add("model", "ana/m", {"letters.txt": "abcdefgh"})
    request = urllib.request.Request(f"{hub.endpoint}/ana/m/resolve/main/letters.txt", headers={"Range": "bytes=2-4"})
    with urllib.request.urlopen(request) as response:
        assert (response.status, response.read()) == (206, b"cde")


def test_a_wrong_token_is_refused(on_the_hub: StandIn) -> None:
    with pytest.raises(HfHubHTTPError, match="Invalid credentials"):
        HfApi(token="hf_wrong").model_info("ana/none")
