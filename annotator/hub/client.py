"""The Hugging Face Hub as the person who is logged in on this machine: repositories made and filled, with retries.

Nothing here runs by itself: a person has asked for each of these calls by naming a repository. Errors become HubRefused with one
line that says what to do. Repositories are private unless it was said otherwise, and one that is public is never
filled by somebody who expects it to be private.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from encoder.network.hub_errors import LOG_IN, has_token, in_words, is_hub_error, is_passing, page_of, seconds_asked
from storage.records import EvidenceError

log = logging.getLogger(__name__)
Result = TypeVar("Result")
Kind = Literal["model", "dataset", "space"]


class HubRefused(EvidenceError):
    """The Hub could not be reached, or did not do what was asked; the text says why and what to do."""


class HubPublic(HubRefused):
    """The repository is there already and everybody can read it, but it was to be private."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and after how many seconds a call that failed in passing is made again; the waits double."""

    attempts: int = 4
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0

    def waits(self, error: BaseException, attempt: int) -> float | None:
        """Seconds until the next try after `attempt` failed ones, or None to give up."""
        if attempt >= self.attempts or not is_passing(error):
            return None
        asked = seconds_asked(error)
        wait = self.first_wait_seconds * 2 ** (attempt - 1) if asked is None else asked
        return wait if wait <= self.longest_wait_seconds else None


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What an upload did. commit: its id on the Hub. changed: False if everything was there already."""

    repository: str
    url: str
    commit: str
    created: bool
    changed: bool


class Hub:
    """Calls to the Hub. token: None takes the one of `hf auth login` or HF_TOKEN."""

    def __init__(self, *, token: str | None = None, retry: Retry | None = None) -> None:
        from huggingface_hub import HfApi

        self.api = HfApi(token=token)
        self._token = token
        self._retry = retry or Retry()

    def require_login(self) -> str:
        """The account's name. Raises HubRefused if nobody is logged in or the token is no good."""
        if self._token is None and not has_token():
            raise HubRefused(f"Nobody is logged in to the Hugging Face Hub: {LOG_IN}.")
        return str(self.call(self.api.whoami, "your account", "model")["name"])

    def call(self, action: Callable[[], Result], repository: str, kind: Kind) -> Result:
        """The action's result; what fails in passing is tried again. Raises HubRefused. The action must bear repetition."""
        attempt = 0
        while True:
            attempt += 1
            try:
                with refusals(repository, kind):
                    return action()
            except HubRefused as refused:
                wait = self._retry.waits(refused.__cause__ or refused, attempt)
                if wait is None:
                    raise
                log.warning("%s Next try in %.1f s.", refused, wait)
                time.sleep(wait)

    def check_reachable(self, repository: str, kind: Kind, revision: str | None = None) -> None:
        """Raise HubRefused if the repository cannot be read. Before listing its files: there the client itself waits and
        tries again for over a minute when there is no network."""
        self.call(lambda: self.api.repo_info(repository, repo_type=kind, revision=revision), repository, kind)

    def is_private(self, repository: str, kind: Kind) -> bool | None:
        """Whether the repository is private; None if there is none that can be seen."""
        if not self.call(lambda: self.api.repo_exists(repository, repo_type=kind), repository, kind):
            return None
        return bool(self.call(lambda: self.api.repo_info(repository, repo_type=kind), repository, kind).private)

    def make(self, repository: str, kind: Kind, *, private: bool, **more: Any) -> bool:
        """Make the repository unless it is there; returns whether it was made. Raises HubPublic, HubRefused."""
        there = self.is_private(repository, kind)
        if there is None:
            create = self.api.create_repo
            self.call(
                lambda: create(repository, repo_type=kind, private=private, exist_ok=True, **more), repository, kind
            )
            there = self.is_private(repository, kind)  # somebody may have been faster, and public
            created = True
        else:
            created = False
        if private and not there:
            raise HubPublic(
                f"{page_of(repository, kind)} is public, and this was to stay private. Nothing was sent. Make it private"
                f" in its settings, choose another name, or say that it may be public."
            )
        return created

    def upload(
        self,
        repository: str,
        kind: Kind,
        files: Mapping[str, Path | bytes],
        *,
        message: str,
        delete: Callable[[str], bool] = lambda _: False,
    ) -> tuple[str, bool]:
        """Put the files (path there -> file here, or content) into the repository in one commit, and take away those that `delete`
        names and `files` lacks. Returns (commit, whether anything changed). Done twice, the second commit is not made.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        def act() -> tuple[str, bool]:
            there = set(self.api.list_repo_files(repository, repo_type=kind))
            before = self.api.repo_info(repository, repo_type=kind).sha
            gone = [CommitOperationDelete(p, is_folder=False) for p in sorted(there - set(files)) if delete(p)]
            sources = ((path, source if isinstance(source, bytes) else str(source)) for path, source in files.items())
            new = [CommitOperationAdd(path, source) for path, source in sorted(sources)]
            info = self.api.create_commit(repository, [*gone, *new], commit_message=message, repo_type=kind)
            return str(info.oid), info.oid != before

        return self.call(act, repository, kind)

    def push(
        self, repository: str, kind: Kind, files: Mapping[str, Path | bytes], *, message: str, private: bool = True
    ) -> Uploaded:
        """Make the repository if need be and put the files there. Raises HubPublic, HubRefused."""
        self.require_login()
        created = self.make(repository, kind, private=private)
        commit, changed = self.upload(repository, kind, files, message=message)
        return Uploaded(repository, page_of(repository, kind), commit, created, changed)

    def fetch(self, repository: str, kind: Kind, folder: Path, *, patterns: list[str], revision: str | None) -> None:
        """The repository's files that fit the patterns, in `folder`. Raises HubRefused."""
        from huggingface_hub import snapshot_download

        where: Any = {"repo_type": kind, "revision": revision, "token": self._token, "local_dir": folder}
        self.call(lambda: snapshot_download(repository, allow_patterns=patterns, **where), repository, kind)
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # the client's notes, some of them JSON like data


@contextmanager
def refusals(repository: str, kind: Kind) -> Iterator[None]:
    """Turn every error of the Hub into HubRefused, and a disk that is full or not writable too."""
    try:
        yield
    except Exception as error:  # the client's errors have no common base
        if is_hub_error(error):
            raise HubRefused(in_words(error, repository, kind=kind)) from error
        if isinstance(error, ValueError) and "README" in str(error):
            raise HubRefused(
                f"The Hub does not accept the card of {repository}: {' '.join(str(error).split())}"
            ) from error
        if isinstance(error, OSError):
            raise HubRefused(f"{repository} could not be stored here: {error.strerror or error}") from error
        raise
