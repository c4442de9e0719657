"""Files that are there whole or not at all: written beside their name, put on the disk, then renamed. Standard library only."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

_NO_SUCH_THING = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)  # what an object store answers to fsync
_SCHEME = re.compile(
    r"(?:^|::)[a-z][a-z0-9+.-]+://", re.IGNORECASE
)  # also chained; longer than a drive's letter, `C://posts`


def is_remote(text: str) -> bool:
    """Whether this names something of another place (`s3://…`), not a path of this machine."""
    return _SCHEME.search(text) is not None


def is_over(written_at: float, seconds: float, *, now: float | None = None) -> bool:
    """Whether so many seconds have passed since then (Unix time); also where it lies further ahead: the clock was set back since."""
    passed = (time.time() if now is None else now) - written_at
    return abs(passed) > seconds


@contextlib.contextmanager
def replacing(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """A temporary name beside `path` to write to; when the block ends well it is on the disk and has taken the place of `path`.

    What stood there before stays until then, and stays if the block raises; the temporary file is removed. mode: permissions
    of the finished file; those of the temporary one unless given. Raises OSError as writing and renaming do.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        sync(temporary)
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have the file or directory on the disk, so that a power cut cannot leave a name without contents.

    On a place that knows no such thing (a mounted bucket) nothing happens. Raises OSError.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SUCH_THING:
            raise
    finally:
        os.close(handle)


def sync_tree(directory: Path) -> None:
    """Have every file of the directory on the disk, and the directory itself."""
    for path in [*directory.rglob("*"), directory]:
        sync(path)


def unused(path: Path) -> Path:
    """The path, or the first of `name-2.suffix`, `name-3.suffix`, … that nothing has yet."""
    candidate, n = path, 1
    while candidate.exists():
        n += 1
        candidate = path.with_name(f"{path.stem}-{n}{path.suffix}")
    return candidate
