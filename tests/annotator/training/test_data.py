"""The data of a training: what is taken, what is left out, and that it stays the same."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from annotator.training.data import (
    DATA_FILE,
    MANIFEST_FILE,
    NothingToTrain,
    bundled_replay,
    collect_training_data,
    read_training_data,
)
from annotator.training.plan import LeftOut, plan_training
from encoder.examples import Example, Label
from storage.records import Criterion, EvidenceError, ModelVersion, Role, Split, Verdict
from storage.store import Store
from storage.team_records import Adjudication, Outcome
from tests.builders import MOOD, SLEEP, a_post, a_span, accepted, an_annotation


@pytest.fixture
def reviewed(store: Store) -> Store:
    """Two training posts, a dev and a test post, all reviewed for sleep."""
    for name, split in (("t1", Split.TRAIN), ("t2", Split.TRAIN), ("d1", Split.DEV), ("x1", Split.TEST)):
        post = a_post(f"I cannot sleep. The dog {name} is well.", id=name, split=split)
        store.add_posts([post])
        store.add_annotation(an_annotation(post, "I cannot sleep."), expected_revision=0)
    return store


def test_the_snapshot_holds_the_gold_by_split_and_the_ids_of_its_rows(reviewed: Store, tmp_path: Path) -> None:
    found = collect_training_data(reviewed, tmp_path / "work", replay=None)
    assert [e.post.id for e in found.train] == ["t1", "t2"]
    assert ([e.post.id for e in found.dev], [e.post.id for e in found.test]) == (["d1"], ["x1"])
    post = found.train[0].post
    assert found.train[0].labels == {SLEEP.id: Label(Verdict.EVIDENCE, (a_span(post, "I cannot sleep."),))}
    assert found.annotations == (1, 2, 3, 4)
    assert found.last_annotation == 4


def test_a_snapshot_is_taken_once_and_read_back_equal(reviewed: Store, tmp_path: Path) -> None:
    first = collect_training_data(reviewed, tmp_path / "work", replay=None)
    late = a_post("I cannot sleep. Too late.", id="late")
    reviewed.add_posts([late])
    reviewed.add_annotation(an_annotation(late, "I cannot sleep."), expected_revision=0)
    assert collect_training_data(reviewed, tmp_path / "work", replay=None) == first
    assert collect_training_data(reviewed, tmp_path / "other", replay=None).sha256 != first.sha256


def test_the_same_gold_gives_the_same_hash(reviewed: Store, tmp_path: Path) -> None:
    one, two = (collect_training_data(reviewed, tmp_path / name, replay=None) for name in ("a", "b"))
    assert one.sha256 == two.sha256


def test_a_file_that_was_changed_is_not_trained_on(reviewed: Store, tmp_path: Path) -> None:
    collect_training_data(reviewed, tmp_path, replay=None)
    path = tmp_path / DATA_FILE
    path.write_text(path.read_text("utf-8").replace("dog", "cat"), "utf-8")
    with pytest.raises(EvidenceError, match="has changed"):
        read_training_data(tmp_path)


def test_the_list_of_rows_holds_no_text(reviewed: Store, tmp_path: Path) -> None:
    collect_training_data(reviewed, tmp_path, replay=None)
    assert "sleep. The dog" not in (tmp_path / MANIFEST_FILE).read_text("utf-8")
    assert json.loads((tmp_path / MANIFEST_FILE).read_text("utf-8"))["annotations"] == [1, 2, 3, 4]


def test_a_snapshot_that_was_cut_off_is_taken_anew(reviewed: Store, tmp_path: Path) -> None:
    tmp_path.joinpath(DATA_FILE).write_text('{"half', "utf-8")
    assert len(collect_training_data(reviewed, tmp_path, replay=None).train) == 2


def test_a_post_of_the_project_is_never_also_replayed(reviewed: Store, tmp_path: Path) -> None:
    mine, other = a_post("I cannot sleep. The dog d1 is well.", id="copy"), a_post("An old post.", id="old")
    label = {SLEEP.id: Label(Verdict.NO_EVIDENCE)}
    old = [Example(mine, label), Example(other, label)]
    found = collect_training_data(reviewed, tmp_path, replay=lambda criteria: (old, old))
    assert [e.post.id for e in found.replay] == ["old"]
    assert [e.post.id for e in found.replay_dev] == ["old"]


def test_without_training_gold_there_is_nothing_to_train(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NothingToTrain, match="training split"):
        collect_training_data(store, tmp_path, replay=None)


def test_without_dev_posts_of_any_kind_there_is_nothing_to_watch_the_training_by(store: Store, tmp_path: Path) -> None:
    post = a_post(split=Split.TRAIN)
    store.add_posts([post])
    store.add_annotation(an_annotation(post, "I cannot sleep."), expected_revision=0)
    with pytest.raises(NothingToTrain, match="dev split"):
        collect_training_data(store, tmp_path, replay=None)


def test_the_bundled_corpus_is_replayed_for_the_criteria_that_are_in_use() -> None:
    old, held_out = bundled_replay([SLEEP])
    assert len(old) > 400
    assert len(held_out) >= 30
    assert {key for e in (*old, *held_out) for key in e.labels} == {SLEEP.id}
    assert not {e.post.text for e in old} & {e.post.text for e in held_out}
    assert bundled_replay([Criterion("OTHER", "Other", "Something else.")]) == ([], [])


def test_the_plan_counts_answers_agreement_and_what_came_since_the_last_model(reviewed: Store) -> None:
    before = plan_training(reviewed)
    sleep = next(c for c in before.criteria if c.id == SLEEP.id)
    assert (sleep.evidence, sleep.no_evidence, sleep.new, sleep.agreement) == (4, 0, 4, None)
    assert before.posts == {Split.TRAIN: 2, Split.DEV: 1, Split.TEST: 1}
    assert before.new_posts == 4
    reviewed.add_model(ModelVersion("v1", "v1", config={"data": {"last_annotation": reviewed.last_annotation_id()}}))
    reviewed.activate_model("v1", by=None)
    assert plan_training(reviewed).new_posts == 0
    new = a_post("I cannot sleep. Again.", id="n1")
    reviewed.add_posts([new])
    reviewed.add_annotation(an_annotation(new, criterion=SLEEP, model_version="v1"), expected_revision=0)
    sleep = next(c for c in plan_training(reviewed).criteria if c.id == SLEEP.id)
    assert (sleep.new, sleep.compared) == (1, 0)  # the model has not marked anything yet: there is nothing to compare
    for number, bulk in enumerate([False, True]):
        post = a_post("I cannot sleep. Again.", id=f"n{number + 2}")
        reviewed.add_posts([post])
        answer = an_annotation(post, "I cannot sleep.", criterion=SLEEP, model_version="v1", bulk=bulk)
        answer = dataclasses.replace(answer, spans=(accepted(a_span(post, "I cannot sleep.")),))
        reviewed.add_annotation(answer, expected_revision=0)
    sleep = next(c for c in plan_training(reviewed).criteria if c.id == SLEEP.id)
    assert (sleep.new, sleep.compared, sleep.agreement) == (3, 2, 1.0)  # what was confirmed together is not compared


def test_the_plan_says_what_is_left_out_and_why(reviewed: Store) -> None:
    post = reviewed.post("t1")
    reviewed.add_annotation(an_annotation(post, reviewer="ben"), expected_revision=0)
    reviewed.add_annotation(an_annotation(post, criterion=MOOD, verdict=Verdict.UNSURE), expected_revision=0)
    plan = plan_training(reviewed)
    assert plan.left_out == (
        LeftOut("the reviewers disagree and nobody has adjudicated", 1),
        LeftOut("the verdict is unsure", 1),
    )
    assert plan.posts[Split.TRAIN] == 1
    reviewed.ensure_reviewer("cid", Role.ADJUDICATOR)
    decided = Adjudication("t1", SLEEP.id, "cid", Outcome.NO_EVIDENCE, reason="it says that the dog is well")
    reviewed.add_adjudication(decided, expected_revision=0)
    assert plan_training(reviewed).posts[Split.TRAIN] == 2


def test_the_plan_of_an_unreviewed_project_says_what_is_missing(store: Store) -> None:
    assert "Review some posts first" in plan_training(store).obstacle
