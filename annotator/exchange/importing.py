"""Imports: a file is read, checked and staged row by row, then published to be seen at once, or not at all."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from annotator.exchange.options import ImportOptions, ImportRefused, ImportReport
from annotator.exchange.sources import fingerprint
from annotator.exchange.staging import Importer
from annotator.exchange.watch import UNWATCHED, Watch
from storage.formats.archive import unpacked
from storage.formats.detection import file_in
from storage.formats.ledger import NO_LOSS, Outcome
from storage.staging import Staging, import_folder
from storage.store import Store


def check_import(
    store: Store,
    path: Path,
    options: ImportOptions,
    *,
    watch: Watch = UNWATCHED,
) -> ImportReport:
    """Dry run: the report that `run_import` would give, with nothing stored. Raises as it does."""
    with _staged(store, path, options, watch) as importer:
        return importer.report


def run_import(
    store: Store,
    path: Path,
    options: ImportOptions,
    *,
    by: str | None = None,
    file_name: str | None = None,
    watch: Watch = UNWATCHED,
) -> ImportReport:
    """Import the file: everything that can be taken, seen at once, with a report of all that cannot.

    file_name: shown in the list of imports.
    Raises FormatError, ImportRefused, ImportCancelled; nothing is stored then.
    """
    with _clear_errors(path):
        store.recover_imports()
    try:
        with _staged(store, path, options, watch) as importer:
            importer.publish(file_name or path.name, by)
            return importer.report
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # on a full disk the staging file had to go first
            store.recover_imports()
        raise


@contextlib.contextmanager
def _staged(store: Store, path: Path, options: ImportOptions, watch: Watch) -> Iterator[Importer]:
    """An importer that has read the whole file. Its staging file is gone afterwards, whatever happens."""
    with _clear_errors(path), import_folder(store.path.parent) as folder:
        before = fingerprint(path)
        with unpacked(path, folder) as data:
            content, left = file_in(data)
            staging = Staging(folder / "staging.db")
            importer = Importer(store, content, options, staging, watch, left=left)
            try:
                importer.stage()
                if fingerprint(path) != before:
                    raise ImportRefused(f"{path.name} changed while it was read. Nothing was imported; try again.")
                if options.strict and (losses := _losses(importer)):
                    raise ImportRefused(f"Nothing was imported (strict): {'; '.join(losses[:12])}.")
                yield importer
            finally:
                importer.staging.discard()


@contextlib.contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """What the disk does wrong, in words."""
    try:
        yield
    except FileNotFoundError as error:
        raise ImportRefused(f"There is no file {error.filename or path}.") from error
    except PermissionError as error:
        raise ImportRefused(f"{error.filename or path} cannot be read: permission denied.") from error
    except (OSError, sqlite3.OperationalError) as error:
        if "full" in str(error) or getattr(error, "errno", None) == 28:
            raise ImportRefused("The disk is full. Nothing was imported; make room and try again.") from error
        raise ImportRefused(f"{path.name} could not be imported: {error}. Nothing was stored.") from error


def _losses(importer: Importer) -> list[str]:
    """What is not taken, a line each; nothing for what a tool writes for itself, and for what is kept in meta."""
    found = [e.in_words() for e in importer.ledger if e.outcome is Outcome.LEFT and e.detail not in NO_LOSS]
    counts = (
        (importer.report.rejected_count, "rows refused"),
        (importer.report.unaligned, "pieces of evidence not found"),
        (importer.report.uncertain, "pieces of evidence whose place is uncertain"),
    )
    return [*(f"{n} {what}" for n, what in counts if n), *found]
