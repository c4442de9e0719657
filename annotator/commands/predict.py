"""`evidence predict`: evidence for every post of a file, one line per post and criterion.

Memory does not grow with the file, and a run that was killed is gone on with by the same command: see `encoder.bulk`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from annotator.commands.common import Subparsers, add_model, criteria_of, model_of, report, say, settings_of


def add(commands: Subparsers) -> None:
    parser = commands.add_parser("predict", help="mark evidence in every post of a file")
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="posts: JSON Lines, CSV, Parquet, ... with post_id and text"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="OUT.jsonl", help="where the predictions go")
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
    add_model(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from encoder.bulk import RejectedRow, predict_posts, read_posts

    criteria = criteria_of(arguments)
    source, version = model_of(arguments)
    settings = settings_of(arguments)
    total = sum(not isinstance(row, RejectedRow) for row in read_posts(arguments.file))
    from encoder.predict import Predictor

    predictor = Predictor.load(
        source,
        version=version,
        device=settings.device,
        dtype=settings.dtype,
        threads=arguments.threads,
        scoring=arguments.mode,
    )
    with tqdm(total=total, desc="predict", unit=" posts", disable=None, leave=False) as bar:
        found = predict_posts(
            read_posts(arguments.file),
            criteria,
            predictor,
            arguments.output,
            batch_size=arguments.batch_size,
            threshold=arguments.threshold,
            on_part=lambda done: bar.update(done - bar.n),
        )
    rejected = [{"row": r.row, "reason": r.reason} for r in found.rejected]
    unknown = [c.id for c in criteria if predictor.known_criteria is not None and c.id not in predictor.known_criteria]
    counts = {"posts": found.posts, "resumed": found.resumed, "spans": found.spans, "criteria": len(criteria)}
    named = {"model": version, "rejected": rejected, "unknown_criteria": unknown, "output": str(arguments.output)}
    report({**counts, **named})
    if found.resumed:
        say(f"{found.resumed} posts had been predicted by an earlier run that was stopped.")
    if unknown:
        say(f"The model {version} was not trained on {', '.join(unknown)}: no spans there.")
    if rejected:
        say(f"{len(rejected)} rows could not be read; they are listed in the result.")
