"""What the Adjudicate page is told beside its queue."""

from __future__ import annotations

import dataclasses

from annotator.models.serving import ModelService
from annotator.project import Project
from annotator.settings import Settings
from annotator.ui.adjudicate import ANSWERS
from annotator.ui.context import Context
from storage.jobs import Jobs
from storage.records import Reviewer, Role
from storage.store import Store
from tests.builders import SLEEP, a_post, an_annotation

JUDGE = Reviewer("judy", Role.ADJUDICATOR)


def test_of_the_criteria_out_of_use_those_are_offered_that_somebody_answered(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    store.add_annotation(an_annotation(post, "I cannot sleep."), expected_revision=0)
    store.save_criteria([dataclasses.replace(c, active=False) for c in store.criteria()])
    settings = Settings(data_dir=store.path.parent)
    context = Context(Project(settings, store, Jobs(store)), ModelService(store, settings))
    found = ANSWERS["adjudicate_queue"](context, {}, JUDGE)
    assert found["criteria"] == [{"id": SLEEP.id, "name": f"{SLEEP.name} (out of use)"}]
