"""What the commands share: settings from arguments, JSON to stdout, words and progress to stderr."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from storage.files import is_remote
from storage.records import EvidenceError

if TYPE_CHECKING:
    from annotator.project import Project
    from annotator.settings import Settings
    from storage.records import Criterion, ModelVersion

Subparsers = Any  # argparse has no public name for it


class UsageError(EvidenceError):
    """Arguments that do not make sense together: exit code 2."""


def file_here(text: str) -> Path:
    """The type of an argument that names a file or folder of this machine: an address would become a folder called `s3:`."""
    if is_remote(text):
        raise argparse.ArgumentTypeError(
            f"{text} is an address, and only files of this machine are read and written: mount the bucket, or copy the files"
        )
    return Path(text)


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="the project's directory (default: data)")


def add_model(parser: argparse.ArgumentParser, *, default: str = "bundled") -> None:
    """The arguments of a command that loads a model."""
    parser.add_argument(
        "--model",
        default=default,
        metavar="MODEL",
        help=f"bundled, gemma-3-270m-evidence, active, a directory, GGUF file or Hub id (default: {default})",
    )
    parser.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    parser.add_argument("--dtype", metavar="TYPE", help="auto, float32, bfloat16, int8 (default: auto)")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")
    parser.add_argument(
        "--criteria",
        type=Path,
        metavar="FILE",
        help="criteria file (default: the project's for active, else the nine default ones)",
    )
    add_data_dir(parser)


def settings_of(arguments: argparse.Namespace, **more: Any) -> Settings:
    """Settings from the environment, with what the command line says on top. Raises SettingsInvalid."""
    import dataclasses

    from annotator.settings import Settings, from_environment, prepare_process

    names = {f.name for f in dataclasses.fields(Settings)}
    given = {k: v for k, v in vars(arguments).items() if k in names}
    settings = from_environment({**given, **more})
    prepare_process(settings)
    return settings


def project_of(arguments: argparse.Namespace) -> Project:
    """The project, which must be there already: a typing error in --data-dir must not make a new one."""
    from annotator.project import open_project
    from storage.connection import DATABASE_NAME
    from storage.records import StoreUnavailable

    settings = settings_of(arguments)
    if not (settings.data_dir / DATABASE_NAME).is_file():
        raise StoreUnavailable(
            f"There is no project in {settings.data_dir}. `evidence serve` and `evidence import` begin one; name it with --data-dir."
        )
    return open_project(settings)


def new_or_known_project_of(arguments: argparse.Namespace, **more: Any) -> Project:
    """The project; one that is begun here holds no demo posts. more: settings that it begins with."""
    from annotator.project import open_project

    return open_project(settings_of(arguments, empty=True, **more))


def model_of(arguments: argparse.Namespace) -> ModelVersion:
    """The version that the --model argument names."""
    from annotator.models.loading import named_model
    from storage.records import NotFound

    if arguments.model != "active":
        return named_model(arguments.model)
    active = project_of(arguments).store.active_model()
    if active is None:
        raise NotFound("No model is in service in this project. Name one with --model.")
    return active


def criteria_of(arguments: argparse.Namespace) -> list[Criterion]:
    """The criteria of --criteria, else those of the project for `--model active`, else the default ones."""
    from annotator.project import default_criteria
    from storage.criteria_file import read_criteria

    if arguments.criteria is not None:
        return read_criteria(arguments.criteria)
    return project_of(arguments).store.criteria() if arguments.model == "active" else default_criteria()


@contextmanager
def whole_file(path: Path) -> Iterator[IO[str]]:
    """A text file that gets its name only once it is complete. Raises UsageError where it cannot be written."""
    from storage.files import replacing

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            yield file
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.") from error


def report(result: Any) -> None:
    """The machine-readable result: the only thing that goes to stdout."""
    sys.stdout.write(json.dumps(result, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def say(*words: object) -> None:
    """A line for people."""
    sys.stderr.write(" ".join(map(str, words)) + "\n")
    sys.stderr.flush()


def progress_lines() -> Callable[[float, str], None]:
    """A line for people at every tenth of something long."""
    told: set[tuple[int, str]] = set()

    def tell(fraction: float, message: str) -> None:
        step = (int(fraction * 10), message)
        if step not in told:
            told.add(step)
            say(f"{fraction:4.0%} {message}")

    return tell


def pair(text: str, flag: str, form: str = "NAME=VALUE") -> tuple[str, str]:
    """The two sides of NAME=VALUE. The text may be a secret: no message repeats what is after the sign. Raises UsageError."""
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise UsageError(f"{flag}: {text.split('=')[0]!r} is not of the form {form}.")
    return name.strip(), value.strip()


def agree(words: str, *, yes: bool, to: str = "Send", done: str = "sent") -> bool:
    """Whether the person agrees to what is about to leave this machine, or to go. Raises UsageError where nobody can be asked."""
    say(words)
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"Nothing was {done}. Say --yes to agree to this where no question can be asked.")
    return input(f"{to} it? [y/N] ").strip().lower() in ("y", "yes")


def read_secret(prompt: str, *, from_stdin: bool, flag: str = "") -> str:
    """A password: typed unseen and twice, or the first line of standard input. Raises UsageError if they differ, and where
    nobody can be asked (flag: what to say there instead).
    """
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        instead = f" Say {flag} to read it from there." if flag else ""
        raise UsageError(f"{prompt}: standard input is no terminal, so nobody can be asked.{instead}")
    import getpass

    first = getpass.getpass(f"{prompt}: ")
    if first != getpass.getpass("Again: "):
        raise UsageError("The two do not match; nothing was changed.")
    return first
