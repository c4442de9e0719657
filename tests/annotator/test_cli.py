"""The command line as a user meets it: JSON on stdout, words on stderr, exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotator.cli import main
from annotator.settings import table
from storage.records import AnnotatedSpan, Annotation, Role, Split, Verdict
from storage.store import Store, open_store

ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "correct horse battery"

Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVIDENCE_DATA_DIR", str(tmp_path / "project"))
    return tmp_path / "project"


@pytest.fixture
def run(data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on the project; gives (exit code, the JSON on stdout or None, stderr)."""

    def call(*argv: str, stdin: str = "") -> tuple[int, Any, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        try:
            code = main(argv)
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return code, json.loads(out) if out.strip() else None, err

    return call


@pytest.fixture
def project(run: Run, data_dir: Path, tmp_path: Path) -> Store:
    """A project with the posts p1 and p2."""
    posts = tmp_path / "posts.jsonl"
    posts.write_text('{"post_id": "p1", "text": "I cannot sleep 😞."}\n{"post_id": "p2", "text": "The dog is well."}\n')
    code, report, _ = run("import", str(posts))
    assert (code, report["imported"]) == (0, 2)
    return open_store(data_dir)


def test_help_imports_nothing_slow() -> None:
    code = "import sys, annotator.cli as c; c.parser(); print(' '.join(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "gradio", "transformers", "pandas", "sqlite_utils", "yaml"} & set(done.stdout.split())


@pytest.mark.parametrize("argv", [(), ("nonsense",), ("predict", "x.jsonl"), ("serve", "--port", "abc"), ("users",)])
def test_wrong_usage_ends_with_2(run: Run, argv: tuple[str, ...]) -> None:
    assert run(*argv)[0] == 2


@pytest.mark.parametrize(
    "argv",
    [
        ("import", "s3://b/x.jsonl"),
        ("export", "--output", "hf://x"),
    ],
)
def test_an_address_is_refused_before_a_folder_of_its_name_is_made(
    run: Run, argv: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, words = run(*argv)
    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert f"{argv[-1]} is an address" in words
    assert "mount the bucket" in words


def test_predict_takes_an_address_for_a_folder_of_files_only(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, words = run("predict", "posts.jsonl", "--output", "memory://made")
    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert "An address as --output is for a folder of files" in words
    code, _, words = run("predict", "memory://none", "--output", "made")
    assert (code, list(tmp_path.iterdir())) == (1, [])
    assert words == (
        "evidence: memory://none cannot be read: it is not there, or not for the credentials that the package for memory:// takes "
        "from its environment variables or file.\n"
    )


def test_a_setting_that_makes_no_sense_ends_with_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIDENCE_PORT", "many")
    code, _, words = run("settings")
    assert code == 2
    assert "EVIDENCE_PORT='many' cannot be read" in words


@pytest.mark.parametrize(
    "argv",
    [
        ("export", "--format", "csv", "--output", "x.csv"),
        ("backup",),
        ("check",),
        ("users", "list"),
        ("models", "list"),
    ],
)
def test_a_project_that_is_not_there_is_not_made_by_looking(run: Run, data_dir: Path, argv: tuple[str, ...]) -> None:
    code, report, words = run(*argv)
    assert (code, report) == (1, None)
    assert "There is no project in" in words
    assert not data_dir.exists()


def test_settings_lists_every_variable_with_its_value(run: Run, data_dir: Path) -> None:
    code, rows, _ = run("settings")
    assert code == 0
    assert [row["variable"] for row in rows] == [row["variable"] for row in table()]
    assert rows[0]["value"] == str(data_dir)


def test_every_setting_is_a_flag_of_serve(run: Run) -> None:
    import contextlib

    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        main(["serve", "--help"])
    assert [row["flag"] for row in table() if row["flag"] not in text.getvalue()] == []


def test_an_import_begins_a_project_without_demo_posts(project: Store, run: Run, tmp_path: Path) -> None:
    assert project.count_posts() == 2
    posts = tmp_path / "posts.jsonl"
    _, again, _ = run("import", str(posts))
    assert (again["imported"], again["duplicates"], again["rejected"]) == (0, 2, [])


def test_a_dry_run_stores_nothing(project: Store, run: Run, tmp_path: Path) -> None:
    more = tmp_path / "more.csv"
    more.write_text("id,body\nq1,Some words here.\nq2,Ich kann seit Wochen nicht mehr schlafen und alles ist grau.\n")
    code, report, said = run("import", str(more), "--column", "text=body", "--dry-run")
    assert (code, report["imported"]) == (0, 2)
    assert "1 of the 2 first posts looks like German; the criteria and the model are for English." in said
    assert project.count_posts() == 2


@pytest.mark.parametrize(
    ("name", "content", "extra", "code", "words"),
    [
        ("none.csv", None, (), 2, "There is no file"),
        ("empty.csv", "", (), 1, "is empty"),
        ("ok.csv", "id,text\na,Some words.\n", ("--format", "nope"), 1, "no format 'nope'"),
        ("ok.csv", "id,text\na,Some words.\n", ("--column", "text"), 2, "FIELD=COLUMN"),
    ],
)
def test_a_file_that_cannot_be_imported_is_one_clear_line(
    run: Run, tmp_path: Path, name: str, content: str | None, extra: tuple[str, ...], code: int, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    found, report, said = run("import", str(path), *extra)
    assert (found, report) == (code, None)
    assert words in said
    assert "Traceback" not in said


def test_what_was_imported_can_be_exported(project: Store, run: Run, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    code, report, _ = run("export", "--format", "jsonl", "--output", str(target))
    assert (code, Path(report["output"])) == (0, target)
    assert [json.loads(line)["post_id"] for line in target.read_text().splitlines()] == ["p1", "p2"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), ["p1", "p2"]),
        (("--answers", "latest", "--reviewer", "ben"), ["p2"]),
        (("--only-criteria", "FATIGUE"), ["p2"]),
        (("--verdict", "evidence"), ["p1"]),
        (("--split", "test"), []),
        (("--since", "2026-02-01"), ["p2"]),
        (("--until", "2026-01-05"), ["p1"]),
        (("--model-version", "v7"), ["p1"]),
        (("--model-version", "v7", "--unreviewed"), ["p1", "p2"]),
    ],
)
def test_every_filter_of_an_export_is_a_flag(
    project: Store, run: Run, tmp_path: Path, flags: tuple[str, ...], expected: list[str]
) -> None:
    for name in ("ana", "ben"):
        project.ensure_reviewer(name)
    project.set_split(["p1", "p2"], Split.TRAIN)
    span = AnnotatedSpan(0, 14)
    early, late = "2026-01-05T10:00:00Z", "2026-02-01T10:00:00Z"
    for annotation in (
        Annotation("p1", "SLEEP_ISSUES", "ana", Verdict.EVIDENCE, (span,), model_version="v7", created_at=early),
        Annotation("p2", "FATIGUE", "ben", Verdict.NO_EVIDENCE, created_at=late),
    ):
        project.add_annotation(annotation, expected_revision=0)
    target = tmp_path / "out.jsonl"
    code, manifest, _ = run("export", "--format", "gold", "--output", str(target), *flags)
    assert (code, manifest["posts"]) == (0, len(expected))
    assert [json.loads(line)["post_id"] for line in target.read_text().splitlines()] == expected


def test_a_preset_keeps_the_choices_of_an_export_and_what_is_given_goes_first(
    project: Store, run: Run, tmp_path: Path
) -> None:
    project.ensure_reviewer("ana")
    project.add_annotation(
        Annotation("p1", "SLEEP_ISSUES", "ana", Verdict.EVIDENCE, (AnnotatedSpan(0, 14),)), expected_revision=0
    )
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    choices = ("--format", "gold", "--unreviewed", "--verdict", "evidence", "--license", "cc-by-4.0")
    assert run("export", "--output", str(first), *choices, "--save-preset", "mine")[0] == 0
    assert run("export", "--output", str(second), "--preset", "mine")[0] == 0
    assert second.read_bytes() == first.read_bytes()
    assert len(first.read_text("utf-8").splitlines()) == 2
    _, manifest, _ = run("export", "--output", str(tmp_path / "c.csv"), "--preset", "mine", "--format", "csv")
    assert (manifest["format"], manifest["posts"]) == ("csv", 2)
    code, _, words = run("export", "--output", str(second), "--preset", "yours")
    assert (code, "There is no preset 'yours'. Presets: mine." in words) == (2, True)


def test_imports_are_listed_reported_and_undone(
    project: Store, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    posts = tmp_path / "more.csv"
    posts.write_text("id,text,label,evidence\np3,I lie awake.,Insomnia,I lie awake.\np4,,,\n")
    code, report, _ = run("import", str(posts), "--label", "insomnia=SLEEP_ISSUES")
    assert (code, report["annotations"], report["rejected_count"]) == (0, 1, 1)
    _, listed, _ = run("imports", "list")
    assert [(i["id"], i["imported"], i["undone_at"]) for i in listed] == [(2, 1, None), (1, 2, None)]
    main(["imports", "report", "2"])
    assert "rejected,has no text" in capsys.readouterr().out
    assert run("imports", "undo", "2")[1] == {"posts": 1, "annotations": 1}
    assert project.count_posts() == 2
    code, _, words = run("imports", "undo", "2")
    assert (code, "undone before" in words) == (1, True)


def test_a_backup_can_be_restored_but_not_over_a_project_unasked(
    project: Store, run: Run, data_dir: Path, tmp_path: Path
) -> None:
    _, backup, _ = run("backup", "--output", str(tmp_path / "snapshots"))
    assert backup["bytes"] > 0
    code, _, words = run("restore", backup["path"])
    assert code == 1
    assert "exists" in words
    assert run("restore", backup["path"], "--data-dir", str(tmp_path / "new"))[0] == 0
    assert open_store(tmp_path / "new").count_posts() == 2
    assert run("restore", backup["path"], "--overwrite")[0] == 0


def test_a_file_that_is_no_snapshot_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "not.db"
    path.write_text("no database")
    code, _, words = run("restore", str(path))
    assert code == 1
    assert "not.db" in words


def test_check_finds_a_model_without_files(project: Store, run: Run) -> None:
    assert run("check")[0] == 0
    from storage.records import ModelVersion

    project.add_model(ModelVersion(id="v1", path="v1"))
    code, report, _ = run("check")
    assert (code, report["ok"]) == (1, False)
    assert "v1" in report["problems"][0]


def test_users_are_added_listed_disabled_and_given_new_passwords(run: Run, data_dir: Path) -> None:
    code, person, words = run("users", "add", "eva", "--role", "reviewer", "--password-stdin", stdin=PASSWORD + "\n")
    assert (code, person) == (0, {"name": "eva", "role": "reviewer"})
    assert "Nobody who can sign in is admin" in words
    assert run("users", "add", "eva", "--password-stdin", stdin=PASSWORD)[0] == 1
    assert run("users", "add", "tom", "--password-stdin", stdin="short")[0] == 1
    assert run("users", "passwd", "eva", "--password-stdin", stdin="another long one")[0] == 0
    assert run("users", "role", "eva", "adjudicator")[0] == 0
    assert run("users", "disable", "eva")[0] == 0
    _, people, _ = run("users", "list")
    eva = next(p for p in people if p["name"] == "eva")
    assert (eva["role"], eva["disabled_at"] is not None) == ("adjudicator", True)
    assert run("users", "disable", "nobody")[0] == 1
    assert open_store(data_dir).reviewer("eva").role is Role.ADJUDICATOR


def test_criteria_are_loaded_listed_and_exported(project: Store, run: Run, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("- {id: HOPE, name: Hope, text: The writer hopes.}\n")
    assert run("criteria", "load", str(own))[1] == [{"id": "HOPE", "version": 1}]
    assert [c["id"] for c in run("criteria", "list")[1]] == ["HOPE"]
    out = tmp_path / "out.yaml"
    assert run("criteria", "export", "--output", str(out))[0] == 0
    assert "HOPE" in out.read_text()
    own.write_text("- {id: HOPE, name: Hope, text: Reworded.}\n- {id: FEAR, text: The writer fears.}\n")
    assert run("criteria", "load", str(own), "--keep-others")[1] == [
        {"id": "HOPE", "version": 2},
        {"id": "FEAR", "version": 1},
    ]


def test_models_are_listed_and_a_missing_one_is_not_put_in_service(project: Store, run: Run) -> None:
    _, rows, _ = run("models", "list")
    assert [(row["id"], row["active"]) for row in rows] == [("bundled", True)]
    assert run("models", "use", "v7")[0] == 1
    assert run("models", "add", "./nowhere")[0] == 2


@pytest.mark.slow
def test_predictions_are_written_one_line_per_post_and_criterion(run: Run, tmp_path: Path) -> None:
    from encoder.network.checkpoints import save_encoder
    from tests.encoder.tiny import tiny_encoder

    save_encoder(tiny_encoder(known_criteria=("SLEEP_ISSUES",), default_threshold=0.0), tmp_path / "tiny")
    posts, own, out = tmp_path / "posts.jsonl", tmp_path / "own.yaml", tmp_path / "out.jsonl"
    posts.write_text(
        '{"post_id": "p1", "text": "I cannot sleep 😞. The dog is well."}\n{"post_id": "p2", "text": " "}\n'
    )
    own.write_text("- {id: SLEEP_ISSUES, text: The writer cannot sleep.}\n- {id: HOPE, text: The writer hopes.}\n")
    code, report, _ = run(
        "predict", str(posts), "--output", str(out), "--model", str(tmp_path / "tiny"), "--criteria", str(own)
    )
    assert (code, report["posts"], report["unknown_criteria"]) == (0, 1, ["HOPE"])
    assert len(report["rejected"]) == 1
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(line["post_id"], line["criterion"]) for line in lines] == [("p1", "SLEEP_ISSUES"), ("p1", "HOPE")]
    assert [span["text"] for span in lines[0]["spans"]] == ["I cannot sleep 😞.", "The dog is well."]
    first = lines[0]["spans"][0]
    assert "I cannot sleep 😞. The dog is well."[first["start"] : first["end"]] == first["text"]


def test_a_model_that_is_not_one_leaves_no_output(run: Run, tmp_path: Path) -> None:
    posts, out = tmp_path / "posts.jsonl", tmp_path / "out.jsonl"
    posts.write_text('{"post_id": "p1", "text": "I cannot sleep."}\n')
    code, report, words = run("predict", str(posts), "--output", str(out), "--model", str(tmp_path))
    assert (code, report) == (1, None)
    assert str(tmp_path) in words
    assert not out.exists()


@pytest.fixture
def gold(tmp_path: Path) -> tuple[str, ...]:
    """Arguments for learning: a tiny model, a gold file of four posts (the last for dev), their criterion."""
    from encoder.network.checkpoints import save_encoder
    from tests.encoder.tiny import tiny_encoder

    save_encoder(tiny_encoder(known_criteria=("SLEEP_ISSUES",), default_threshold=0.0), tmp_path / "tiny")
    answer = {"criterion": "SLEEP_ISSUES", "verdict": "evidence", "spans": [{"start": 0, "end": 15}]}
    lines = [
        {"post_id": f"p{n}", "text": "I cannot sleep. The dog is well.", "split": split, "annotations": [answer]}
        for n, split in enumerate(["train", "train", "train", "dev"])
    ]
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "own.yaml").write_text("- {id: SLEEP_ISSUES, text: The writer cannot sleep.}\n")
    files = ("--data", str(tmp_path / "gold.jsonl"), "--criteria", str(tmp_path / "own.yaml"))
    return (*files, "--model", str(tmp_path / "tiny"), "--threads", "1")


@pytest.mark.slow
def test_a_model_is_measured_on_a_gold_file(run: Run, gold: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "measured.json"
    code, report, words = run("evaluate", *gold, "--bootstrap", "0", "--output", str(out))
    assert code == 0
    assert (report["posts"], report["pairs"], report["criteria"]["SLEEP_ISSUES"]["recall"]) == (4, 4, 1.0)
    assert report["seen"] == {"train": 0, "dev": 0}
    assert "Warning" not in words
    assert "SLEEP_ISSUES" in words
    assert json.loads(out.read_text()) == report


@pytest.mark.slow
def test_a_model_is_trained_on_a_gold_file_and_predicts_afterwards(
    run: Run, gold: tuple[str, ...], tmp_path: Path
) -> None:
    steps = ("--set", "max_steps=2", "--set", "batch_size=1", "--set", "eval_steps=1", "--set", "save_steps=1")
    code, report, words = run("train", *gold, "--output", str(tmp_path / "new"), *steps)
    assert code == 0, words
    assert (report["steps"], report["posts"]) == (2, {"train": 3, "dev": 1})
    assert (tmp_path / "new" / "model.safetensors").is_file()
    new = ("--model", str(tmp_path / "new"), "--bootstrap", "0")
    code, report, words = run("evaluate", *gold, *new)
    assert (code, report["seen"]) == (0, {"train": 4, "dev": 0})  # the dev post has the words of the others
    assert "Warning: the model was trained on 4 of these 4 posts" in words
    assert run("evaluate", *gold, *new, "--split", "dev")[1]["posts"] == 1
    code, _, words = run("evaluate", *gold, *new, "--split", "test")
    assert code != 0
    assert "holds no posts of the split test" in words


def test_what_a_training_would_cost_is_told_without_training(run: Run, gold: tuple[str, ...], tmp_path: Path) -> None:
    code, report, words = run("train", *gold, "--set", "max_steps=7", "--dry-run", "--output", str(tmp_path / "new"))
    assert (code, report["steps"], report["posts"], report["device"]) == (0, 7, {"train": 3, "dev": 1}, "cpu")
    assert report["seconds"] > 0
    assert report["memory_mb"] > 500
    assert "7 steps, on cpu. Nothing was trained." in words
    assert not (tmp_path / "new").exists()
    assert run("train", *gold, "--set", "max_steps=7", "--dry-run")[:2] == (0, report)
    code, report, words = run("train", *gold)
    assert (code, report) == (2, None)
    assert "Give --output DIR" in words


@pytest.mark.parametrize(
    ("extra", "code", "words"),
    [
        (("--set", "max_steps"), 2, "NAME=VALUE"),
        (("--set", "nonsense=1"), 1, "There is no setting nonsense here. The settings are: accumulation, "),
        (("--config", "none.json"), 2, "cannot be read as JSON"),
    ],
)
def test_training_settings_that_make_no_sense_are_named(
    run: Run, tmp_path: Path, extra: tuple[str, ...], code: int, words: str
) -> None:
    found, report, said = run("train", "--data", "gold.jsonl", "--output", str(tmp_path / "new"), *extra)
    assert (found, report) == (code, None)
    assert words in said


def test_access_tokens_are_made_listed_and_revoked(project: Store, run: Run) -> None:
    run("users", "add", "eva", "--password-stdin", stdin=PASSWORD)
    code, made, said = run("users", "token", "add", "eva", "--purpose", "nightly", "--days", "30")
    assert (code, made["reviewer"], made["name"], made["state"]) == (0, "eva", "nightly", "in use")
    assert "cannot be shown again" in said
    _, listed, _ = run("users", "token", "list", "eva")
    assert [(t["id"], t["used_at"]) for t in listed] == [(made["id"], None)]
    assert made["token"] not in str(listed)
    assert run("users", "token", "revoke", str(made["id"]))[0] == 0
    assert run("users", "token", "list")[1][0]["state"] == "revoked"


@pytest.mark.parametrize("argv", [["add", "nobody"], ["list", "nobody"], ["revoke", "99"]])
def test_tokens_of_nobody_are_one_clear_line(project: Store, run: Run, argv: list[str]) -> None:
    code, report, said = run("users", "token", *argv)
    assert (code, report) == (1, None)
    assert said.startswith("evidence: There is no ")
