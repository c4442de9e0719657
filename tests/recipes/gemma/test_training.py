"""A run goes on where it stopped, as if it had not; passes take what they should; what it leaves is a model of the product."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from encoder.bundled.corpus import CRITERIA, read_items, read_posts
from encoder.config import EncoderConfig
from encoder.errors import ModelUnusable
from encoder.network.checkpoints import LoadOptions, load_encoder
from encoder.network.lora import read_adapter
from encoder.predict import Predictor
from recipes.bundled_model.linear import FittedTable, fit_table
from recipes.gemma import dev, plan
from recipes.gemma.build import finish
from recipes.gemma.heads import PlainHeads, unfold
from recipes.gemma.layers import SplitBackbone
from recipes.gemma.training import Settings, Training
from storage.records import Criterion, Post
from tests.encoder.tiny import save_checkpoint

ASKED = [Criterion(c, c, f"The writer says {c.lower()}.", position=n) for n, c in enumerate(CRITERIA)]
SETTINGS = Settings(tokens=120, causal=1, rank=2, alpha=2.0)


def a_table() -> FittedTable:
    items = read_items()[:200]
    labels = np.array([[float(c in item.labels) for c in CRITERIA] for item in items], np.float32)
    return fit_table([item.text for item in items], labels, 512)


def a_training(base: Path, work: Path, **changes: object) -> Training:
    work.mkdir(exist_ok=True)
    torch.manual_seed(0)
    settings = Settings(**{**{name: getattr(SETTINGS, name) for name in SETTINGS.__slots__}, **changes})  # type: ignore[arg-type]
    config = EncoderConfig(known_criteria=CRITERIA, causal_layers=1, base=str(base), window_tokens=256)
    encoder = load_encoder(base, LoadOptions("cpu", "float32"), config=config, probe_it=False)
    batcher = encoder.batcher(ASKED)
    material = plan.Material.of(batcher, read_items()[:60], read_posts()[:6])
    sample = dev.DevSample.draw(8, 2)

    def evaluate(split: SplitBackbone, heads: PlainHeads) -> dict[str, object]:
        return dev.figures(split, heads, batcher, sample)

    return Training(encoder, batcher, material, settings, work, evaluate)


def test_a_run_that_was_stopped_ends_with_the_weights_of_one_that_was_not(tmp_path: Path) -> None:
    base = save_checkpoint("gemma3", tmp_path / "base")
    whole = a_training(base, tmp_path / "whole", max_steps=6)
    whole.run()
    a_training(base, tmp_path / "parts", max_steps=2).run()
    rest = a_training(base, tmp_path / "parts", max_steps=6)
    rest.run()
    for (name, one), other in zip(whole.heads.named_parameters(), rest.heads.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-2, msg=name)
    log = [json.loads(line) for line in (tmp_path / "parts" / "log.jsonl").read_text("utf-8").splitlines()]
    assert [line["resumed"]["step"] for line in log if "resumed" in line] == [2]
    assert all(set(line["dev"]) == {"passages", "posts"} for line in log if "dev" in line)


def test_what_is_finished_is_an_adapter_that_the_product_serves_as_it_was_trained(tmp_path: Path) -> None:
    base = save_checkpoint("gemma3", tmp_path / "base")
    training = a_training(base, tmp_path / "work", max_steps=3)
    training.run()
    finish(training, dev.DevSample.draw(40, 4), tmp_path / "model", wordings=[ASKED], table=a_table())
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "Products of rank 2 stand beside every linear layer" in card
    assert "Not measured yet" in card
    settings = json.loads((tmp_path / "model" / "adapter_config.json").read_text("utf-8"))
    assert settings["base_model_name_or_path"] == str(base)  # its name in the config, here a folder
    predictor = Predictor.load(tmp_path / "model", device="cpu")
    assert predictor.config.adapter
    assert predictor.config.causal_layers == 1
    assert set(predictor.config.thresholds) == set(CRITERIA)
    batcher = predictor.encoder.batcher(ASKED)
    batch = batcher.batch(batcher.rows(batcher.read(Post("p", "I have not slept for days. The dog is well."))))
    found, own = predictor.encoder.score(batch), training.encoder.score(batch)
    torch.testing.assert_close(found.sentences, own.sentences, atol=1e-2, rtol=1e-2)


def test_a_run_can_begin_with_what_an_earlier_one_has_made(tmp_path: Path) -> None:
    base = save_checkpoint("gemma3", tmp_path / "base")
    first = a_training(base, tmp_path / "work", max_steps=3)
    first.run()
    finish(first, dev.DevSample.draw(40, 4), tmp_path / "model", wordings=[ASKED], table=a_table())
    earlier = load_encoder(tmp_path / "model", LoadOptions("cpu", "float32"))
    earlier.heads.wide = None  # fitted anew at the end of each run
    second = a_training(base, tmp_path / "more")
    second.start_from(read_adapter(tmp_path / "model"), unfold(earlier, ASKED))
    batch = second.batcher.batch(second.material.rows[:5])
    with torch.no_grad():
        found, wanted = second.heads(second.split.states(batch), batch), earlier.score(batch)
    there = batch.sentence_mask.bool()
    torch.testing.assert_close(found.sentences[there], wanted.sentences[there], atol=1e-2, rtol=1e-2)
    other = a_training(base, tmp_path / "other", rank=3)
    with pytest.raises(ModelUnusable, match="no product of rank 3"):
        other.start_from(read_adapter(tmp_path / "model"), unfold(earlier, ASKED))


def test_the_first_pass_takes_all_evidence_and_a_later_one_what_was_learned_worst(tmp_path: Path) -> None:
    training = a_training(save_checkpoint("gemma3", tmp_path / "base"), tmp_path / "work")
    material = training.material
    first = plan.chosen(material, 0, training.losses)
    assert {n for n, found in enumerate(material.evidence) if found} <= set(first)
    assert len(first) < len(material.rows)
    losses = torch.arange(len(material.rows), dtype=torch.float32)
    later = plan.chosen(material, 1, losses)
    passages = [n for n, kind in enumerate(material.kinds) if kind != plan.POST]
    worst = passages[2 * len(passages) // 5 + 1 :]
    assert set(worst) <= set(later)
    assert len([n for n in later if n in passages]) < 0.9 * len(passages)


def test_a_run_that_goes_on_reads_all_of_the_voices_that_are_new_and_some_of_the_others(tmp_path: Path) -> None:
    training = a_training(save_checkpoint("gemma3", tmp_path / "base"), tmp_path / "work")
    voices = training.material.voices
    material = replace(training.material, read_before=frozenset(voices) - {voices[-1]})
    first = set(plan.chosen(material, 0, training.losses))
    new = {n for n, voice in enumerate(voices) if voice == voices[-1]}
    assert new <= first
    assert 0.1 < len(first - new) / (len(voices) - len(new)) < 0.7


def test_steps_hold_every_row_once_and_processes_share_each(tmp_path: Path) -> None:
    material = a_training(save_checkpoint("gemma3", tmp_path / "base"), tmp_path / "work").material
    numbers = list(range(len(material.rows)))
    for left_out in range(5):
        steps = plan.steps(material, 0, numbers[left_out:], 240)
        assert Counter(n for step in steps for n in step) == Counter(numbers[left_out:])
        assert min(map(len, steps)) > 1  # none of two processes is without a row
    assert all(len({material.kinds[n] == plan.POST for n in step}) == 1 for step in steps)
    for step in steps:
        shares = [plan.share(step, process, 2) for process in range(2)]
        assert sorted(n for own in shares for n in own) == sorted(step)
        assert abs(len(shares[0]) - len(shares[1])) <= 1
