"""A project: opening its data directory, what a first start puts in it, and whether it is whole (`evidence check`)."""

from __future__ import annotations

import json
import logging
import sqlite3
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from annotator.models.bundled import BUNDLED_ID, GEMMA_ID, gemma_is_ready, is_bundled, register_bundled
from annotator.review.about import ABOUT, save_about
from annotator.review.decisions import OPENING, READING, WHOLE_POST
from annotator.settings import Settings
from storage.attributes import Attributes, CriteriaSet
from storage.backup import BackupInvalid, verify
from storage.connection import DATABASE_NAME
from storage.criteria_file import criteria_set_of_text, read_criteria_set
from storage.jobs import Jobs
from storage.records import (
    About,
    Criterion,
    InvalidRecord,
    ModelStatus,
    Post,
    Role,
    StoreUnavailable,
    utc_now,
)
from storage.soundness import refuse_lost
from storage.store import Store, open_store

log = logging.getLogger(__name__)

STARTED = "project_started"
DEMO_IMPORT = "demo_import"
SHOWCASE = "demo-03"  # several criteria at once, most of them found: what the product does is seen at the first look
RESTORE_LOCK_NAME = "restore.lock"
MODEL_FILE = "config.json"


@dataclass(frozen=True, slots=True)
class Project:
    """One opened data directory."""

    settings: Settings
    store: Store
    jobs: Jobs


def open_project(settings: Settings) -> Project:
    """Open the project of `settings.data_dir`. On the first start it gets the bundled models, criteria (`settings.criteria`,
    else the default ones) and, unless `settings.empty`, the demo posts. Where there is no database but a place with
    snapshots, the newest one is brought back first. Raises StoreUnavailable, CriteriaInvalid, SnapshotRefused, TargetUnavailable.
    """
    try:
        for folder in (settings.data_dir, settings.models_dir, settings.backups_dir, settings.uploads_dir):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.uploads_dir.chmod(0o700)
    except OSError as error:
        raise StoreUnavailable(
            f"The data directory {settings.data_dir} cannot be written ({error.strerror or error})."
            " Choose another with --data-dir, or change its permissions."
        ) from error
    if settings.snapshot_to:
        _restore_once(settings)
    refuse_lost(settings.data_dir / DATABASE_NAME)
    store = open_store(settings.data_dir)
    with store.write():
        if store.setting(STARTED) is None:
            _first_start(store, settings)
            store.set_setting(READING, WHOLE_POST)
            store.set_setting(STARTED, True)
        else:
            if store.setting(ABOUT) is None:
                _tell_about(store)
            if store.models():  # Gemma may have been installed since
                register_bundled(store)
        store.ensure_reviewer(settings.local_reviewer, Role.ADMIN)
    try:
        store.recover_imports()
    except sqlite3.OperationalError as error:  # a full disk: what was left over stays unseen, the rest can be used
        log.warning("What a stopped import left could not be removed (%s). The next start tries again.", error)
    return Project(settings, store, Jobs(store))


def readable_by_others(settings: Settings) -> list[str]:
    """What of the project others on this machine can read, one line each."""
    paths = [settings.data_dir, *(settings.data_dir.glob(f"{DATABASE_NAME}*")), *settings.backups_dir.glob("*.db")]
    if settings.data_dir.is_dir() and not settings.data_dir.stat().st_mode & 0o077:
        return []  # nobody gets at what is inside
    loose = [path for path in paths if path.exists() and path.stat().st_mode & 0o077]
    return [f"Others on this machine can read {path}. `chmod go= {path}` ends that." for path in loose]


def warn_of_readers(settings: Settings) -> None:
    for line in readable_by_others(settings):
        log.warning("%s", line)


def _restore_once(settings: Settings) -> None:
    """Bring the newest snapshot back where there is no database; two programs that start at once do it one after the other."""
    import fcntl

    from annotator.settings import snapshot_key
    from annotator.snapshots.keeper import restore_if_empty

    with (settings.data_dir / RESTORE_LOCK_NAME).open("a+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        _set_empty_aside(settings.data_dir / DATABASE_NAME)
        restore_if_empty(settings, snapshot_key())


def default_criteria() -> list[Criterion]:
    """The criteria that a new project starts with."""
    return list(default_set().criteria)


def default_set() -> CriteriaSet:
    """The criteria that a new project starts with, and what they are about."""
    source = resources.files("annotator") / "data" / "criteria.yaml"
    return criteria_set_of_text(source.read_text("utf-8"), "criteria.yaml")


def _set_empty_aside(database: Path) -> None:
    """A database without a byte holds nothing that a snapshot could take the place of; it is kept beside all the same."""
    if database.exists() and database.stat().st_size == 0:
        aside = database.with_name(f"{DATABASE_NAME}.empty-{utc_now().replace(':', '')}")
        database.rename(aside)
        log.warning("%s was empty and is now %s.", database, aside.name)


def demo_posts() -> list[Post]:
    """The synthetic posts that come with the program, in the order of their file."""
    source = resources.files("encoder") / "bundled" / "posts.jsonl"
    rows = (json.loads(line) for line in source.read_text("utf-8").split("\n") if line.strip())
    return [_demo_post(row) for row in rows]


def demo_import(store: Store) -> int | None:
    """The number of the import that brought the demo posts, or None once they are gone or never came."""
    number = store.setting(DEMO_IMPORT)
    return None if number is None else int(number)


def remove_demo_posts(store: Store) -> dict[str, int]:
    """Take the demo posts out, with what was annotated on them. Returns {"posts", "annotations"} removed."""
    number = demo_import(store)
    if number is None:
        return {"posts": 0, "annotations": 0}
    with store.write():
        removed = store.undo_import(number)
        store.set_setting(DEMO_IMPORT, None)
    return removed


def replace_criteria(store: Store, given: CriteriaSet, *, by: str | None) -> list[Criterion]:
    """Make `given` the set in use: its criteria in their order; all others are taken out of use, not deleted.

    A set that says nothing of its subject, or of attributes, keeps what was said, as long as one of the criteria in use stays.
    """
    kept = {c.id for c in given.criteria}
    before = store.criteria()
    retired = [
        replace(c, position=len(given.criteria) + n, active=False)
        for n, c in enumerate(store.criteria(with_inactive=True))
        if c.id not in kept
    ]
    with store.write():
        saved = store.save_criteria(given.criteria, by=by)
        store.save_criteria(retired, by=by)
        another_subject = not any(c.id in kept for c in before)
        if given.about != About() or another_subject:
            save_about(store, given.about)
        if given.attributes is not None or (another_subject and store.attributes() != Attributes()):
            store.replace_attributes(given.attributes or Attributes())
    return saved


def _first_start(store: Store, settings: Settings) -> None:
    given = default_set() if settings.criteria is None else read_criteria_set(settings.criteria)
    store.save_criteria(given.criteria)
    save_about(store, given.about)
    if given.attributes is not None:
        store.replace_attributes(given.attributes)
    if not settings.empty:
        _import_demo_posts(store)
    register_bundled(store)
    with_gemma = settings.first_model == "auto" and gemma_is_ready()
    store.activate_model(GEMMA_ID if with_gemma else BUNDLED_ID, by=None, note="first start")


def _tell_about(store: Store) -> None:
    """A project from before criteria sets said what they are about: with the default criteria it is about their subject."""
    default = default_set()
    ours = {c.id for c in default.criteria} <= {c.id for c in store.criteria()}
    save_about(store, default.about if ours else About())


def _import_demo_posts(store: Store) -> None:
    posts = demo_posts()
    number = store.start_import("posts.jsonl (demo)", "demo")
    added, known = store.add_posts(posts, import_id=number)
    store.finish_import(number, {"imported": added, "duplicates": len(known), "rejected": []})
    store.set_setting(DEMO_IMPORT, number)
    store.set_setting(OPENING, SHOWCASE)


def _demo_post(row: dict[str, Any]) -> Post:
    meta = {k: v for k, v in row.items() if k not in ("post_id", "id", "text", "author", "split")}
    return Post(
        id=row.get("post_id") or row["id"], text=row["text"], author=row.get("author"), source="demo", meta=meta
    )


def problems_of(project: Project) -> list[str]:
    """Everything that is not as it should be, one line each; empty if all is well. Reads only."""
    readers = readable_by_others(project.settings)
    found = _database_problems(project.store)
    if found:  # what else there is cannot be read
        return [*found, *readers]
    return [*_span_problems(project.store), *_model_problems(project), *readers]


def _database_problems(store: Store) -> list[str]:
    try:
        store.check_whole()
        verify(store.path)
    except (StoreUnavailable, BackupInvalid) as error:
        return [str(error)]
    return []


def _span_problems(store: Store) -> list[str]:
    """Spans outside their post, and texts that are no longer what was imported."""
    lengths: dict[str, int] = {}
    problems = []
    for post in store.iter_posts():
        lengths[post.id] = len(post.text)
    for annotation in store.iter_annotations():
        spans = (*(s.span for s in annotation.spans), *annotation.rejected, *annotation.undecided)
        for span in spans:
            if span.end > lengths.get(annotation.post_id, 0):
                problems.append(
                    str(
                        InvalidRecord(
                            f"Revision {annotation.id}: span {span.start}:{span.end} runs past post {annotation.post_id}."
                        )
                    )
                )
    return problems


def _model_problems(project: Project) -> list[str]:
    problems = []
    for model in project.store.models():
        folder = project.settings.models_dir / model.path
        elsewhere = is_bundled(model) or "/" in model.path
        if model.status is not ModelStatus.DELETED and not elsewhere and not (folder / MODEL_FILE).is_file():
            problems.append(f"Model version {model.id}: {folder} holds no model.")
    if project.store.active_model() is None:
        problems.append("No model is in service.")
    return problems
