"""A small project worth a snapshot: decisions, an account, and two model versions of its own, the second in service."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from annotator.project import Project, open_project
from annotator.settings import Settings
from annotator.snapshots.archive import Snapshots
from annotator.snapshots.targets import open_target
from storage.records import ModelVersion, Role
from tests.annotator.model_directories import a_model_directory
from tests.builders import a_post, an_annotation

KEY = "correct horse battery staple"


def a_project(data_dir: Path, **changes: Any) -> Project:
    """One decision by ana, who can sign in; the versions v1 and v2, v2 in service."""
    settings = Settings(data_dir=data_dir, empty=True, **changes)
    project = open_project(settings)
    store = project.store
    store.add_reviewer("ana", Role.ADMIN, password_hash="x")
    decide(project, 1)
    for number in (1, 2):
        directory = a_model_directory(settings.models_dir / f"v{number}")
        save_file({"weight": np.full((2, 3), number, dtype=np.float32)}, directory / "model.safetensors")
        store.add_model(ModelVersion(f"v{number}", f"v{number}"))
        store.activate_model(f"v{number}", by="ana")
    return project


def decide(project: Project, number: int) -> None:
    """One more post with one more decision of ana's."""
    post = a_post(f"I cannot sleep. Night {number}.", id=f"p{number}")
    project.store.add_posts([post])
    project.store.add_annotation(an_annotation(post, "I cannot sleep."), expected_revision=0)


def lose(project: Project) -> None:
    """What a restarted container finds of the data directory: nothing."""
    project.store.close()
    shutil.rmtree(project.settings.data_dir)


def at(place: Path | str, project: Project, *, key: str | None = None) -> Snapshots:
    return Snapshots(open_target(str(place)), project.settings, passphrase=key)


def begun_again(project: Project, place: Path | str) -> Project:
    """The start of an app whose settings name the place."""
    return open_project(dataclasses.replace(project.settings, snapshot_to=str(place)))


def decisions(project: Project) -> list[str]:
    """The posts that somebody decided on."""
    return sorted(a.post_id for a in project.store.iter_annotations())
