from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from annotator.project import (
    BUNDLED_ID,
    default_criteria,
    demo_import,
    demo_posts,
    open_project,
    remove_demo_posts,
    replace_criteria,
)
from annotator.review.decisions import READING, WHOLE_POST
from annotator.settings import Settings
from storage.attributes import Attributes, CriteriaSet
from storage.records import Role, StoreUnavailable
from storage.serving import is_served, serving_alone
from tests.builders import MOOD, SLEEP, an_annotation


def settings_in(folder: Path, **changes: object) -> Settings:
    return Settings(data_dir=folder / "project", **changes)  # type: ignore[arg-type]


def test_the_first_start_brings_criteria_posts_and_a_model_in_service(tmp_path: Path) -> None:
    project = open_project(settings_in(tmp_path))
    assert [c.id for c in project.store.criteria()] == [c.id for c in default_criteria()]
    assert project.store.count_posts() == len(demo_posts()) > 0
    active = project.store.active_model()
    assert active is not None
    assert active.id == BUNDLED_ID
    assert project.store.reviewer("local").role is Role.ADMIN
    assert project.store.setting(READING) == WHOLE_POST


def test_the_second_start_brings_nothing_back_that_was_removed(tmp_path: Path) -> None:
    project = open_project(settings_in(tmp_path))
    remove_demo_posts(project.store)
    again = open_project(settings_in(tmp_path))
    assert again.store.count_posts() == 0
    assert len(again.store.models()) == 1


def test_an_empty_project_has_criteria_and_a_model_but_no_posts(tmp_path: Path) -> None:
    project = open_project(settings_in(tmp_path, empty=True))
    assert project.store.count_posts() == 0
    assert demo_import(project.store) is None
    assert len(project.store.criteria()) == 9
    assert project.store.active_model() is not None


def test_a_new_project_can_begin_with_ones_own_criteria(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("- {id: HOPE, text: The writer hopes.}\n")
    project = open_project(settings_in(tmp_path, empty=True, criteria=own))
    assert [c.id for c in project.store.criteria()] == ["HOPE"]


def test_a_bad_criteria_file_leaves_nothing_half_begun(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("nonsense")
    with pytest.raises(Exception, match="no list of criteria"):
        open_project(settings_in(tmp_path, criteria=own))
    project = open_project(settings_in(tmp_path))
    assert len(project.store.criteria()) == 9


def test_removing_the_demo_posts_takes_their_annotations_along(tmp_path: Path) -> None:
    store = open_project(settings_in(tmp_path)).store
    post = store.post(demo_posts()[0].id)
    store.add_annotation(an_annotation(post, reviewer="local"), expected_revision=0)
    removed = remove_demo_posts(store)
    assert removed == {"posts": len(demo_posts()), "annotations": 1}
    assert demo_import(store) is None
    assert remove_demo_posts(store) == {"posts": 0, "annotations": 0}


def test_replaced_criteria_are_out_of_use_but_not_gone(tmp_path: Path) -> None:
    store = open_project(settings_in(tmp_path)).store
    replace_criteria(store, CriteriaSet((MOOD, SLEEP)), by="local")
    assert {c.id for c in store.criteria()} == {"SLEEP_ISSUES", "DEPRESSED_MOOD"}
    assert len(store.criteria(with_inactive=True)) == 9


def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "project").write_text("not a directory")
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        open_project(settings_in(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_directory_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreUnavailable, match="--data-dir"):
        open_project(settings_in(tmp_path))


def test_a_second_app_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    with serving_alone(tmp_path), pytest.raises(StoreUnavailable, match="Another app"), serving_alone(tmp_path):
        pass
    assert not is_served(tmp_path)
    with serving_alone(tmp_path):
        assert is_served(tmp_path)


def test_a_criteria_set_defines_attributes_and_one_that_says_nothing_of_them_keeps_them(tmp_path: Path) -> None:
    store = open_project(Settings(data_dir=tmp_path, empty=True)).store
    flags = Attributes(flags=("past",))
    replace_criteria(store, CriteriaSet((MOOD, SLEEP), attributes=flags), by=None)
    replace_criteria(store, CriteriaSet((SLEEP,)), by=None)
    assert store.attributes() == flags
    bees = dataclasses.replace(MOOD, id="BEES")
    replace_criteria(store, CriteriaSet((bees,)), by=None)  # about something else
    assert (store.attributes().flags, store.attributes().retired_flags) == ((), ("past",))
