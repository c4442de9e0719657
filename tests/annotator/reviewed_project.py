"""A small reviewed project with a tiny real model in service: enough to train, measure and swap for real."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from annotator.project import STARTED
from annotator.settings import Settings
from annotator.training.data import collect_training_data
from annotator.training.folder import write_folder
from encoder.config import TrainConfig
from storage.jobs import Jobs
from storage.records import AnnotatedSpan, Annotation, ModelVersion, Post, Role, Split
from storage.store import Store, open_store
from tests.encoder.tiny import CRITERIA
from tests.encoder.training_data import a_base, an_example

QUICK = TrainConfig(
    max_steps=6,
    learning_rate=3e-3,
    head_learning_rate=1e-2,
    batch_size=4,
    eval_steps=3,
    save_steps=2,
    threads=1,
    patience=0,
)
SPLITS = {Split.TRAIN: 8, Split.DEV: 5, Split.TEST: 4}


def a_reviewed_project(data_dir: Path, *, unreviewed: int = 3) -> Settings:
    """Posts reviewed for sleep problems in all splits, some unreviewed ones, and the version `base` in service."""
    store = open_store(data_dir)
    store.save_criteria(CRITERIA[:2])
    store.ensure_reviewer("ana", Role.ADMIN)
    for split, count in SPLITS.items():
        for number in range(count):
            review(store, number, str(split), split)
    for number in range(unreviewed):
        store.add_posts([dataclasses.replace(an_example(number, "open").post, split=Split.TRAIN)])
    base = a_base(data_dir / "models")
    store.add_model(ModelVersion("base", base.name))
    store.activate_model("base", by=None)
    store.set_setting(STARTED, True)  # opening it must not fill it with the demo
    store.close()
    return Settings(data_dir=data_dir, device="cpu", threads=1, predict_ahead=0)


def review(store: Store, number: int, kind: str, split: Split) -> Post:
    """Add a post and review it for sleep problems, as the example says."""
    example = an_example(number, kind)
    post = dataclasses.replace(example.post, split=split)
    store.add_posts([post])
    for criterion_id, label in example.labels.items():
        spans = tuple(AnnotatedSpan(s.start, s.end) for s in label.spans)
        store.add_annotation(
            Annotation(post.id, criterion_id, "ana", label.verdict, spans, label.rejected), expected_revision=0
        )
    return post


def opened(settings: Settings) -> tuple[Store, Jobs]:
    store = open_store(settings.data_dir)
    return store, Jobs(store)


def a_training_folder(settings: Settings, store: Store, folder: Path) -> Path:
    """A training of the project that carries its base, so that it can leave this machine."""
    collect_training_data(store, folder, replay=None)
    source = str(settings.models_dir / "base")
    write_folder(folder, config=QUICK, base_id="base", source=source, carry_base=True)
    return folder
