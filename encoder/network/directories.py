"""Replace a directory in one step: what stood there stays until its successor is complete and on the disk."""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from encoder.errors import EncoderError
from storage.files import sync


class SaveFailed(EncoderError):
    """The model could not be written; what stood in its place before is untouched."""


def check_output(directory: Path) -> None:
    """Raise SaveFailed if a model must not be written there: a file, or a directory that holds something other than a model.

    Ask before a long training, not after it.
    """
    if not directory.exists():
        return
    if not directory.is_dir():
        raise SaveFailed(f"{directory} is a file; choose a new directory for the model.")
    if any(directory.iterdir()) and not (directory / "config.json").exists() and not _is_adapter(directory):
        raise SaveFailed(f"{directory} holds other files than a model and would be replaced; choose a new directory.")


def _is_adapter(directory: Path) -> bool:
    return (directory / "adapter_config.json").exists()


@contextlib.contextmanager
def replacing_directory(directory: Path) -> Iterator[Path]:
    """A temporary directory beside `directory` that takes its place when the block ends well, else is removed."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    except OSError as error:
        raise SaveFailed(f"Nothing can be written beside {directory}: {error.strerror}.") from error
    try:
        try:
            yield temporary
            _flush(temporary)
            _swap(temporary, directory)
        except Exception as error:
            raise _explained(error, directory) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(temporary: Path, directory: Path) -> None:
    temporary.chmod(0o755)  # mkdtemp makes directories for the owner only
    if not directory.exists():
        temporary.rename(directory)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{directory.name}-old-", dir=directory.parent))
    directory.rename(aside / "model")
    try:
        temporary.rename(directory)
    except OSError:
        (aside / "model").rename(directory)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _flush(directory: Path) -> None:
    """Put every file on the disk before the rename, so that a power cut cannot leave names without contents."""
    for path in directory.rglob("*"):
        if path.is_file():
            path.chmod(0o644)  # safetensors writes for the owner only
            sync(path)


def _explained(error: Exception, directory: Path) -> Exception:
    """SaveFailed for what a disk can do; anything else as it is. safetensors wraps the system's error in its text."""
    from safetensors import SafetensorError

    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if (isinstance(error, OSError) and error.errno in numbers) or any(f"os error {n}" in str(error) for n in numbers):
        return SaveFailed(f"The disk is full: the model was not saved at {directory}; what was there is untouched.")
    if isinstance(error, OSError | SafetensorError):
        return SaveFailed(f"The model was not saved at {directory} ({error}); what was there is untouched.")
    return error
