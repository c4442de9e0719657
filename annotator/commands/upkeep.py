"""`evidence worker`, `backup`, `restore`, `check`, `settings`: running and keeping a project."""

from __future__ import annotations

import argparse
from pathlib import Path

from annotator.commands.common import Subparsers, add_data_dir, project_of, report, say, settings_of


def add(commands: Subparsers) -> None:
    worker = commands.add_parser("worker", help="run background jobs (the app starts its own worker)")
    worker.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    worker.add_argument("--dtype", metavar="TYPE", help="auto, float32, bfloat16, float16 (default: auto)")
    worker.add_argument("--threads", type=int, metavar="N", help="CPU threads")
    worker.add_argument(
        "--idle-seconds", type=float, metavar="S", help="end after so long without a job (default: never)"
    )
    add_data_dir(worker)
    worker.set_defaults(run=run_worker)
    backup = commands.add_parser("backup", help="write a verified snapshot of the database, also while the app runs")
    backup.add_argument("--output", type=Path, metavar="DIR", help="where it goes (default: backups/ of the project)")
    backup.add_argument("--keep", type=int, default=10, metavar="N", help="how many snapshots stay there (default: 10)")
    add_data_dir(backup)
    backup.set_defaults(run=run_backup)
    restore = commands.add_parser("restore", help="put a snapshot in place; the app must not be running")
    restore.add_argument("snapshot", type=Path, metavar="SNAPSHOT", help="a file that `evidence backup` wrote")
    restore.add_argument("--overwrite", action="store_true", help="replace the database; the old one is kept beside it")
    add_data_dir(restore)
    restore.set_defaults(run=run_restore)
    check = commands.add_parser("check", help="check that the project is whole: database, spans, model files")
    add_data_dir(check)
    check.set_defaults(run=run_check)
    settings = commands.add_parser("settings", help="list every setting, its variable, default and value")
    settings.set_defaults(run=run_settings)


def run_worker(arguments: argparse.Namespace) -> int:
    from annotator.worker import main

    project_of(arguments)
    names = ("data_dir", "device", "dtype", "threads", "idle_seconds")
    given = [(f"--{name.replace('_', '-')}", getattr(arguments, name)) for name in names]
    return main([part for flag, value in given if value is not None for part in (flag, str(value))])


def run_backup(arguments: argparse.Namespace) -> None:
    from storage.backup import snapshot

    project = project_of(arguments)
    path = snapshot(project.store, arguments.output or project.settings.backups_dir, keep=max(1, arguments.keep))
    report({"path": str(path), "bytes": path.stat().st_size})
    say(f"Snapshot written and verified: {path}")


def run_restore(arguments: argparse.Namespace) -> None:
    from annotator.bootstrap import serving_alone
    from storage.backup import restore

    settings = settings_of(arguments)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with serving_alone(settings.data_dir):
        path = restore(arguments.snapshot, settings.data_dir, overwrite=arguments.overwrite)
    report({"path": str(path), "snapshot": str(arguments.snapshot)})
    say(f"Restored to {path}")


def run_check(arguments: argparse.Namespace) -> int:
    from annotator.checkup import problems_of

    project = project_of(arguments)
    problems = problems_of(project)
    counts = project.store.progress_counts(me=project.settings.local_reviewer)
    report({"ok": not problems, "problems": problems, "posts": counts["posts"], "decisions": counts["decisions"]})
    say("Everything is whole." if not problems else f"{len(problems)} problems found.")
    return 1 if problems else 0


def run_settings(arguments: argparse.Namespace) -> None:
    from annotator.settings import table

    values = settings_of(arguments).as_environment()
    rows = [{**row, "value": values[row["variable"]]} for row in table()]
    report(rows)
    for row in rows:
        say(f"{row['variable']:<44} {row['value']:<28} {row['help']}")
