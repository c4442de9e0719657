"""`evidence import` and `evidence export`."""

from __future__ import annotations

import argparse
from pathlib import Path

from annotator.commands.common import (
    Subparsers,
    UsageError,
    add_data_dir,
    new_or_known_project_of,
    project_of,
    report,
    say,
)


def add(commands: Subparsers) -> None:
    _add_import(commands.add_parser("import", help="import posts, and annotations where the file has them"))
    _add_export(commands.add_parser("export", help="export the corrected data"))


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="file, folder or zip file")
    parser.add_argument(
        "--format", default="auto", metavar="NAME", help="format (default: auto, found from the content)"
    )
    parser.add_argument("--encoding", metavar="NAME", help="text encoding (default: found from the content)")
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="FIELD=COLUMN",
        help="which column is what, e.g. text=body; repeatable",
    )
    parser.add_argument(
        "--labels-as", metavar="WHAT", help="annotations, gold, predictions or ignore (default: annotations)"
    )
    parser.add_argument("--annotator", metavar="NAME", help="whose annotations they are where the file does not say")
    parser.add_argument("--new-criteria", action="store_true", default=None, help="add criteria that the project lacks")
    parser.add_argument("--split", metavar="NAME", help="train, dev or test for all posts (default: by hash)")
    parser.add_argument("--source", metavar="TEXT", help="where the posts come from")
    parser.add_argument("--mask", action="store_true", default=None, help="mask names of people, addresses, numbers")
    parser.add_argument("--dry-run", action="store_true", help="check and report only")
    add_data_dir(parser)
    parser.set_defaults(run=run_import)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", required=True, metavar="NAME", help="format, e.g. jsonl, gold, csv, squad, brat, parquet"
    )
    parser.add_argument(
        "--output", required=True, type=Path, metavar="PATH", help="file, or folder for a folder format"
    )
    parser.add_argument("--answers", metavar="WHICH", help="gold, or each reviewer's latest (default: gold)")
    parser.add_argument("--reviewer", metavar="NAME", help="only this person's answers")
    parser.add_argument("--only-criteria", metavar="IDS", help="only these criteria, comma-separated")
    parser.add_argument("--split", metavar="NAMES", help="only these splits, comma-separated")
    parser.add_argument("--license", default="unknown", metavar="NAME", help="licence named in the dataset card")
    add_data_dir(parser)
    parser.set_defaults(run=run_export)


def run_import(arguments: argparse.Namespace) -> None:
    from annotator.exchange import import_file

    if not arguments.file.exists():
        raise UsageError(f"There is no file {arguments.file}.")
    project = new_or_known_project_of(arguments)
    names = ("encoding", "labels_as", "annotator", "new_criteria", "split", "source", "mask")
    options = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    columns = dict(_pair(text) for text in arguments.column)
    with _Progress("import") as bar:
        result = import_file(
            project,
            arguments.file,
            arguments.format,
            columns=columns,
            by=project.settings.local_reviewer,
            on_progress=bar.update,
            dry_run=arguments.dry_run,
            **options,
        )
    report(result)
    would = "would be " if arguments.dry_run else ""
    refused = result.get("rejected_count", len(result["rejected"]))
    say(
        f"{result['imported']} posts {would}imported, {result['duplicates']} were there already, {refused} rows refused."
    )


def run_export(arguments: argparse.Namespace) -> None:
    from annotator.exchange import export_file, export_filter

    project = project_of(arguments)
    chosen = export_filter(
        {
            "answers": arguments.answers,
            "reviewer": arguments.reviewer,
            "criteria": arguments.only_criteria,
            "splits": arguments.split,
        }
    )
    result = export_file(project.store, arguments.format, arguments.output, chosen, license_name=arguments.license)
    report(result)
    say(f"Exported to {result['output']}.")


def _pair(text: str) -> tuple[str, str]:
    field, separator, column = text.partition("=")
    if not separator or not field:
        raise UsageError(f"--column {text!r} is not of the form FIELD=COLUMN.")
    return field.strip(), column.strip()


class _Progress:
    """A bar on stderr for callbacks that give a fraction in [0, 1]."""

    def __init__(self, name: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=100, desc=name, unit="%", disable=None, leave=False)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, fraction: float, _message: str = "") -> None:
        self._bar.update(max(0, round(fraction * 100) - self._bar.n))
