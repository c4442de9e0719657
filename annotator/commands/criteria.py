"""`evidence criteria`: the criteria of a project."""

from __future__ import annotations

import argparse
from pathlib import Path

from annotator.commands.common import (
    Subparsers,
    add_data_dir,
    new_or_known_project_of,
    project_of,
    report,
    say,
    whole_file,
)


def add(commands: Subparsers) -> None:
    criteria = commands.add_parser("criteria", help="criteria: load, list, export")
    actions = criteria.add_subparsers(dest="action", required=True, metavar="ACTION")
    load = actions.add_parser("load", help="use the criteria of a file (YAML, JSON, JSONL or CSV)")
    load.add_argument("file", type=Path, metavar="FILE")
    load.add_argument("--keep-others", action="store_true", help="add to the criteria in use instead of replacing them")
    add_data_dir(load)
    load.set_defaults(run=run_load)
    listing = actions.add_parser("list", help="the criteria in use")
    add_data_dir(listing)
    listing.set_defaults(run=run_list)
    export = actions.add_parser("export", help="write the criteria in use as YAML")
    export.add_argument("--output", required=True, type=Path, metavar="FILE.yaml")
    add_data_dir(export)
    export.set_defaults(run=run_export)


def run_load(arguments: argparse.Namespace) -> None:
    from annotator.project import replace_criteria
    from storage.criteria_file import read_criteria_set

    given = read_criteria_set(arguments.file)
    # a project that begins with a set of its own never had the default ones
    own = {} if arguments.keep_others else {"criteria": arguments.file}
    project = new_or_known_project_of(arguments, **own)
    by = project.settings.local_reviewer
    saved = (
        project.store.save_criteria(given.criteria, by=by)
        if arguments.keep_others
        else replace_criteria(project.store, given, by=by)
    )
    if arguments.keep_others and given.attributes is not None:
        project.store.replace_attributes(given.attributes)
    report([{"id": c.id, "version": c.version} for c in saved])
    say(f"{len(saved)} criteria loaded; {len(project.store.criteria())} are in use.")


def run_list(arguments: argparse.Namespace) -> None:
    report(
        [
            {"id": c.id, "name": c.name, "text": c.text, "version": c.version}
            for c in project_of(arguments).store.criteria()
        ]
    )


def run_export(arguments: argparse.Namespace) -> None:
    from annotator.review.about import about_of
    from storage.criteria_file import write_criteria

    store = project_of(arguments).store
    criteria = store.criteria()
    with whole_file(arguments.output) as out:
        out.write(write_criteria(criteria, about_of(store), store.attributes()))
    report({"criteria": len(criteria), "output": str(arguments.output)})
