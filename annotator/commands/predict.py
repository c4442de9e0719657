"""`evidence predict`: evidence for every post of a file, one line per post and criterion; or of every file of a folder.

Memory does not grow with the file, and a run that was killed is gone on with by the same command: see `encoder.bulk`. The files
of a folder, which may be an address such as s3://, are predicted by several processes or on a Ray cluster: see `encoder.parts`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from annotator.commands.common import (
    Subparsers,
    UsageError,
    add_model,
    criteria_of,
    model_of,
    progress_lines,
    report,
    say,
    settings_of,
)
from storage.files import is_remote


def add(commands: Subparsers) -> None:
    parser = commands.add_parser("predict", help="mark evidence in every post of a file")
    parser.add_argument(
        "file",
        metavar="FILE",
        help="posts: JSON Lines, CSV, Parquet, ... or a folder of such files, also at an address: s3://, hf://, gs://, ...",
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="OUT.jsonl",
        help="where the predictions go; of a folder: a folder or address",
    )
    parser.add_argument(
        "--mode",
        default="auto",
        choices=["auto", "one-pass", "per-criterion"],
        help="way of scoring (default: the model's)",
    )
    parser.add_argument(
        "--threshold", type=float, metavar="SCORE", help="least score of a span (default: the model's own)"
    )
    parser.add_argument("--batch-size", type=int, default=16, metavar="N", help="inputs at once (default: 16)")
    of_a_folder = parser.add_argument_group("a folder of files")
    of_a_folder.add_argument(
        "--engine", default="local", choices=["local", "ray"], help="processes of this machine, or Ray (default: local)"
    )
    of_a_folder.add_argument("--workers", type=int, default=1, metavar="N", help="models at once (default: 1)")
    of_a_folder.add_argument(
        "--address", metavar="ADDRESS", help="of a Ray cluster (default: RAY_ADDRESS, else one on this machine)"
    )
    add_model(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int | None:
    if is_remote(arguments.file) or Path(arguments.file).is_dir():
        return _run_parts(arguments)
    if arguments.engine != "local" or arguments.address:
        raise UsageError("--engine and --address are for a folder of files; cut the file into parts first.")
    if is_remote(arguments.output):
        raise UsageError(
            "An address as --output is for a folder of files; name a file of this machine, and copy it there."
        )
    _run_file(arguments)
    return None


def _run_parts(arguments: argparse.Namespace) -> int:
    """Every file of the folder; exit code 1 if one of them is missing at the end."""
    from dataclasses import asdict

    from annotator.models.loading import model_source
    from encoder.folders import absolute
    from encoder.parts import PartsJob, predict_parts

    version, settings = model_of(arguments), settings_of(arguments)
    job = PartsJob(
        folder=absolute(arguments.file),
        output=absolute(arguments.output),
        model=model_source(version, settings),
        version=version.id,
        criteria=tuple(criteria_of(arguments)),
        device=settings.device,
        dtype=settings.dtype,
        threads=arguments.threads or 1,
        scoring=arguments.mode,
        batch_size=arguments.batch_size,
        threshold=arguments.threshold,
    )
    found = []
    for part in predict_parts(
        job, engine=arguments.engine, workers=max(1, arguments.workers), address=arguments.address
    ):
        found.append(part)
        say(f"{part.part}: {part.error or f'{part.posts} posts, {part.spans} spans'}")
    failed = [part for part in found if part.error]
    totals = {name: sum(getattr(part, name) for part in found) for name in ("posts", "spans", "rejected", "resumed")}
    report({**totals, "model": version.id, "parts": [asdict(p) for p in sorted(found, key=lambda p: p.part)]})
    if failed:
        say(f"{len(failed)} of {len(found)} files are missing; the others are done. Run the command again to go on.")
    return 1 if failed else 0


def _run_file(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from annotator.models.loading import load_predictor
    from encoder.bulk import Reading, RejectedRow, predict_posts, read_posts
    from encoder.memory import keep_memory

    keep_memory()
    criteria = criteria_of(arguments)
    version, settings = model_of(arguments), settings_of(arguments)
    file, output = Path(arguments.file), Path(arguments.output)
    total = sum(not isinstance(row, RejectedRow) for row in read_posts(file))
    predictor = load_predictor(settings, version, scoring=arguments.mode, on_progress=progress_lines())
    with tqdm(total=total, desc="predict", unit=" posts", disable=None, leave=False) as bar:
        found = predict_posts(
            read_posts(file),
            criteria,
            predictor,
            output,
            reading=Reading(arguments.batch_size, arguments.threshold, on_part=lambda done: bar.update(done - bar.n)),
        )
    rejected = [{"row": r.row, "reason": r.reason} for r in found.rejected]
    unknown = [c.id for c in criteria if predictor.known_criteria is not None and c.id not in predictor.known_criteria]
    counts = {"posts": found.posts, "resumed": found.resumed, "spans": found.spans, "criteria": len(criteria)}
    named = {"model": version.id, "rejected": rejected, "unknown_criteria": unknown, "output": str(output)}
    report({**counts, **named})
    if found.resumed:
        say(f"{found.resumed} posts had been predicted by an earlier run that was stopped.")
    if unknown:
        say(f"The model {version.id} was not trained on {', '.join(unknown)}: no spans there.")
    if rejected:
        say(f"{len(rejected)} rows could not be read; they are listed in the result.")
