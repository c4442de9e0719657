"""Is a project whole? What `evidence check` looks at; reads only."""

from __future__ import annotations

from annotator.bootstrap import BUNDLED_PATH, Project
from storage.backup import BackupInvalid, verify
from storage.records import InvalidRecord, ModelStatus
from storage.store import Store

MODEL_FILE = "config.json"


def problems_of(project: Project) -> list[str]:
    """Everything that is not as it should be, one line each; empty if all is well."""
    return [*_database_problems(project.store), *_span_problems(project.store), *_model_problems(project)]


def _database_problems(store: Store) -> list[str]:
    try:
        verify(store.path)
    except BackupInvalid as error:
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
        elsewhere = model.path == BUNDLED_PATH or "/" in model.path
        if model.status is not ModelStatus.DELETED and not elsewhere and not (folder / MODEL_FILE).is_file():
            problems.append(f"Model version {model.id}: {folder} holds no model.")
    if project.store.active_model() is None:
        problems.append("No model is in service.")
    return problems
