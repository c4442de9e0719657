"""Opening a project: the data directory, its store, and what a first start puts in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

from annotator.criteria import default_criteria
from annotator.settings import Settings
from storage.jobs import Jobs
from storage.records import Criterion, ModelVersion, Post, Role, StoreUnavailable
from storage.store import Store, open_store

BUNDLED_ID = "demo"
BUNDLED_PATH = "bundled"
STARTED = "project_started"
DEMO_IMPORT = "demo_import"


@dataclass(frozen=True, slots=True)
class Project:
    """One opened data directory."""

    settings: Settings
    store: Store
    jobs: Jobs


def open_project(settings: Settings) -> Project:
    """Open the project of `settings.data_dir`; on the first start fill it with the default criteria, the demo posts
    and the bundled model (only the model if `settings.empty`). Raises StoreUnavailable.
    """
    try:
        for folder in (settings.data_dir, settings.models_dir, settings.backups_dir, settings.uploads_dir):
            folder.mkdir(parents=True, exist_ok=True)
        settings.uploads_dir.chmod(0o700)
    except OSError as error:
        raise StoreUnavailable(
            f"The data directory {settings.data_dir} cannot be written ({error.strerror or error})."
            " Choose another with --data-dir, or change its permissions."
        ) from error
    store = open_store(settings.data_dir)
    with store.write():
        if store.setting(STARTED) is None:
            _first_start(store, empty=settings.empty)
            store.set_setting(STARTED, True)
        store.ensure_reviewer(settings.local_reviewer, Role.ADMIN)
    return Project(settings, store, Jobs(store))


def demo_posts() -> list[Post]:
    """The synthetic posts that come with the program, in the order of their file."""
    source = resources.files("encoder") / "demo" / "posts.jsonl"
    if not source.is_file():  # DEV-ONLY: until the file is there
        texts = ("I cannot sleep. The dog is well.", "Everything feels empty 😞 and I lie awake until four. I am a burden to everyone.")
        return [_demo_post({"post_id": f"demo-{n}", "text": t}) for n, t in enumerate(texts)]
    rows = (json.loads(line) for line in source.read_text("utf-8").splitlines() if line.strip())
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


def replace_criteria(store: Store, criteria: list[Criterion], *, by: str | None) -> list[Criterion]:
    """Make `criteria` the set in use: they are stored, in their order; all others are taken out of use, not deleted."""
    kept = {c.id for c in criteria}
    retired = [
        Criterion(c.id, c.name, c.text, c.guideline, c.version, len(criteria) + n, active=False)
        for n, c in enumerate(store.criteria(with_inactive=True))
        if c.id not in kept
    ]
    with store.write():
        saved = store.save_criteria(criteria, by=by)
        store.save_criteria(retired, by=by)
    return saved


def _first_start(store: Store, *, empty: bool) -> None:
    if not empty:
        store.save_criteria(default_criteria())
        _import_demo_posts(store)
    store.add_model(_bundled_model())
    store.activate_model(BUNDLED_ID, by=None, note="first start")


def _import_demo_posts(store: Store) -> None:
    posts = demo_posts()
    number = store.start_import("posts.jsonl (demo)", "demo")
    added, known = store.add_posts(posts, import_id=number)
    store.finish_import(number, {"imported": added, "duplicates": len(known), "rejected": []})
    store.set_setting(DEMO_IMPORT, number)


def _demo_post(row: dict[str, Any]) -> Post:
    meta = {k: v for k, v in row.items() if k not in ("post_id", "id", "text", "author", "split")}
    return Post(id=row.get("post_id") or row["id"], text=row["text"], author=row.get("author"), source="demo", meta=meta)


def _bundled_model() -> ModelVersion:
    """The record of the model inside the package, with its own measured quality."""
    folder = resources.files("encoder") / "demo" / "model"
    metrics = folder / "metrics.json"
    return ModelVersion(
        id=BUNDLED_ID,
        path=BUNDLED_PATH,
        base="trained from scratch on the demo corpus",
        metrics=json.loads(metrics.read_text("utf-8")) if metrics.is_file() else {},
        note="Bundled with the program; trained on synthetic posts only.",
    )
