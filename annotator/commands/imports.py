"""`evidence imports`: what was imported, the report of an import, and undoing one as a whole."""

from __future__ import annotations

import argparse
import sys

from annotator.commands.common import Subparsers, UsageError, add_data_dir, agree, project_of, report, say
from annotator.words import counted


def add(commands: Subparsers) -> None:
    imports = commands.add_parser("imports", help="imports: list, report, undo")
    actions = imports.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the imports, newest first")
    add_data_dir(listing)
    listing.set_defaults(run=run_list)
    told = actions.add_parser(
        "report", help="every row that was not taken as it stood, and why, as CSV on standard output"
    )
    undo = actions.add_parser(
        "undo", help="remove its posts with all annotations on them, and its annotations of others"
    )
    for parser, run in ((told, run_report), (undo, run_undo)):
        parser.add_argument("number", type=int, metavar="NUMBER", help="as in the list")
        add_data_dir(parser)
        parser.set_defaults(run=run)
    undo.add_argument("--yes", action="store_true", help="do not ask where people's answers go with it")


def run_list(arguments: argparse.Namespace) -> None:
    kept = ("id", "file_name", "format", "created_at", "created_by", "undone_at")
    counts = ("imported", "annotations", "duplicates", "rejected_count")
    report(
        [
            {**{k: row[k] for k in kept}, **{k: row["report"][k] for k in counts if k in row["report"]}}
            for row in project_of(arguments).store.imports()
        ]
    )


def run_report(arguments: argparse.Namespace) -> None:
    from annotator.exchange.use_cases import report_lines

    store = project_of(arguments).store
    if not any(row["id"] == arguments.number for row in store.imports()):
        raise UsageError(f"There is no import {arguments.number}; `evidence imports list` shows them.")
    for lines in report_lines(store, arguments.number):
        sys.stdout.write(lines)


def run_undo(arguments: argparse.Namespace) -> None:
    from annotator.exchange.use_cases import undo_import, what_undoing_removes

    store = project_of(arguments).store
    record = next((i for i in store.imports() if i["id"] == arguments.number and i["undone_at"] is None), None)
    words, has_work = what_undoing_removes(store, record) if record else ("", False)
    if has_work and not agree(words, yes=arguments.yes, to="Remove", done="removed"):
        return
    removed = undo_import(store, arguments.number)
    report(removed)
    say(f"Removed {counted(removed['posts'], 'post')} and {counted(removed['annotations'], 'annotation')}.")
