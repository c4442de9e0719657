"""`evidence import` and `evidence export`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from annotator.commands.common import (
    Subparsers,
    UsageError,
    add_data_dir,
    agree,
    file_here,
    new_or_known_project_of,
    pair,
    project_of,
    report,
    say,
)
from annotator.words import counted

if TYPE_CHECKING:
    from storage.exports import ExportFilter
    from storage.store import Store


SHOWN_LINES = 12


def add(commands: Subparsers) -> None:
    _add_import(commands.add_parser("import", help="import posts, and annotations where the file has them"))
    _add_export(commands.add_parser("export", help="export the corrected data"))


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=file_here,
        metavar="FILE",
        help="file, folder, zip file, or hub:OWNER/NAME for a dataset of the Hub",
    )
    parser.add_argument("--format", metavar="NAME", help="format (default: auto, found from the content)")
    parser.add_argument("--encoding", metavar="NAME", help="text encoding (default: found from the content)")
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="FIELD=COLUMN",
        help="which column is what, e.g. text=body; without a column the field has none; repeatable",
    )
    parser.add_argument(
        "--labels-as", metavar="WHAT", help="annotations, gold, predictions or ignore (default: annotations)"
    )
    parser.add_argument("--annotator", metavar="NAME", help="whose annotations they are where the file does not say")
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="LABEL=CRITERION",
        help="our criterion for a label of the file; repeatable",
    )
    parser.add_argument("--new-criteria", action="store_true", default=None, help="add criteria that the project lacks")
    parser.add_argument("--split", metavar="NAME", help="train, dev or test for all posts (default: by hash)")
    parser.add_argument("--source", metavar="TEXT", help="where the posts come from")
    parser.add_argument(
        "--same-text", metavar="WHAT", help="a post with a known text under another id: skip or keep (default: skip)"
    )
    parser.add_argument(
        "--mask", action="store_true", default=None, help="mask e-mail addresses, phone numbers, links and user names"
    )
    parser.add_argument("--sheet", metavar="NAME", help="of a workbook (default: every visible one that holds posts)")
    parser.add_argument(
        "--mend", action="store_true", default=None, help="repair texts that were decoded wrongly before, as don‚Äôt"
    )
    parser.add_argument(
        "--unescape", action="store_true", default=None, help="turn HTML entities of texts into characters"
    )
    parser.add_argument(
        "--strict", action="store_true", default=None, help="import nothing if anything of the file would be lost"
    )
    parser.add_argument("--preset", metavar="NAME", help="options saved on the Data page; those given here go first")
    parser.add_argument("--dry-run", action="store_true", help="check and report only")
    add_data_dir(parser)
    parser.set_defaults(run=run_import)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", metavar="NAME", help="format, e.g. jsonl, gold, csv, squad, brat, parquet")
    parser.add_argument(
        "--output",
        type=file_here,
        metavar="PATH",
        help="file (an existing one is replaced), or for a folder format a new folder or a zip file",
    )
    parser.add_argument(
        "--push-to-hub", metavar="REPO", help="instead of a file: a private dataset OWNER/NAME of the Hugging Face Hub"
    )
    parser.add_argument("--public", action="store_true", help="with --push-to-hub: everybody may read it")
    parser.add_argument("--yes", action="store_true", help="with --push-to-hub: do not ask before sending")
    parser.add_argument("--answers", metavar="WHICH", help="gold, or each reviewer's latest (default: gold)")
    parser.add_argument("--reviewer", metavar="NAME", help="only this person's answers")
    parser.add_argument("--only-criteria", metavar="IDS", help="only these criteria, comma-separated")
    parser.add_argument("--verdict", metavar="NAMES", help="only these: evidence, no_evidence, unsure; comma-separated")
    parser.add_argument("--split", metavar="NAMES", help="only these splits, comma-separated")
    parser.add_argument("--since", metavar="DATE", help="decided on that day or later, UTC, e.g. 2026-11-01")
    parser.add_argument("--until", metavar="DATE", help="decided on that day or earlier")
    parser.add_argument("--model-version", metavar="ID", help="decided on this model version's predictions")
    parser.add_argument("--unreviewed", action="store_true", default=None, help="also posts without any such answer")
    parser.add_argument(
        "--discussions", action="store_true", default=None, help="also what people said about the posts (jsonl)"
    )
    parser.add_argument("--license", metavar="NAME", help="licence named in the dataset card (default: unknown)")
    parser.add_argument("--preset", metavar="NAME", help="choices kept by --save-preset; those given here go first")
    parser.add_argument(
        "--save-preset",
        metavar="NAME",
        help="keep format, filters and licence under this name, once the export is done",
    )
    add_data_dir(parser)
    parser.set_defaults(run=run_export)


def run_import(arguments: argparse.Namespace) -> int:
    from annotator.exchange.options import took_something
    from annotator.exchange.use_cases import import_file

    if not arguments.file.exists() and not str(arguments.file).startswith("hub:"):
        raise UsageError(f"There is no file {arguments.file}.")
    project = new_or_known_project_of(arguments)
    options = _import_options(arguments, project.store)
    with _Progress("import") as bar:
        result = import_file(
            project,
            arguments.file,
            by=project.settings.local_reviewer,
            on_progress=bar.update,
            dry_run=arguments.dry_run,
            **options,
        )
    report(result)
    _say_what_became_of_it(result, dry_run=arguments.dry_run)
    return 0 if took_something(result) else 1


def import_options(words: Sequence[str]) -> dict[str, Any]:
    """The options of `import_file` for words of a command line, without a project's presets."""
    parser = argparse.ArgumentParser()
    _add_import(parser)
    return _given_options(parser.parse_args(["-", *words]), {})


def _import_options(arguments: argparse.Namespace, store: Store) -> dict[str, Any]:
    """The options of a preset, with those that are given on top."""
    from annotator.exchange.use_cases import presets

    if not arguments.preset:
        return _given_options(arguments, {})
    saved = presets(store)
    if arguments.preset not in saved:
        raise UsageError(f"There is no preset {arguments.preset!r}. Presets: {', '.join(saved) or 'none'}.")
    return _given_options(arguments, saved[arguments.preset])


def _given_options(arguments: argparse.Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    names = "format encoding labels_as annotator new_criteria split source same_text mask sheet mend unescape strict"
    given = {name: getattr(arguments, name) for name in names.split() if getattr(arguments, name) is not None}
    columns = dict(pair(text, "--column", "FIELD=COLUMN") for text in arguments.column)
    criteria = dict(pair(text, "--label", "LABEL=CRITERION") for text in arguments.label)
    return {
        **before,
        **given,
        "columns": {**before.get("columns", {}), **columns},
        "criteria": {**before.get("criteria", {}), **criteria},
    }


def _say_what_became_of_it(result: dict[str, Any], *, dry_run: bool) -> None:
    from annotator.exchange.options import LIKELIEST, ODD_EDGES

    would = "would be " if dry_run else ""
    counts = f"{counted(result['imported'], 'post')} {would}imported, {result['duplicates']} were there already"
    say(f"{counts}, {counted(result['rejected_count'], 'row')} refused.")
    if result["language"]:
        say(result["language"])
    if result["generated_ids"]:
        say(
            f"No column of ids was found: {counted(result['generated_ids'], 'id was', 'ids were')} made from the texts."
        )
    if result["renamed"]:
        count = counted(result["renamed"], "id or name is", "ids or names are")
        say(f"{count} kept as another one; the report says which (kind renamed).")
    if result["several_places"]:
        count = counted(result["several_places"], "piece of evidence stands", "pieces of evidence stand")
        say(f"{count} in several places of the post: the first is taken; the report names each (kind place).")
    if result["likeliest"]:
        count = counted(result["likeliest"], "piece of evidence", "pieces of evidence")
        say(f"{count} {LIKELIEST}; the report names each (kind place).")
    if result["odd_edges"]:
        say(f"{counted(result['odd_edges'], 'passage')} {ODD_EDGES} The report names each (kind place).")
    if result["mojibake_rows"] and not result["mended_rows"]:
        looks = counted(result["mojibake_rows"], "text looks", "texts look")
        say(f"{looks} wrongly decoded (such as don‚Äôt for don’t): --mend repairs them.")
    left = [e for e in result["ledger"] if e["outcome"] == "left out"]
    unread = [e for e in result["ledger"] if e["outcome"] == "kept in meta" and e["detail"]]
    for entry in unread[:SHOWN_LINES]:
        say(
            f"Kept with the posts: {entry['what']} {entry['name']!r}, {counted(entry['count'], 'time')}: {entry['detail']}."
        )
    for entry in left[:SHOWN_LINES]:
        say(f"Left out: {entry['what']} {entry['name']!r}, {counted(entry['count'], 'time')}: {entry['detail']}.")
    if len(left) > SHOWN_LINES:
        say(f"… and {len(left) - SHOWN_LINES} more kinds: see `ledger` above, or the report of the import.")


def run_export(arguments: argparse.Namespace) -> None:
    from annotator.exchange.exporting import export_file
    from annotator.exchange.use_cases import export_filter, save_export_preset

    project = project_of(arguments)
    choices = _export_choices(arguments, project.store)
    name, pushed = choices["format"], bool(arguments.push_to_hub)
    if bool(name and arguments.output) == pushed:
        raise UsageError("Give --format and --output, or --push-to-hub (whose format is fixed), and not both.")
    chosen = export_filter({k: v for k, v in choices.items() if k not in ("format", "license")})
    license_name = choices["license"] or "unknown"
    if pushed:
        _push(arguments, project.store, chosen, license_name)
    else:
        result = export_file(project.store, name, arguments.output, chosen, license_name=license_name)
        report(result)
        if not result["posts"]:
            say("No post has an answer that fits. Review some posts, or change the filters.")
        counts = [counted(result[name], word) for name, word in (("posts", "post"), ("annotations", "answer"))]
        say(f"Exported {' with '.join(counts)} and {counted(result['spans'], 'span')} to {result['output']}.")
    if arguments.save_preset is not None:
        save_export_preset(project.store, arguments.save_preset, choices)


def _export_choices(arguments: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Format, licence and filters: those of a preset, if one is named, with what is given on top."""
    from annotator.exchange.use_cases import export_presets

    given = {
        "format": arguments.format,
        "license": arguments.license,
        "answers": arguments.answers,
        "reviewer": arguments.reviewer,
        "criteria": arguments.only_criteria,
        "verdicts": arguments.verdict,
        "splits": arguments.split,
        "since": arguments.since,
        "until": arguments.until,
        "model_version": arguments.model_version,
        "unreviewed": arguments.unreviewed,
        "discussions": arguments.discussions,
    }
    if not arguments.preset:
        return given
    saved = export_presets(store)
    if arguments.preset not in saved:
        raise UsageError(f"There is no preset {arguments.preset!r}. Presets: {', '.join(saved) or 'none'}.")
    return {**given, **saved[arguments.preset], **{k: v for k, v in given.items() if v is not None}}


def _push(arguments: argparse.Namespace, store: Store, chosen: ExportFilter, license_name: str) -> None:
    from annotator.exchange.hub_datasets import Destination, leaving, push_to_hub

    name, private = arguments.push_to_hub, not arguments.public

    def agreed(manifest: Mapping[str, Any]) -> bool:
        return agree(leaving(manifest, name, private=private), yes=arguments.yes)

    done = push_to_hub(store, Destination(name, private, agreed), chosen, license_name=license_name)
    report(done)
    say(f"The dataset is at {done['url']}" + ("" if done["changed"] else " (it was there already)"))


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
