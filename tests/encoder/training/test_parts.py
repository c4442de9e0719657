"""The parts of fine-tuning: the plan of steps, hard negatives, running out of memory, checkpoints."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from encoder.config import TrainConfig
from encoder.errors import TrainingFailed
from encoder.examples import Example, Label
from encoder.training.checkpoint import Checkpoints, Progress, optimizer_tensors, read_optimizer, read_weights
from encoder.training.monitor import SilentMonitor
from encoder.training.plan import plan_steps
from encoder.training.reader import Reader
from encoder.training.run import Run
from encoder.training.task import Task
from encoder.training.trainer import Learner, hard_negative_loss, parameter_groups
from storage.records import Verdict
from tests.encoder.tiny import CRITERIA, tiny_encoder
from tests.encoder.training_data import QUICK, SLEEP, a_base, an_example, examples

CONFIG = TrainConfig(batch_size=4, accumulation=2, epochs=2.0, replay_ratio=1.0, seed=3)


def test_every_example_is_read_before_one_comes_twice() -> None:
    plan = plan_steps([10] * 23, 23, CONFIG)

    seen = [index for step in plan.steps for index in step]
    assert sorted(seen[:23]) != seen[:23]
    assert len(plan.steps) == math.ceil(2 * 23 / 8)
    assert all(seen.count(index) in (2, 3) for index in range(23))


@pytest.mark.parametrize(("ratio", "share"), [(1.0, 0.5), (3.0, 0.75), (0.0, 0.0)])
def test_replayed_examples_have_their_share(ratio: float, share: float) -> None:
    plan = plan_steps([10] * 100, 20, CONFIG.changed(replay_ratio=ratio, max_steps=40))

    seen = [index for step in plan.steps for index in step]
    assert sum(index >= plan.new for index in seen) / len(seen) == pytest.approx(share, abs=0.01)


def test_without_examples_to_replay_every_one_is_new() -> None:
    plan = plan_steps([10] * 5, 5, CONFIG.changed(max_steps=4))

    assert {index for step in plan.steps for index in step} == set(range(5))


def test_two_processes_read_together_what_one_reads_with_a_doubled_batch() -> None:
    lengths = list(range(60))
    one = plan_steps(lengths, 60, CONFIG.changed(batch_size=8, accumulation=1))
    two = plan_steps(lengths, 60, CONFIG.changed(batch_size=4, accumulation=1), processes=2)

    for step in range(len(one.steps)):
        parts = [two.micro_batch(step, 0, process=p, processes=2, size=4) for p in (0, 1)]
        assert sorted(sum(parts, ())) == sorted(one.micro_batch(step, 0, process=0, processes=1, size=8))


def test_posts_of_similar_length_share_a_step() -> None:
    lengths = [10, 1000] * 64
    plan = plan_steps(lengths, 128, CONFIG.changed(max_steps=16))

    mixed = sum(len({lengths[i] for i in step}) > 1 for step in plan.steps)
    assert mixed <= 2


def test_a_step_keeps_its_share_of_replayed_posts_also_when_they_are_shorter() -> None:
    lengths = [500] * 20 + [50] * 80
    plan = plan_steps(lengths, 20, CONFIG.changed(max_steps=16))

    assert {sum(index >= 20 for index in step) for step in plan.steps} == {4}
    assert all([lengths[i] for i in step] == sorted(lengths[i] for i in step) for step in plan.steps)


def test_a_rejected_sentence_adds_its_own_part_of_the_loss_once_more() -> None:
    encoder = tiny_encoder()
    example = an_example(2, "p")
    rejected = example.labels[SLEEP].rejected
    assert rejected
    inputs = Reader(encoder, CRITERIA, [example], QUICK)([0], 1)
    assert inputs is not None
    scores = encoder(**inputs.tensors)["scores"].sentences

    added = hard_negative_loss(scores, inputs).item()

    reviewed = 3
    assert added == pytest.approx(torch.nn.functional.softplus(scores[0, 0, 0]).item() / reviewed, rel=1e-5)


def test_a_rejected_span_on_a_sentence_that_is_evidence_is_no_negative() -> None:
    example = an_example(0, "p")
    gold = example.labels[SLEEP].spans
    contradicting = Example(example.post, {SLEEP: Label(Verdict.EVIDENCE, gold, gold)})

    inputs = Reader(tiny_encoder(), CRITERIA, [contradicting], QUICK)([0], 1)

    assert inputs is not None
    assert inputs.hard is not None
    assert not inputs.hard.any()


def test_heads_backbone_and_table_have_their_own_learning_rates() -> None:
    model = Learner(tiny_encoder(wide_buckets=64))
    config = TrainConfig(learning_rate=1e-5, head_learning_rate=1e-3, wide_learning_rate=1e-2, weight_decay=0.1)

    groups = parameter_groups(model, config)

    rate = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    named = dict(model.named_parameters())
    assert len(rate) == len(named)
    assert rate[id(named["encoder.heads.wide.table.weight"])] == (1e-2, 0.1)
    assert rate[id(named["encoder.heads.pair.prior.bias"])] == (1e-3, 0.0)
    assert rate[id(named["encoder.backbone.embed_tokens.weight"])] == (1e-5, 0.1)


def test_heads_learn_faster_where_a_criterion_is_new_to_the_model() -> None:
    model = Learner(tiny_encoder(wide_buckets=64))
    config = TrainConfig(head_learning_rate=1e-5, new_criteria_learning_rate=1e-3)

    def head_rate() -> float:
        named = dict(model.named_parameters())
        rate = {id(p): g["lr"] for g in parameter_groups(model, config) for p in g["params"]}
        return float(rate[id(named["encoder.heads.pair.prior.bias"])])

    assert head_rate() == 1e-5
    model.encoder.learn_criteria(["SOMETHING_NEW"])
    assert head_rate() == 1e-3


def prepared(tmp_path: Path, name: str, **settings: Any) -> Run:
    config = QUICK.changed(attention_dropout=0.0, hidden_dropout=0.0, max_steps=3, eval_steps=3, **settings)
    new, dev = examples("new", 16), examples("dev", 5)
    task = Task(new, dev, CRITERIA, base=tmp_path / "base", output=tmp_path / name, config=config, device="cpu")
    return Run.prepare(task, SilentMonitor(), Checkpoints(tmp_path / f".{name}"), resume=False)


def refuse_more_than(run: Run, rows: int) -> list[int]:
    """Let the model run out of memory as a GPU does, from its forward pass; the sizes that were tried."""
    tried: list[int] = []

    def check(module: Any, args: Any, kwargs: Any) -> None:
        tried.append(len(kwargs["input_ids"]))
        if module.training and tried[-1] > rows:
            raise torch.OutOfMemoryError("CUDA out of memory")

    run.learner.register_forward_pre_hook(check, with_kwargs=True)
    return tried


@pytest.mark.parametrize("accumulation", [1, 2])
def test_out_of_memory_halves_the_posts_at_a_time_says_so_and_trains_the_same(
    tmp_path: Path, accumulation: int
) -> None:
    a_base(tmp_path)
    plain = prepared(tmp_path, "plain", accumulation=accumulation)
    small = prepared(tmp_path, "small", accumulation=accumulation)
    tried = refuse_more_than(small, 1)

    plain.train()
    small.train()

    assert [line for line in small.log_lines if "Out of memory" in line] == [
        f"Out of memory: from here on {size} posts at a time; the result stays the same." for size in (2, 1)
    ]
    assert tried[-1] == 1
    assert list(small.progress.losses.values()) == pytest.approx(list(plain.progress.losses.values()), abs=1e-5)
    for name, parameter in small.learner.named_parameters():
        assert torch.allclose(parameter, dict(plain.learner.named_parameters())[name], atol=1e-4), name


def test_out_of_memory_with_a_single_post_says_what_to_do(tmp_path: Path) -> None:
    a_base(tmp_path)
    run = prepared(tmp_path, "none")
    refuse_more_than(run, 0)

    with pytest.raises(TrainingFailed, match=r"even with one post at a time. Use gradient_checkpointing, LoRA"):
        run.train()


def test_a_checkpoint_holds_tensors_and_json_only_and_gives_the_optimizer_back(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    checkpoints = Checkpoints(tmp_path / "run")

    checkpoints.save_last(
        {n: p.detach() for n, p in model.named_parameters()},
        optimizer_tensors(optimizer, model),
        "{}",
        Progress(step=7, losses={7: 0.5}),
    )

    assert {p.suffix for p in checkpoints.last.iterdir()} == {".safetensors", ".json"}
    assert checkpoints.progress() == Progress(step=7, losses={7: 0.5})
    other = torch.nn.Linear(3, 2)
    fresh = torch.optim.AdamW(other.parameters())
    read_weights(checkpoints.last, other)
    read_optimizer(checkpoints.last, fresh, other)
    for own, restored in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(own, restored)
        for kind, value in optimizer.state[own].items():
            assert torch.equal(value, fresh.state[restored][kind])


def test_a_damaged_checkpoint_says_to_start_anew(tmp_path: Path) -> None:
    last = tmp_path / "last"
    last.mkdir()
    (last / "weights.safetensors").write_bytes(b"not tensors")

    with pytest.raises(TrainingFailed, match="start the training anew"):
        read_weights(last, torch.nn.Linear(1, 1))
    assert Checkpoints(tmp_path).progress() is None


def test_cleared_checkpoints_are_gone_with_what_an_earlier_clearing_left(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "run")
    checkpoints.clear()
    for folder in (checkpoints.last, tmp_path / "run.gone" / "last"):
        folder.mkdir(parents=True)
        (folder / "progress.json").write_text("{}")
    checkpoints.clear()
    assert list(tmp_path.iterdir()) == []
