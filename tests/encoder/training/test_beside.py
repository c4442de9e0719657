from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from encoder.errors import BadExamples
from encoder.network.lower import layers_of
from encoder.network.views import Viewer, view_layers
from encoder.predict import Predictor
from encoder.seen import seen_by
from encoder.simple.deep import Deep
from encoder.simple.features import features_of
from encoder.simple.files import load_learner
from encoder.simple.learner import SimpleLearner
from encoder.simple.logistic import Linear
from encoder.training.beside import held_to_the_floor, is_all_new
from encoder.training.estimate import Amount, estimate
from encoder.training.result import TRAINING_FILE
from encoder.training.train import Task, checkpoint_directory, train
from encoder.turns import Turns
from storage.records import Criterion, Post
from tests.encoder.tiny import CRITERIA, tiny_encoder
from tests.encoder.training_data import QUICK, SLEEP, Recorder, a_base, examples

NEW = Criterion("NIGHTS", "Nights", "The writer lies awake at night.")
CONFIG = QUICK.changed(keep_for_new=True)


def a_task(directory: Path, base: Path, *, criterion: str = "NIGHTS", count: int = 40) -> Task:
    return Task(
        examples("new", count, criterion=criterion),
        [*examples("dev", 20, criterion=criterion), *examples("old", 12)],
        (*CRITERIA, NEW),
        base=base,
        output=directory / "made",
        config=CONFIG,
    )


def test_a_base_that_knows_none_of_the_criteria_stays_as_it_is_and_is_learned_beside(tmp_path: Path) -> None:
    base, monitor = a_base(tmp_path), Recorder()
    task = a_task(tmp_path, base)

    stopped = checkpoint_directory(task.output)
    stopped.mkdir()

    result = train(task, monitor=monitor)

    assert any(0.88 <= done < 0.97 for done in monitor.fractions)  # heard while it learns from the dev posts
    assert not stopped.exists()
    assert result.lost["criteria_with_one_answer_only"] == 0
    made = tmp_path / "made"
    for name in ("model.safetensors", "heads.safetensors", "tokenizer.json"):
        assert (made / name).read_bytes() == (base / name).read_bytes()
    assert (result.steps, result.dev.criteria["NIGHTS"].f1) == (0, 1.0)
    assert monitor.fractions == sorted(monitor.fractions)
    predictor = Predictor.load(made)
    assert predictor.known_criteria == {*(c.id for c in CRITERIA), "NIGHTS"}
    assert predictor.config.thresholds.keys() == {
        SLEEP
    }  # fitted on the dev posts, as those of the model in service will be
    nights = [e for e in task.dev if "NIGHTS" in e.labels]
    assert [
        learner.fits["NIGHTS"].settled.posts
        for as_measured in (False, True)
        if (learner := load_learner(made, as_measured=as_measured))
    ] == [len(task.train) + len(nights), len(task.train)]
    assert seen_by(made).count(e.post.text for e in task.dev) == {"train": len(task.dev), "dev": 0}
    assert seen_by(made).as_measured().count(e.post.text for e in task.dev) == {"train": 0, "dev": len(task.dev)}
    assert json.loads((made / TRAINING_FILE).read_text("utf-8"))["dev_learned"] is True
    found = predictor.predict([e.post for e in nights], [NEW])
    assert [bool(p.spans) for p in found] == [e.labels["NIGHTS"].has_evidence for e in nights]
    harmful = Deep(
        Linear(np.zeros((32, 1)), np.ones(1)), Linear(np.zeros((32, 3)), np.zeros(3)), np.array([-1.0, 0, 0]), None
    )
    fit = SimpleLearner.fit(task.train, [NEW]).fits["NIGHTS"]
    worse = SimpleLearner({"NIGHTS": replace(fit, deep=harmful, alone=fit.settled)})
    assert not held_to_the_floor(task, predictor, worse).sees("NIGHTS")
    equal = replace(fit, deep=replace(harmful, sentence_mix=np.array([1.0, 0, 0])), alone=fit.settled)
    both = SimpleLearner({"NIGHTS": worse.fits["NIGHTS"], SLEEP: equal})
    assert [held_to_the_floor(task, predictor, both).sees(key) for key in ("NIGHTS", SLEEP)] == [False, True]
    evenings = replace(NEW, id="EVENINGS")
    later, later_dev = (
        [replace(e, labels={"EVENINGS": e.labels["NIGHTS"]}) for e in es] for es in (task.train, nights)
    )
    again = train(Task(later, later_dev, (*CRITERIA, evenings), base=made, output=tmp_path / "again", config=CONFIG))
    assert again.dev.criteria["EVENINGS"].f1 == 1.0
    assert (load_learner(again.output, as_measured=True) or SimpleLearner({})).fits.keys() == {"NIGHTS", "EVENINGS"}
    kept = Predictor.load(again.output)
    assert kept.known_criteria == {*predictor.known_criteria, "EVENINGS"}
    assert [p.spans for p in kept.predict([e.post for e in nights], [NEW])] == [p.spans for p in found]
    assert estimate(Amount(task.train, task.dev), CONFIG, base=base).steps == 0
    sleep = [examples("sleep", 12), examples("more", 8)]
    stepped = train(Task(*sleep, CRITERIA, base=made, output=tmp_path / "stepped", config=CONFIG))
    assert stepped.steps > 0
    assert json.loads((stepped.output / TRAINING_FILE).read_text("utf-8"))["dev_learned"] is False
    for as_measured, posts in ((True, len(task.train)), (False, len(task.train) + len(nights))):
        learner = load_learner(stepped.output, as_measured=as_measured)
        assert learner is not None
        assert learner.fits["NIGHTS"].settled.posts == posts


def test_a_criterion_that_the_base_knows_is_trained_with_steps(tmp_path: Path) -> None:
    base = a_base(tmp_path)
    assert not is_all_new(base, CONFIG, frozenset({SLEEP, "NIGHTS"}))
    assert not is_all_new(base, QUICK, frozenset({"NIGHTS"}))


def test_a_view_holds_the_means_of_what_the_lower_layers_make_of_each_word(tmp_path: Path) -> None:
    encoder = tiny_encoder(window_tokens=8, stride_tokens=0)
    computed: list[int] = []
    for number, layer in enumerate(layers_of(encoder.backbone)):
        layer.register_forward_hook(lambda m, i, o, number=number: computed.append(number))
    post = Post("p", "I cannot sleep. \U0001f642 The dog is well today, and so am I.")
    features = features_of(post.text)
    viewer = Viewer(encoder, Turns())

    heard: list[float] = []
    view = viewer.view(post, features, heard.append)

    assert (len(heard) > 1, heard == sorted(heard), heard[-1]) == (True, True, 1.0)
    assert set(computed) == set(range(view_layers(encoder)[-1]))
    assert (view.words.shape, view.sentences.shape) == ((len(features.words), 32), (len(features.sentences), 32))
    first = viewer.view(Post("q", "I cannot sleep."), features_of("I cannot sleep."))
    assert not np.allclose(view.words[0], view.words[1])
    assert first.words.shape == (4, 32)
    with torch.inference_mode():  # the hook is gone: everything is computed again
        ids = torch.tensor([[2, 10, 11]])
        encoder.hidden_states(ids, torch.ones_like(ids))
    assert computed[-1] == len(layers_of(encoder.backbone)) - 1


def test_a_new_criterion_without_a_mark_of_evidence_is_not_trained_on(tmp_path: Path) -> None:
    task = a_task(tmp_path, a_base(tmp_path))
    only_no = [e for e in task.train if not e.labels["NIGHTS"].has_evidence]
    with pytest.raises(BadExamples, match="Mark some, then train"):
        train(replace(task, train=only_no))
    assert not task.output.exists()
