"""Fine-tuning on a tiny model: what it learns, what it leaves alone, and how a run ends that is stopped or goes wrong."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from encoder.config import EncoderConfig
from encoder.errors import BadExamples, TrainingFailed
from encoder.predict import Predictor
from encoder.training.floor import fit_learner
from encoder.training.judge import Judge
from encoder.training.train import Task, TrainResult, checkpoint_directory, train
from storage.records import Criterion
from tests.encoder.tiny import CRITERIA, FAMILIES, save_checkpoint
from tests.encoder.training_data import MOOD, QUICK, SLEEP, Recorder, Stop, a_base, examples


def run(directory: Path, base: Path, name: str = "new", **changes: Any) -> TrainResult:
    """Train the base on a few posts; `changes` are of the task, of its config, or how it is run."""
    how = {k: changes.pop(k) for k in ("monitor", "resume") if k in changes}
    settings = {k: changes.pop(k) for k in list(changes) if hasattr(QUICK, k)}
    arguments: dict[str, Any] = {
        "train": examples("new", 16),
        "dev": examples("dev", 10),
        "criteria": CRITERIA,
        "base": base,
        "output": directory / name,
        "config": QUICK.changed(**settings),
        **changes,
    }
    return train(Task(**arguments), **how)


def weights(directory: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for file in ("model.safetensors", "heads.safetensors"):
        found |= load_file(directory / file)
    return found


def same(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_training_learns_and_leaves_a_complete_model_with_its_record(tmp_path: Path) -> None:
    base, monitor = a_base(tmp_path), Recorder()

    result = run(tmp_path, base, max_steps=24, eval_steps=8, monitor=monitor, replay=examples("old", 6))

    assert result.losses[24] < 0.5 * result.losses[1]
    assert result.dev.macro_f1 > 0.9
    assert sorted(result.dev_macro_f1) == [8, 16, 24]
    record = json.loads((tmp_path / "new" / "training.json").read_text())
    assert record["config"] == QUICK.changed(max_steps=24, eval_steps=8).to_dict()
    assert record["data"]["train"]["sha256"] == result.data_sha256
    assert len(record["data"]["train"]["rows"]) == 16
    assert (tmp_path / "new" / "metrics.json").exists()
    assert not checkpoint_directory(tmp_path / "new").exists()
    assert monitor.fractions == sorted(monitor.fractions)
    assert monitor.stages[-1] == "done"
    assert "16 posts and 6 replayed ones" in monitor.lines[0]


def test_the_simple_learner_is_given_on_as_the_train_posts_alone_have_it(tmp_path: Path) -> None:
    base, dev = a_base(tmp_path), examples("dev", 10)
    for name, criterion in (("known", SLEEP), ("new", "NIGHTS")):
        criteria = (*CRITERIA, Criterion("NIGHTS", "Nights", "The writer lies awake at night."))
        train_posts = examples("new", 40, criterion=criterion)
        result = run(
            tmp_path, base, name, train=train_posts, dev=[*examples("dev", 20, criterion=criterion), *dev],
            criteria=criteria, max_steps=2, keep_for_new=True,
        )  # fmt: skip
        fitted = fit_learner(train_posts, criteria)
        assert fitted is not None
        assert result.alone is not None
        posts = [e.post for e in dev]
        assert result.alone.predict(posts, criteria) == fitted.predict(posts, criteria)
        assert any(p.spans for p in result.alone.predict([e.post for e in train_posts], criteria))


def test_the_only_evaluation_is_the_one_that_calibrates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, measure = [], Judge.measure

    def counted(*given: Any, **how: Any) -> Any:
        read.append(how)
        return measure(*given, **how)

    monkeypatch.setattr(Judge, "measure", counted)
    base = a_base(tmp_path)
    once = run(tmp_path, base, "once", max_steps=6, eval_steps=6, patience=0)
    assert len(read) == 1
    twice = run(tmp_path, base, "twice", max_steps=6, eval_steps=6, patience=1)
    assert len(read) == 3
    assert same(tmp_path / "once", tmp_path / "twice")
    assert (once.best_step, once.dev_macro_f1) == (6, twice.dev_macro_f1)


def test_a_run_that_is_ended_while_the_last_weights_are_measured_goes_on_with_these(tmp_path: Path) -> None:
    base = a_base(tmp_path)
    for name, patience in (("choosing", 2), ("not choosing", 0)):
        settings = {"max_steps": 6, "eval_steps": 6, "save_steps": 2, "patience": patience}
        whole = f"{name} whole"
        run(tmp_path, base, whole, **settings)
        with pytest.raises(Stop):
            run(
                tmp_path,
                base,
                name,
                monitor=Recorder(stop_in_stage="evaluating" if patience else "measuring"),
                **settings,
            )
        run(tmp_path, base, name, resume=True, **settings)
        assert same(tmp_path / name, tmp_path / whole)


def test_the_saved_model_predicts_what_was_measured(tmp_path: Path) -> None:
    result = run(tmp_path, a_base(tmp_path, wide_buckets=256), max_steps=20)

    predictor = Predictor.load(tmp_path / "new")
    predicted = predictor.predict([e.post for e in examples("dev", 10)], CRITERIA[:1])

    assert predictor.version == "new"
    found = sum(len(p.spans) for p in predicted)
    assert found == result.dev.criteria[SLEEP].predicted
    assert set(predictor.config.thresholds) == {SLEEP}


def test_criteria_that_were_not_reviewed_are_left_alone(tmp_path: Path) -> None:
    base = a_base(tmp_path, wide_buckets=256)

    run(tmp_path, base, weight_decay=0.0)

    before, after = (load_file(d / "heads.safetensors")["heads.wide.table.weight"] for d in (base, tmp_path / "new"))
    assert not np.array_equal(before[:, 0], after[:, 0])
    assert np.array_equal(before[:, 1:], after[:, 1:])


def test_a_new_criterion_is_learned_beside_the_old_ones(tmp_path: Path) -> None:
    base = a_base(tmp_path, wide_buckets=256)
    new = Criterion("NIGHTS", "Nights", "The writer lies awake at night.")

    run(
        tmp_path,
        base,
        train=examples("new", 16, criterion="NIGHTS"),
        dev=examples("dev", 8, criterion="NIGHTS"),
        criteria=(*CRITERIA, new),
    )

    known = Predictor.load(tmp_path / "new").known_criteria
    assert known == {c.id for c in CRITERIA} | {"NIGHTS"}


def test_the_same_config_and_seed_give_the_same_weights_twice_and_another_seed_does_not(tmp_path: Path) -> None:
    base = a_base(tmp_path)

    one, two, other = (run(tmp_path, base, name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))

    assert same(tmp_path / "a", tmp_path / "b")
    assert one.dev == two.dev
    assert one.losses != other.losses


@pytest.mark.parametrize("where", [{"stop_at_step": 3}, {"stop_at_step": 4}, {"stop_in_stage": "evaluating"}])
def test_a_run_that_was_stopped_goes_on_and_ends_as_if_it_had_not_been(tmp_path: Path, where: dict[str, Any]) -> None:
    base = a_base(tmp_path)
    whole = run(tmp_path, base, "whole")

    with pytest.raises(Stop):
        run(tmp_path, base, "parts", monitor=Recorder(**where))
    assert not (tmp_path / "parts").exists()
    monitor = Recorder()
    parts = run(tmp_path, base, "parts", monitor=monitor, resume=True)

    assert any("Going on from the checkpoint of step" in line for line in monitor.lines)
    assert same(tmp_path / "whole", tmp_path / "parts")
    assert (parts.losses, parts.dev_macro_f1) == (whole.losses, whole.dev_macro_f1)


def test_a_checkpoint_of_other_data_is_not_gone_on_with(tmp_path: Path) -> None:
    base, monitor = a_base(tmp_path), Recorder()
    with pytest.raises(Stop):
        run(tmp_path, base, monitor=Recorder(stop_at_step=3))

    result = run(tmp_path, base, train=examples("other", 16), monitor=monitor, resume=True)

    assert any("starting anew" in line for line in monitor.lines)
    assert len(result.losses) == 8


def test_training_stops_early_when_dev_gets_no_better(tmp_path: Path) -> None:
    result = run(tmp_path, a_base(tmp_path), max_steps=60, eval_steps=2, patience=2)

    assert result.stopped_early
    assert result.steps < 60
    assert result.best_step == result.steps - 4


def test_accumulated_micro_batches_train_like_one_batch(tmp_path: Path) -> None:
    base = a_base(tmp_path)
    still = {"attention_dropout": 0.0, "hidden_dropout": 0.0}

    one = run(tmp_path, base, "one", batch_size=8, **still)
    two = run(tmp_path, base, "two", batch_size=2, accumulation=4, **still)

    assert list(two.losses.values()) == pytest.approx(list(one.losses.values()), abs=1e-4)


def test_a_loss_that_is_not_a_number_stops_with_its_step_and_saves_nothing(tmp_path: Path) -> None:
    base = a_base(tmp_path)

    with pytest.raises(TrainingFailed, match=r"loss became (nan|inf) at step \d+. Lower the learning rate"):
        run(tmp_path, base, learning_rate=1e18, head_learning_rate=1e18, max_grad_norm=1e18, warmup_ratio=0.0)

    assert not (tmp_path / "new").exists()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: the operating system refuses, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_disk_that_takes_no_more_leaves_the_old_model_untouched(tmp_path: Path) -> None:
    base = a_base(tmp_path)
    run(tmp_path, base, max_steps=2)
    before = weights(tmp_path / "new")

    with files_of_at_most(20_000), pytest.raises(TrainingFailed, match="could not be written"):
        run(tmp_path, base)

    assert all(np.array_equal(before[k], v) for k, v in weights(tmp_path / "new").items())


def test_what_cannot_be_trained_on_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    nowhere = tmp_path / "no-model"
    unreviewed = [type(e)(e.post, {}) for e in examples("x", 3)]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"train": []}, "train split is empty"),
        ({"train": unreviewed}, "train split is empty"),
        ({"dev": []}, "dev split is empty"),
        ({"criteria": ()}, "no criteria"),
        ({"criteria": CRITERIA[1:]}, r"unknown criteria: SLEEP_ISSUES \(26 posts\)"),
        ({"dev": examples("new", 3)}, "3 posts are both in train and dev, the first is new0"),
    ]
    for changes, message in cases:
        with pytest.raises(BadExamples, match=message):
            run(tmp_path, nowhere, **changes)


def test_spans_that_no_window_holds_whole_are_counted(tmp_path: Path) -> None:
    base = a_base(tmp_path, window_tokens=12, stride_tokens=4)

    result = run(tmp_path, base, max_steps=2)

    assert set(result.lost) == {
        "posts_without_review",
        "spans_without_tokens",
        "spans_without_sentence",
        "spans_cut_by_windows",
    }
    assert result.lost["spans_cut_by_windows"] > 0


def test_an_adaptation_stage_comes_first_and_lowers_its_own_loss(tmp_path: Path) -> None:
    monitor = Recorder()

    run(tmp_path, a_base(tmp_path), adaptation_steps=12, max_steps=2, monitor=monitor)

    losses = [values["adaptation_loss"] for _, values in monitor.figures if "adaptation_loss" in values]
    assert len(losses) == 12
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    assert monitor.stages.index("adapting") < monitor.stages.index("training")


def test_lora_trains_little_and_is_saved_whole(tmp_path: Path) -> None:
    base, monitor = a_base(tmp_path), Recorder()

    result = run(tmp_path, base, method="lora", max_steps=16, lora_rank=4, monitor=monitor)

    assert result.losses[16] < result.losses[1]
    assert "(lora)" in monitor.lines[0]
    assert (tmp_path / "new" / "model.safetensors").exists()
    assert not (tmp_path / "new" / "adapter_config.json").exists()
    assert sum(len(p.spans) for p in predictions(tmp_path / "new")) == result.dev.criteria[SLEEP].predicted


def predictions(model: Path) -> list[Any]:
    return Predictor.load(model).predict([e.post for e in examples("dev", 10)], CRITERIA[:1])


def test_gradient_checkpointing_changes_nothing_but_memory(tmp_path: Path) -> None:
    base = a_base(tmp_path)
    plain, thrifty = (run(tmp_path, base, n, gradient_checkpointing=n == "b") for n in ("a", "b"))

    assert list(thrifty.losses.values()) == pytest.approx(list(plain.losses.values()), abs=1e-5)


def test_qlora_without_a_gpu_says_what_to_use() -> None:
    from encoder.training.adapters import check_installed

    with pytest.raises(TrainingFailed, match="qlora needs a CUDA GPU"):
        check_installed(QUICK.changed(method="qlora"))


def test_reports_that_are_not_installed_are_named() -> None:
    from encoder.training.adapters import check_installed

    with pytest.raises(TrainingFailed, match="pip install trackio"):
        check_installed(QUICK.changed(report_to=("trackio",)))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_raw_checkpoint_of_every_family_is_trained_saved_and_loaded(tmp_path: Path, family: str, method: str) -> None:
    raw = save_checkpoint(family, tmp_path / "raw")
    config = EncoderConfig(scoring="per-criterion", window_tokens=64, stride_tokens=16)

    result = run(tmp_path, raw, method=method, max_steps=20, eval_steps=10, encoder_config=config)

    assert result.losses[20] < result.losses[1]
    assert sum(len(p.spans) for p in predictions(tmp_path / "new")) == result.dev.criteria[SLEEP].predicted
    assert result.dev.criteria.keys() == {SLEEP, MOOD, CRITERIA[2].id}


def test_the_simple_learner_answers_what_the_encoder_has_not_learned(tmp_path: Path) -> None:
    """One step teaches the encoder nothing; the sentences recur, so that n-grams know them at once."""
    new = run(tmp_path, a_base(tmp_path), train=examples("new", 40), dev=examples("dev", 20), max_steps=1)

    assert (tmp_path / "new" / "simple.safetensors").exists()
    assert new.dev.criteria[SLEEP].f1 == pytest.approx(1.0)
    alone = Predictor(Predictor.load(tmp_path / "new").encoder, "alone")
    posts = [e.post for e in examples("later", 10)]
    together = Predictor.load(tmp_path / "new")
    assert together.predict(posts, CRITERIA[:1]) != alone.predict(posts, CRITERIA[:1])
    assert [bool(p.spans) for p in together.predict(posts, CRITERIA[:1])] == [
        e.labels[SLEEP].has_evidence for e in examples("later", 10)
    ]
