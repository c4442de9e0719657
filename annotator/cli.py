"""The command line `evidence`: machine-readable results as JSON on stdout, words and progress on stderr.

Exit codes: 0 done, 1 an error, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

COMMANDS = (
    "serve",
    "exchange",
    "imports",
    "posts",
    "predict",
    "learn",
    "training_job",
    "upkeep",
    "people",
    "study",
    "criteria",
    "models",
    "inspect",
    "deploy",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = parser().parse_args(argv)
    from annotator.commands.common import UsageError, say
    from annotator.settings import SettingsInvalid
    from storage.records import EvidenceError
    from storage.trouble import trouble_of

    try:
        return int(arguments.run(arguments) or 0)
    except (UsageError, SettingsInvalid) as error:
        say(f"evidence: {error}")
        return 2
    except EvidenceError as error:
        say(f"evidence: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    except (OSError, sqlite3.Error) as error:
        trouble = trouble_of(error)
        if trouble is None:
            raise
        say(f"evidence: {trouble}")
        return 1


def start() -> int:
    """The command named as the distribution: `uvx evidence-annotator [--port PORT]` serves the app; with a command it is `evidence`."""
    given = sys.argv[1:]
    serves = not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version"))
    return main(["serve", *given] if serves else given)


def parser() -> argparse.ArgumentParser:
    """The parser of all commands, without importing what they need."""
    result = _Parser(prog="evidence", description="Mark, review and learn evidence for criteria in posts.")
    result.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"annotator.commands.{name}").add(commands)
    return result


class _Parser(argparse.ArgumentParser):
    """Says what it does not know itself, with its own usage: argparse leaves that to the outermost parser, which shows another's."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown


class _Version(argparse.Action):
    """Looks the version up only when asked: reading the package's metadata takes time."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(version("evidence-annotator") + "\n")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
