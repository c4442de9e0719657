"""What the commands share: settings from arguments, JSON to stdout, words to stderr."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.records import EvidenceError

if TYPE_CHECKING:
    from annotator.bootstrap import Project
    from annotator.settings import Settings

Subparsers = Any  # argparse has no public name for it


class UsageError(EvidenceError):
    """Arguments that do not make sense together: exit code 2."""


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="the project's directory (default: data)")


def settings_of(arguments: argparse.Namespace, **more: Any) -> Settings:
    """Settings from the environment, with what the command line says on top. Raises SettingsInvalid."""
    import dataclasses

    from annotator.settings import Settings, from_environment, prepare_process

    names = {f.name for f in dataclasses.fields(Settings)}
    given = {k: v for k, v in vars(arguments).items() if k in names}
    settings = from_environment({**given, **more})
    prepare_process(settings)
    return settings


def project_of(arguments: argparse.Namespace, **more: Any) -> Project:
    from annotator.bootstrap import open_project

    return open_project(settings_of(arguments, **more))


def existing_project_of(arguments: argparse.Namespace) -> Project:
    """The project, which must be there already: a typing error in --data-dir must not make a new one."""
    from annotator.bootstrap import open_project
    from storage.connection import DATABASE_NAME
    from storage.records import StoreUnavailable

    settings = settings_of(arguments)
    if not (settings.data_dir / DATABASE_NAME).is_file():
        raise StoreUnavailable(
            f"There is no project in {settings.data_dir}. `evidence serve --data-dir DIR` makes one, or `evidence import`."
        )
    return open_project(settings)


def report(result: Any) -> None:
    """The machine-readable result: the only thing that goes to stdout."""
    sys.stdout.write(json.dumps(result, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def say(*words: object) -> None:
    """A line for people."""
    sys.stderr.write(" ".join(map(str, words)) + "\n")
    sys.stderr.flush()
