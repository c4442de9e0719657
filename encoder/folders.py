"""A folder of whole files, on this machine or at an address of fsspec (`s3://`, `hf://`, `gs://`, …): both are read and written alike.

Which addresses there are depends on the packages that are installed. A file at an address is read from a temporary copy, and one
that is written there is sent when it is complete, under another name, and moved. What the files hold is no matter here.
"""

from __future__ import annotations

import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fsspec import get_filesystem_class
from fsspec.core import url_to_fs
from fsspec.utils import get_protocol

from encoder.errors import EncoderError
from storage.files import is_remote

_DENIED = (401, 403)  # statuses of HTTP


class FolderHere:
    """A folder of this machine. Reading and writing raise what files do."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def begin(self, inner: str) -> None:
        """Make the folder, and `inner` in it. Raises EncoderError if it cannot be written."""
        try:
            (self._path / inner).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EncoderError(f"{self} cannot be written: {error.strerror}.") from error

    def names(self) -> list[str]:
        """The names of the files right in it, in order."""
        return sorted(path.name for path in self._path.iterdir() if path.is_file())

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if it is not there."""
        path = self._path / name
        return path.stat().st_size if path.exists() else None

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """Where the file can be read within the block."""
        yield self._path / name

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Where to put the file, in one step (`storage.files.replacing`)."""
        yield self._path / name


class FolderThere:
    """A folder at an address, with the same methods; each raises EncoderError, in one line and without any secret."""

    def __init__(self, address: str) -> None:
        self._shown = re.sub(r"//[^/]*@", "//", address).rstrip("/")  # without a password
        self._protocol = get_protocol(address)
        if re.search(r"[*?\[]", address):
            raise EncoderError(f"{self} is a pattern: name the folder in which the files lie.")
        try:
            get_filesystem_class(self._protocol)
        except ImportError as error:
            raise EncoderError(f"{self} cannot be reached: a package is missing. {error}.") from error
        except ValueError as error:
            raise EncoderError(f"{self} cannot be reached: no package knows {self._protocol}://.") from error
        with self._told("reached"):
            self._files, path = url_to_fs(address)
            self._path = path.rstrip("/")

    def __str__(self) -> str:
        return self._shown

    def begin(self, inner: str) -> None:
        """Make the folder, and `inner` in it, where folders are things; see that files can be written and removed."""
        with self._told("written"):
            if self._path.startswith("/"):  # elsewhere the first name is a bucket, which would be made too
                self._files.makedirs(self._at(inner), exist_ok=True)
            tried = self._at(f".{uuid.uuid4().hex}.partial")
            self._files.pipe_file(tried, b"\n")
            self._files.rm_file(tried)

    def names(self) -> list[str]:
        """The names of the files right in it, in order."""
        with self._told("read"):
            found = [
                entry["name"].rstrip("/")
                for entry in self._files.ls(self._path, detail=True)
                if entry["type"] == "file"
            ]
        if found == [self._path]:
            raise EncoderError(f"{self} is a file: name the folder in which it lies.")
        return sorted(name.rpartition("/")[2] for name in found)

    def size(self, name: str) -> int | None:
        """Bytes of a file, 0 if the store does not say; None if it is not there."""
        with self._told("read", name):
            try:
                return int(self._files.info(self._at(name)).get("size") or 0)
            except FileNotFoundError:
                return None

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """A copy of the file, within the block."""
        with _room_for(name) as copy:
            with self._told("read", name):
                self._files.get_file(self._at(name), str(copy))
            yield copy

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Where to put the file; it is sent when the block ends well, and there whole or not at all."""
        with _room_for(name) as made:
            yield made
            with self._told("written", name):
                same_in_every_run = uuid.uuid5(uuid.NAMESPACE_URL, name).hex  # what a killed one left is replaced
                arriving = self._at(f".{same_in_every_run}.partial")
                self._files.put_file(str(made), arriving)
                self._files.mv(arriving, self._at(name))

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}"

    @contextmanager
    def _told(self, act: str, name: str = "") -> Iterator[None]:
        """What a store raises, whatever its package calls it, without its words: they may hold a key or a signed address."""
        try:
            yield
        except Exception as error:
            where = f"{self}/{name}" if name else str(self)
            raise EncoderError(f"{where} cannot be {act}: {self._why(error)}.") from None

    def _why(self, error: Exception) -> str:
        credentials = (
            f"the credentials that the package for {self._protocol}:// takes from its environment variables or file"
        )
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(error, PermissionError) or status in _DENIED:
            return f"access is denied; look at {credentials}"
        if isinstance(error, FileNotFoundError):
            return f"it is not there, or not for {credentials}"
        if isinstance(error, OSError) and error.errno is not None:
            return os.strerror(error.errno)
        return f"{type(error).__name__}; look at the network and {credentials}"


Folder = FolderHere | FolderThere


def folder_at(address: str) -> Folder:
    """The folder of a path or address. Raises EncoderError for an address that no installed package knows."""
    return FolderThere(address) if is_remote(address) else FolderHere(Path(address))


def absolute(address: str) -> str:
    """The address, or the path as another process finds it."""
    return address if is_remote(address) else str(Path(address).absolute())


@contextmanager
def _room_for(name: str) -> Iterator[Path]:
    """A path of that name in a folder of its own, which goes when the block ends."""
    with tempfile.TemporaryDirectory(prefix="evidence-") as folder:
        yield Path(folder) / Path(name).name
