"""Each way trains what it says and nothing else, reads as much as the others, and ends as a row of one table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from encoder.bundled.corpus import CRITERIA, read_items, read_posts
from encoder.config import EncoderConfig
from encoder.network.checkpoints import LoadOptions, load_encoder
from encoder.network.model import EvidenceEncoder
from recipes.gemma import conversions, dev, plan
from recipes.gemma.conversions import Budget, Conversion, Way
from tests.encoder.tiny import save_checkpoint

BUDGET = Budget(tokens=900, step=150, seed=0)
TEXTS = [f"This is line number {n} of a text about nothing much at all." for n in range(200)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint("gemma3", tmp_path_factory.mktemp("base"))


def an_encoder(base: Path, causal: int) -> EvidenceEncoder:
    config = EncoderConfig(known_criteria=CRITERIA, causal_layers=causal, base=str(base), window_tokens=256)
    return load_encoder(base, LoadOptions("cpu", "float32"), config=config, probe_it=False)


@pytest.mark.parametrize(
    "way", [Way(0), Way(1), Way(1, thawed=True), Way(1, rank=0), Way(0, rank=2, masked=0.5)], ids=lambda way: way.name
)
def test_a_way_trains_its_layers_and_leaves_the_others(base: Path, way: Way) -> None:
    torch.manual_seed(0)
    before = {name: p.clone() for name, p in an_encoder(base, way.causal).backbone.named_parameters()}
    conversion = Conversion(way, an_encoder(base, way.causal), BUDGET)
    material = plan.Material.of(conversion.batcher, read_items()[:80], read_posts()[:6])
    said: list[tuple[int, str]] = []

    def say(step: int, stage: str, loss: object) -> None:
        said.append((step, stage))

    if way.masked:
        conversion.learn_hidden(TEXTS, say)
    heads = conversion.learn(material, say)
    assert heads.sentence.weight.abs().sum() > 0  # zero before
    assert {stage for _, stage in said} == ({"hidden", "corpus"} if way.masked else {"corpus"})
    lowest = 0 if way.thawed else way.causal
    for name, parameter in conversion.encoder.backbone.named_parameters():
        own = name.replace(".base.weight", ".weight")
        if name.endswith(".b"):  # zero before
            assert bool(parameter.abs().sum()) is (conversions.layer_of(name) >= lowest), name
        elif name.endswith(".a"):
            assert parameter.requires_grad is (conversions.layer_of(name) >= lowest), name
        elif name != "norm.weight":
            linear = "proj" in name
            wanted = linear and not way.rank and conversions.layer_of(name) >= lowest
            assert (not torch.equal(parameter, before[own])) is wanted, name


def test_a_row_is_measured_once_and_stands_in_the_table(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[int] = []

    def new_encoder(name: str, causal: int) -> EvidenceEncoder:
        made.append(causal)
        return an_encoder(Path(name), causal)

    monkeypatch.setattr(conversions, "new_encoder", new_encoder)
    monkeypatch.setattr(conversions, "WAYS", {"all": Way(0, rank=2), "upper": Way(1, rank=2)})
    few = plan.Material.of(an_encoder(base, 0).batcher(conversions.read_wordings()[0]), read_items()[:80], [])
    monkeypatch.setattr(plan.Material, "of_corpus", lambda batcher: few)
    sample = dev.DevSample.draw(8, 2)
    monkeypatch.setattr(dev.DevSample, "draw", lambda *args: sample)
    arguments = ["--work", str(tmp_path), "--base", str(base), "--tokens", "600", "--step-tokens", "150"]
    conversions.main([*arguments, "--ways", "upper"])
    conversions.main([*arguments, "--ways", "upper", "all"])
    assert made == [1, 0]
    rows = [json.loads(line) for line in (tmp_path / conversions.RESULTS).read_text("utf-8").splitlines()]
    assert [(row["way"], row["tokens"]) for row in rows] == [("upper", 600), ("all", 600)]
    with pytest.raises(SystemExit, match="another base, seed or number of tokens"):
        conversions.main([*arguments, "--seed", "3"])
    monkeypatch.setitem(conversions.WAYS, "masked", Way(0, masked=0.5))
    with pytest.raises(SystemExit, match="Give --general-text"):
        conversions.main([*arguments, "--ways", "masked"])
    told = capsys.readouterr().out
    assert "upper: done before" in told
    table = told[told.rindex("| way |") :].splitlines()
    assert table[2].startswith("| all layers see both ways, rank 2 |")
    assert table[3].startswith("| the lower 1 causal, rank 2 |")
    assert table[3].count(" / ") == 4
