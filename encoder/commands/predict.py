"""`python -m encoder.commands.predict`: a file of posts to predictions, on one process or, under `accelerate launch`, on several.

The result is JSON on stdout, everything for people goes to stderr. Exit code 0, 1 for an error, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from encoder.bulk import Reading, Share, predict_posts, read_posts
from encoder.memory import keep_memory
from storage.criteria_file import read_criteria
from storage.records import EvidenceError


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m encoder.commands.predict`: JSON on stdout, progress on stderr; 0, or 1 for an error."""
    given = _parser().parse_args(arguments)
    from accelerate import PartialState

    from encoder.network.families import choose_device
    from encoder.predict import Predictor

    try:
        state = PartialState(cpu=choose_device(given.device) == "cpu")
        keep_memory()
        predictor = Predictor.load(given.model, device=str(state.device), threads=given.threads, scoring=given.mode)
        tell = _teller(state.num_processes) if state.is_main_process else lambda posts: None
        result = predict_posts(
            read_posts(given.file),
            read_criteria(given.criteria),
            predictor,
            given.output,
            reading=Reading(given.batch_size, given.threshold, on_part=tell),
            share=Share(state.process_index, state.num_processes, state.wait_for_everyone),
        )
    except EvidenceError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    if state.is_main_process:
        rejected = [{"row": r.row, "reason": r.reason} for r in result.rejected]
        print(json.dumps({"posts": result.posts, "spans": result.spans, "rejected": rejected}))  # noqa: T201
    return 0


def _teller(processes: int) -> Callable[[int], None]:
    """A line on stderr with the rate over all processes."""
    started = time.monotonic()

    def tell(posts: int) -> None:
        rate = posts * processes / max(1e-9, time.monotonic() - started)
        print(f"about {posts * processes} posts, {rate:.1f} a second", file=sys.stderr)  # noqa: T201

    return tell


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m encoder.commands.predict",
        description="Mark evidence in a file of posts; on several devices: accelerate launch -m encoder.commands.predict …",
    )
    parser.add_argument("file", type=Path, help="posts: JSON Lines, CSV or Parquet with post_id and text")
    parser.add_argument("--output", type=Path, required=True, help="JSON Lines, one line per post and criterion")
    parser.add_argument(
        "--criteria", type=Path, required=True, help="criteria as JSON or YAML: a list of id, name, text"
    )
    parser.add_argument("--model", default="bundled", help="bundled, a directory, a GGUF file or a Hub id")
    parser.add_argument("--mode", default="auto", choices=("auto", "one-pass", "per-criterion"))
    parser.add_argument("--threshold", type=float, help="least score of a span; the model's own unless given")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
