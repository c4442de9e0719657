"""The store: one object for every question and event, over one SQLite database.

The methods live beside their subject (`posts`, `criteria`, `predictions`, `models`, `annotations`, …);
`connection` has `read()` and `write()`; jobs are in `storage.jobs`, snapshots in `storage.backup`.
"""

from __future__ import annotations

from pathlib import Path

from storage.accounts import AccountStore
from storage.alignments import AlignmentStore
from storage.annotations import AnnotationStore
from storage.arms import ArmStore
from storage.attempts import AttemptStore
from storage.connection import DATABASE_NAME, Connections
from storage.criteria import CriterionStore
from storage.criterion_examples import CriterionExampleStore
from storage.doubts import DoubtStore
from storage.exports import ExportStore
from storage.identities import IdentityStore
from storage.imports import ImportStore
from storage.invitations import InvitationStore
from storage.models import ModelStore
from storage.posts import PostStore
from storage.predictions import PredictionStore
from storage.progress import ProgressStore
from storage.queue import QueueStore
from storage.settings import SettingStore
from storage.team_figures import TeamFigureStore
from storage.withdrawal import WithdrawalStore
from storage.wordings import WordingStore

__all__ = ["Connections", "Store", "open_store"]


class Store(
    PostStore,
    CriterionStore,
    PredictionStore,
    ModelStore,
    AnnotationStore,
    DoubtStore,
    CriterionExampleStore,
    ArmStore,
    WordingStore,
    QueueStore,
    ProgressStore,
    AccountStore,
    InvitationStore,
    SettingStore,
    AttemptStore,
    IdentityStore,
    ImportStore,
    AlignmentStore,
    ExportStore,
    TeamFigureStore,
    WithdrawalStore,
):
    """All questions and events of one project's database. Safe to share between threads."""


def open_store(data_dir: Path) -> Store:
    """The store of a data directory, made and migrated as needed. Raises StoreUnavailable."""
    return Store(data_dir / DATABASE_NAME)
