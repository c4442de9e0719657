"""`python -m encoder.commands.train`: fine-tuning from the command line, on one process or, under `accelerate launch`, on several.

The result is JSON on stdout, everything for people goes to stderr. Exit code 0, 1 for an error, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from encoder.config import EncoderConfig, InvalidConfig, TrainConfig
from encoder.examples import read_examples, split_examples
from encoder.training.train import Task, TrainResult, train
from storage.criteria_file import read_criteria
from storage.records import EvidenceError, Split


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the arguments say; the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        examples = read_examples(given.data)
        split = split_examples(examples)
        task = Task(
            split[Split.TRAIN],
            read_examples(given.dev) if given.dev else split[Split.DEV],
            read_criteria(given.criteria),
            base=given.model,
            output=given.output,
            config=_config(given.config, given.set),
            replay=read_examples(given.replay) if given.replay else (),
            encoder_config=EncoderConfig(scoring=given.scoring) if given.scoring else None,
            device=given.device,
        )
        result = train(task, monitor=ConsoleMonitor(), resume=given.resume)
    except InvalidConfig as error:
        parser.error(str(error))
    except EvidenceError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print("Stopped. Run the same command with --resume to go on.", file=sys.stderr)  # noqa: T201
        return 1
    if _is_main():
        print(json.dumps(summary(result)))  # noqa: T201
    return 0


class ConsoleMonitor:
    """Progress for a terminal, on stderr."""

    def progress(self, fraction: float, stage: str, message: str) -> None:
        if _is_main():
            print(f"[{fraction:4.0%}] {stage}: {message}", file=sys.stderr)  # noqa: T201

    def metrics(self, step: int, values: Mapping[str, float]) -> None: ...

    def log(self, line: str) -> None:
        if _is_main():
            print(line, file=sys.stderr)  # noqa: T201


def summary(result: TrainResult) -> dict[str, Any]:
    """The result of a training as JSON values."""
    return {
        "output": str(result.output),
        "steps": result.steps,
        "best_step": result.best_step,
        "stopped_early": result.stopped_early,
        "seconds": round(result.seconds, 1),
        "dev": {"macro_f1": result.dev.macro_f1, "micro_f1": result.dev.micro_f1},
        "lost": dict(result.lost),
        "data_sha256": result.data_sha256,
    }


def _config(path: Path | None, changes: Sequence[str]) -> TrainConfig:
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidConfig(f"{path} cannot be read as settings: {error}") from error
        values = values.get("config", values) if isinstance(values, dict) else {}
    known = {f.name for f in fields(TrainConfig)}
    for change in changes:
        name, sign, text = change.partition("=")
        if not sign or name not in known:
            raise InvalidConfig(f"--set {change}: give NAME=VALUE with one of {', '.join(sorted(known))}.")
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    try:
        return TrainConfig.from_dict(values)
    except TypeError as error:
        raise InvalidConfig(f"A setting has a value of the wrong kind: {error}") from error


def _is_main() -> bool:
    from accelerate import PartialState

    return bool(PartialState().is_main_process)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m encoder.commands.train",
        description="Fine-tune an encoder on reviewed posts. On several devices: accelerate launch -m encoder.commands.train …",
    )
    parser.add_argument("--data", type=Path, required=True, help="gold file (JSON Lines)")
    parser.add_argument(
        "--dev", type=Path, help="gold file to choose the best checkpoint by; else the dev posts of --data"
    )
    parser.add_argument("--replay", type=Path, help="gold file of earlier posts to mix in")
    parser.add_argument(
        "--criteria", type=Path, required=True, help="criteria as JSON or YAML: a list of id, name, text"
    )
    parser.add_argument("--model", default="bundled", help="base: bundled, a directory, a GGUF file or a Hub id")
    parser.add_argument("--output", type=Path, required=True, help="directory of the new model")
    parser.add_argument("--config", type=Path, help="settings as JSON, or the training.json of an earlier run")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one setting; may be repeated")
    parser.add_argument("--scoring", choices=("per-criterion", "packed", "post-once"), help="for a base without heads")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint of the same run")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
