"""`evidence worker`, `backup`, `restore`, `check`, `settings`: running and keeping a project."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.commands.common import Subparsers, add_data_dir, project_of, report, say, settings_of

if TYPE_CHECKING:
    from annotator.settings import Settings


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
    backup = commands.add_parser("backup", help="write a verified backup of the database, also while the app runs")
    where = backup.add_mutually_exclusive_group()
    where.add_argument("--output", type=Path, metavar="DIR", help="where it goes (default: backups/ of the project)")
    where.add_argument(
        "--to",
        metavar="PLACE",
        help="instead: the whole project with its models, to a directory or hf://datasets/owner/name",
    )
    backup.add_argument("--keep", type=int, default=10, metavar="N", help="how many stay there (default: 10)")
    add_data_dir(backup)
    backup.set_defaults(run=run_backup)
    restore = commands.add_parser("restore", help="put a backup or a snapshot in place; the app must not be running")
    restore.add_argument(
        "source", metavar="SOURCE", help="a file that `evidence backup` wrote, or the place of whole snapshots"
    )
    restore.add_argument("--name", metavar="TIME", help="of a place: this snapshot instead of the newest whole one")
    restore.add_argument("--list", action="store_true", help="of a place: list what is there and change nothing")
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
    from annotator.settings import snapshot_key
    from annotator.snapshots.archive import Snapshots
    from annotator.snapshots.targets import open_target
    from storage.backup import back_up

    project = project_of(arguments)
    if arguments.to:
        place = Snapshots(open_target(arguments.to), project.settings, passphrase=snapshot_key())
        manifest = place.write(project.store, reason="evidence backup", keep=max(1, arguments.keep))
        report({"place": arguments.to, "name": manifest.name, "counts": manifest.counts})
        say(f"Snapshot {manifest.name} written to {arguments.to}")
        return
    path = back_up(project.store, arguments.output or project.settings.backups_dir, keep=max(1, arguments.keep))
    report({"path": str(path), "bytes": path.stat().st_size})
    say(f"Backup written and verified: {path}")


def run_restore(arguments: argparse.Namespace) -> None:
    from storage.backup import restore
    from storage.serving import serving_alone

    settings = settings_of(arguments)
    if arguments.source.startswith("hf://") or Path(arguments.source).is_dir():
        run_restore_place(arguments, settings)
        return
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with serving_alone(settings.data_dir):
        path = restore(Path(arguments.source), settings.data_dir, overwrite=arguments.overwrite)
    report({"path": str(path), "snapshot": arguments.source})
    say(f"Restored to {path}")


def run_restore_place(arguments: argparse.Namespace, settings: Settings) -> None:
    """Restore the newest whole snapshot of a place, or the named one, or list them."""
    from annotator.settings import snapshot_key
    from annotator.snapshots.archive import Snapshots
    from annotator.snapshots.manifest import SnapshotDamaged
    from annotator.snapshots.targets import open_target
    from storage.serving import serving_alone

    place = Snapshots(open_target(arguments.source), settings, passphrase=snapshot_key())
    if arguments.list:
        rows = place.manifests()
        report([{"name": m.name, "reason": m.reason, "counts": m.counts, "encrypted": m.key is not None} for m in rows])
        say(f"{len(rows)} snapshots in {arguments.source}.")
        return
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with serving_alone(settings.data_dir):
        restored = place.restore_newest(overwrite=arguments.overwrite, name=arguments.name)
    if restored is None:
        raise SnapshotDamaged(f"There is no snapshot in {arguments.source}.")
    report({"name": restored.manifest.name, "refused": restored.refused, "models_missing": restored.missing})
    say(f"Restored snapshot {restored.manifest.name} to {settings.data_dir}")


def run_check(arguments: argparse.Namespace) -> int:
    from annotator.project import problems_of
    from storage.trouble import StorageTrouble

    project = project_of(arguments)
    problems = problems_of(project)
    counts: dict[str, int | None] = {"posts": None, "decisions": None}
    with contextlib.suppress(StorageTrouble):  # then it is among the problems
        counts |= project.store.progress_counts(me=project.settings.local_reviewer)
    report({"ok": not problems, "problems": problems, "posts": counts["posts"], "decisions": counts["decisions"]})
    for problem in problems:
        say(problem)
    say("Everything is whole." if not problems else f"{len(problems)} problems found.")
    return 1 if problems else 0


def run_settings(arguments: argparse.Namespace) -> None:
    from annotator.settings import table

    values = settings_of(arguments).as_environment()
    rows = [{**row, "value": values.get(row["variable"], "(not shown)")} for row in table()]
    report(rows)
    for row in rows:
        say(f"{row['variable']:<44} {row['value']:<28} {row['help']}")
