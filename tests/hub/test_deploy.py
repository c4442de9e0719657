"""`evidence deploy-space`: planned, sent, brought up to date, and every way in which the Hub can refuse."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from annotator.hub.client import Hub, HubPublic, HubRefused, Retry
from annotator.hub.deploy import Bucket, CannotDeploy, SpaceOptions, deploy, plan_space
from annotator.hub.space_files import CheckoutInvalid, front_matter, product_files
from tests.hub.standin import StandIn

ROOT = Path(__file__).resolve().parents[2]
FAST = Retry(first_wait_seconds=0.01)
README = """---
title: Evidence
sdk: gradio
sdk_version: "6.31.0"
python_version: "3.12"
app_file: app.py
---
# Evidence
"""


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small git checkout with product files, tests, data, and a file that git does not know."""
    folder = tmp_path / "checkout"
    content = {
        "README.md": README,
        "app.py": "print('app')\n",
        "requirements.txt": "gradio>=6.31,<7\n",
        "encoder/model.safetensors": "w" * 5000,
        "encoder/network/hub.py": "words = 1\n",
        "tests/test_it.py": "",
        "benchmarks/run.py": "",
        "data/evidence.db": "posts",
        ".ci/run.sh": "",
    }
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all")
    (folder / "encoder" / "notes.txt").write_text("private", "utf-8")
    return folder


OURS = ["README.md", "app.py", "encoder/model.safetensors", "encoder/network/hub.py", "requirements.txt"]


def deployed(checkout: Path, **options: object) -> dict[str, object]:
    name = str(options.pop("name", "evidence"))
    plan = plan_space(SpaceOptions(name, **options), checkout)  # type: ignore[arg-type]
    return deploy(plan, Hub(retry=FAST))


# --- what is planned


def test_only_tracked_product_files_go_along(checkout: Path) -> None:
    files, warnings = product_files(checkout)
    assert [f.path for f in files] == OURS
    assert any("encoder/notes.txt" in w for w in warnings)


def test_this_checkout_is_fit_for_a_space() -> None:
    files, _ = product_files(ROOT)
    names = {f.path for f in files}
    assert {
        "app.py",
        "README.md",
        "requirements.txt",
        "annotator/server.py",
        "encoder/bundled/model/config.json",
    } <= names
    assert not [n for n in names if n.startswith(("tests/", "benchmarks/", "data/", "."))]
    assert front_matter(ROOT / "README.md")["app_file"] == "app.py"


def test_the_spaces_gradio_is_one_that_the_requirements_allow() -> None:
    from packaging.requirements import Requirement

    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    gradio = next(Requirement(line) for line in lines if line.startswith("gradio"))
    assert gradio.specifier.contains(front_matter(ROOT / "README.md")["sdk_version"])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("sdk: gradio", "sdk: docker", "needs gradio"),
        ("app_file: app.py", "app_file: main.py", "not there"),
        ('python_version: "3.12"', "python_version: 3.10", "quotes"),
        ("title: Evidence", f"title: E\nshort_description: {'x' * 61}", "60 characters"),
        ("title: Evidence\n", "", "title is missing"),
        ("---\ntitle", "title", "does not begin"),
        ("title: Evidence", "title: [", "no YAML"),
    ],
)
def test_a_readme_that_would_not_start_a_space_is_refused(checkout: Path, old: str, new: str, words: str) -> None:
    (checkout / "README.md").write_text(README.replace(old, new, 1), "utf-8")
    with pytest.raises(CheckoutInvalid, match=words):
        plan_space(SpaceOptions("evidence"), checkout)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (SpaceOptions("no good/name/at all"), "no name of a Space"),
        (SpaceOptions("s", variables={"EVIDENCE_DEMOO": "1"}), "is not a setting"),
        (SpaceOptions("s", variables={"HF_TOKEN": "hf_x"}), "must be a secret"),
        (SpaceOptions("s", variables={"A": "1"}, secrets={"A": "2"}), "as a variable and as a secret"),
        (SpaceOptions("s", bucket=Bucket("data")), "owner/name"),
        (SpaceOptions("s", variables={"a b": "1"}), "no name of a variable"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_sent(
    checkout: Path, options: SpaceOptions, words: str
) -> None:
    with pytest.raises(CannotDeploy, match=words):
        plan_space(options, checkout)


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckoutInvalid, match="no checkout"):
        plan_space(SpaceOptions("s"), tmp_path)


def test_a_plan_never_shows_the_value_of_a_secret(checkout: Path) -> None:
    plan = plan_space(SpaceOptions("s", secrets={"KEY": "hush"}), checkout)
    assert "hush" not in json.dumps(plan.to_dict()) + repr(plan)


# --- what is sent


def test_a_space_is_made_private_with_its_settings_and_files(on_the_hub: StandIn, checkout: Path) -> None:
    done = deployed(
        checkout,
        variables={"EVIDENCE_DEMO": "0"},
        secrets={"KEY": "hush"},
        hardware="t4-small",
        sleep_seconds=600,
        bucket=Bucket("ana/data"),
    )
    space = on_the_hub.repo("space", "ana/evidence")
    assert (done["space"], done["url"]) == ("ana/evidence", f"{on_the_hub.endpoint}/spaces/ana/evidence")
    assert (space.private, space.sdk, sorted(space.files)) == (True, "gradio", OURS)
    assert space.files["encoder/model.safetensors"] == b"w" * 5000
    kept = space.space
    assert (kept.variables, kept.secrets) == ({"EVIDENCE_DEMO": "0"}, {"KEY": "hush"})
    assert (kept.hardware, kept.sleep_seconds) == ("t4-small", 600)
    assert kept.volumes == [{"type": "bucket", "source": "ana/data", "mountPath": "/data"}]
    assert on_the_hub.buckets == {"ana/data": True}


def test_sign_in_is_turned_on_in_the_spaces_readme_where_somebody_is_named(on_the_hub: StandIn, checkout: Path) -> None:
    plain = (checkout / "README.md").read_bytes()
    options = {"variables": {"EVIDENCE_OAUTH_USERS": "ana"}}
    assert any("sign-in" in step for step in plan_space(SpaceOptions("evidence", **options), checkout).steps())
    deployed(checkout, **options)
    sent = on_the_hub.repo("space", "ana/evidence").files["README.md"]
    assert sent == plain.replace(b"app_file: app.py\n", b"app_file: app.py\nhf_oauth: true\n")
    assert (checkout / "README.md").read_bytes() == plain
    assert deployed(checkout, **options)["changed"] is False
    assert deployed(checkout)["changed"] is False  # they are named there still


def test_deploying_again_sends_nothing_new(on_the_hub: StandIn, checkout: Path) -> None:
    options = {"variables": {"EVIDENCE_DEMO": "0"}, "hardware": "t4-small", "bucket": Bucket("ana/data")}
    first = deployed(checkout, **options)
    again = deployed(checkout, **options)
    assert (first["created"], first["changed"], again["created"], again["changed"]) == (True, True, False, False)
    assert again["set"] == []
    assert again["commit"] == first["commit"]


def test_an_update_sends_what_changed_and_removes_our_files_that_are_gone_but_nobody_elses(
    on_the_hub: StandIn, checkout: Path
) -> None:
    deployed(checkout)
    space = on_the_hub.repo("space", "ana/evidence")
    space.put({"encoder/old.py": "gone from the checkout", "my_notes.md": "of the Space's owner"})
    (checkout / "app.py").write_text("print('new')\n", "utf-8")
    assert deployed(checkout)["changed"]
    assert sorted(space.files) == sorted([*OURS, "my_notes.md"])
    assert space.files["app.py"] == b"print('new')\n"
    assert on_the_hub.count("PUT", "/lfs/") == 1


def test_a_space_that_is_public_already_gets_nothing_unless_it_may(on_the_hub: StandIn, checkout: Path) -> None:
    space = on_the_hub.add("space", "ana/evidence", sdk="gradio")
    with pytest.raises(HubPublic, match="Nothing was sent"):
        deployed(checkout)
    assert space.files == {}
    assert deployed(checkout, private=False)["changed"]


def test_an_organizations_space_is_deployed_under_its_name(on_the_hub: StandIn, checkout: Path) -> None:
    assert deployed(checkout, name="lab/evidence")["space"] == "lab/evidence"


# --- what can go wrong


def test_what_fails_in_passing_is_tried_again(on_the_hub: StandIn, checkout: Path) -> None:
    on_the_hub.fail("POST", "/api/repos/create", 503)
    on_the_hub.fail("POST", "/secrets", 429, Retry_After="0")
    on_the_hub.cut("POST", "/variables")
    on_the_hub.fail("POST", "/commit/main", 500)
    done = deployed(checkout, secrets={"KEY": "x"}, variables={"EVIDENCE_DEMO": "0"})
    assert sorted(on_the_hub.repo("space", "ana/evidence").files) == OURS
    assert done["set"] == ["secret KEY", "variable EVIDENCE_DEMO"]


def test_a_commit_whose_answer_is_lost_is_not_made_twice(on_the_hub: StandIn, checkout: Path) -> None:
    on_the_hub.cut("POST", "/commit/main", processed=True)
    deployed(checkout)
    space = on_the_hub.repo("space", "ana/evidence")
    assert sorted(space.files) == OURS
    assert len(space.commits) == 2


def test_an_upload_that_is_cut_goes_on(on_the_hub: StandIn, checkout: Path) -> None:
    on_the_hub.cut("PUT", "/lfs/")
    deployed(checkout)
    assert on_the_hub.repo("space", "ana/evidence").files["encoder/model.safetensors"] == b"w" * 5000


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "whoami", 401, "log in|may see"),
        ("POST", "repos/create", 402, "paid plan"),
        ("POST", "repos/create", 403, "write permission"),
        ("POST", "/hardware", 402, "paid plan"),
        ("POST", "/commit/", 409, "being changed"),
        ("POST", "/commit/", 412, "changed by somebody else"),
        ("POST", "/secrets", 404, "no space at"),
    ],
)
def test_a_refusal_of_the_hub_is_one_clear_line(
    on_the_hub: StandIn, checkout: Path, method: str, path: str, status: int, words: str
) -> None:
    on_the_hub.fail(method, path, status, times=9)
    with pytest.raises(HubRefused, match=words) as caught:
        deployed(checkout, hardware="t4-small", secrets={"KEY": "hush"})
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)
    assert on_the_hub.count(method, path) == 1


def test_trouble_that_stays_ends_after_a_few_tries(on_the_hub: StandIn, checkout: Path) -> None:
    on_the_hub.fail("POST", "repos/create", 500, times=99)
    with pytest.raises(HubRefused, match="trouble"):
        deployed(checkout)
    assert on_the_hub.count("POST", "repos/create") == FAST.attempts


def test_a_wait_that_is_too_long_is_told_instead_of_waited(on_the_hub: StandIn, checkout: Path) -> None:
    on_the_hub.fail("POST", "repos/create", 429, times=9, Retry_After="3000")
    with pytest.raises(HubRefused, match="3000 s"):
        deployed(checkout)


# --- the command


def command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "annotator.cli", "deploy-space", *arguments]
    return subprocess.run(line, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)


@pytest.mark.slow
def test_the_command_deploys(hub: StandIn, hub_environment: dict[str, str], checkout: Path) -> None:
    done = command(hub_environment, "lab/evidence", "--checkout", str(checkout), "--secret", "KEY=hush")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["created"]
    assert sorted(hub.repo("space", "lab/evidence").files) == OURS
    assert "hush" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_line_of_the_secrets_file_that_cannot_be_read_is_not_repeated(
    hub_environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "secrets").write_text("# ours\nKEY=hush\nthe rest of it\n", "utf-8")
    done = command(hub_environment, "lab/evidence", "--secrets-file", str(tmp_path / "secrets"), "--dry-run")
    assert done.returncode == 2
    assert "Line 3 of" in done.stderr
    assert "the rest" not in done.stdout + done.stderr


@pytest.mark.slow
def test_without_a_login_the_command_shows_what_it_would_do_and_sends_nothing(
    hub: StandIn, hub_environment: dict[str, str], checkout: Path
) -> None:
    del hub_environment["HF_TOKEN"]
    done = command(hub_environment, "evidence", "--checkout", str(checkout), "--variable", "EVIDENCE_DEMO=0")
    assert (done.returncode, hub.calls) == (1, [])
    shown = json.loads(done.stdout)
    assert (shown["dry_run"], [f["path"] for f in shown["files"]]) == (True, OURS)
    assert "set the variable EVIDENCE_DEMO=0" in done.stderr
    assert "hf auth login" in done.stderr


@pytest.mark.slow
def test_a_dry_run_sends_nothing_although_somebody_is_logged_in(
    hub: StandIn, hub_environment: dict[str, str], checkout: Path
) -> None:
    done = command(hub_environment, "evidence", "--dry-run", "--checkout", str(checkout), "--secret", "KEY")
    assert (done.returncode, hub.calls) == (0, [])
    shutil.rmtree(checkout / ".git")
    assert "no git checkout" in command(hub_environment, "e", "--dry-run", "--checkout", str(checkout)).stderr
