"""Saved models predict the same; what cannot be loaded is refused in one line; a failed save leaves the old model."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from encoder.config import EncoderConfig
from encoder.errors import ModelUnusable
from encoder.network import hub
from encoder.network.checkpoints import LoadOptions, SaveFailed, load_encoder, replacing_directory, save_encoder
from encoder.network.model import EvidenceEncoder
from encoder.predict import Predictor
from storage.records import Post
from tests.encoder.tiny import CRITERIA, FAMILIES, TEXTS, save_checkpoint, tiny_config, tiny_encoder

POSTS = [Post("a", " ".join(TEXTS)), Post("b", "so tired 😀\n\nof it all"), Post("c", " ".join(TEXTS * 6))]
# peft still asks transformers for a name that it has deprecated
PEFT_WARNS = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
SCORINGS = ["per-criterion", "packed", "post-once"]


def answers(encoder: EvidenceEncoder) -> list[Any]:
    return Predictor(encoder, "same").predict(POSTS, CRITERIA, threshold=0.0)


def disturb(encoder: EvidenceEncoder) -> None:
    """Move every weight, so that nothing is right by being as it was initialized."""
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("span_head", ["joint", "softmax"])
def test_a_saved_model_predicts_the_same(tmp_path: Path, scoring: str, span_head: str) -> None:
    encoder = tiny_encoder(scoring=scoring, span_head=span_head, wide_buckets=64, pooling="attention", temperature=1.3)
    disturb(encoder)
    save_encoder(encoder, tmp_path / "model")
    again = load_encoder(tmp_path / "model")
    assert again.config == encoder.config
    assert answers(again) == answers(encoder)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_saved_and_predicts_the_same(tmp_path: Path, name: str) -> None:
    raw = save_checkpoint(name, tmp_path / "raw")
    torch.manual_seed(2)
    encoder = load_encoder(raw, config=tiny_config(scoring="per-criterion", known_criteria=None))
    disturb(encoder)
    save_encoder(encoder, tmp_path / "model")
    shutil.rmtree(raw)
    assert answers(load_encoder(tmp_path / "model")) == answers(encoder)


def test_the_directory_is_what_the_hub_expects(tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    encoder = tiny_encoder()
    save_encoder(encoder, tmp_path / "model")
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "config.json",
        "evidence_config.json",
        "heads.safetensors",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert json.loads((tmp_path / "model" / "config.json").read_text())["is_causal"] is False
    backbone = AutoModel.from_pretrained(tmp_path / "model")
    torch.testing.assert_close(backbone.embed_tokens.weight, encoder.backbone.embed_tokens.weight)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert tokenizer.convert_tokens_to_ids("[POST]") == encoder.tokenizer.id_of("[POST]")


@PEFT_WARNS
@pytest.mark.parametrize("name", ["gemma3", "gemma4", "t5gemma"])
def test_a_lora_adapter_is_saved_small_and_predicts_the_same(tmp_path: Path, name: str) -> None:
    peft = pytest.importorskip("peft")
    raw = save_checkpoint(name, tmp_path / "raw")
    encoder = load_encoder(raw, config=tiny_config())
    settings = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"])
    encoder.backbone = peft.get_peft_model(encoder.backbone, settings)
    disturb_trainable(encoder)
    encoder.eval()
    save_encoder(encoder, tmp_path / "adapter")
    assert not (tmp_path / "adapter" / "model.safetensors").exists()
    again = load_encoder(tmp_path / "adapter", LoadOptions(merge_adapter=False))
    assert again.config.adapter
    assert again.config.base == str(raw)
    assert answers(again) == answers(encoder)
    before = answers(encoder)
    served = load_encoder(tmp_path / "adapter")
    assert not hasattr(served.backbone, "peft_config")
    for one, two in zip(answers(served), before, strict=True):
        assert one.no_evidence_score == pytest.approx(two.no_evidence_score, abs=1e-4)
    save_encoder(encoder, tmp_path / "merged", merge_adapter=True)
    shutil.rmtree(raw)
    merged = load_encoder(tmp_path / "merged")
    assert not merged.config.adapter
    for one, two in zip(answers(merged), before, strict=True):
        assert one.no_evidence_score == pytest.approx(two.no_evidence_score, abs=1e-4)


def disturb_trainable(encoder: EvidenceEncoder) -> None:
    """Move the adapter, the heads and the embeddings of the prompt's marks; the rest of the base stays."""
    torch.manual_seed(5)
    marks = [encoder.tokenizer.id_of(t) for t in encoder.config.prompt_tokens]
    with torch.no_grad():
        for parameter in encoder.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))
        encoder.backbone.get_input_embeddings().weight[marks] += 0.1


@PEFT_WARNS
def test_an_adapter_whose_base_is_gone_says_so(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    raw = save_checkpoint("gemma3", tmp_path / "raw")
    encoder = load_encoder(raw, config=tiny_config())
    encoder.backbone = peft.get_peft_model(encoder.backbone, peft.LoraConfig(r=2, target_modules=["q_proj"]))
    save_encoder(encoder, tmp_path / "adapter")
    shutil.rmtree(raw)
    with pytest.raises(ModelUnusable, match="no model directory"):
        load_encoder(tmp_path / "adapter")


def test_the_marks_of_the_prompt_survive_saving(tmp_path: Path) -> None:
    encoder = load_encoder(save_checkpoint("gemma", tmp_path / "raw"), config=tiny_config())
    save_encoder(encoder, tmp_path / "model")
    again = load_encoder(tmp_path / "model")
    marks = [encoder.tokenizer.id_of(t) for t in encoder.config.prompt_tokens]
    assert [again.tokenizer.id_of(t) for t in again.config.prompt_tokens] == marks
    torch.testing.assert_close(
        again.backbone.get_input_embeddings().weight[marks], encoder.backbone.get_input_embeddings().weight[marks]
    )


def test_the_config_remembers_where_the_weights_came_from(tmp_path: Path) -> None:
    raw = save_checkpoint("gemma3", tmp_path / "raw")
    assert load_encoder(raw, config=tiny_config()).config.base == str(raw)


# --- what cannot be loaded


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_encoder(tiny_encoder(), tmp_path / "model")
    return tmp_path / "model"


def refused(model: str | Path, words: str) -> None:
    with pytest.raises(ModelUnusable, match=words) as caught:
        load_encoder(model)
    assert "\n" not in str(caught.value)


def test_a_raw_checkpoint_has_no_heads_and_is_refused_with_what_to_do(tmp_path: Path) -> None:
    refused(save_checkpoint("gemma3", tmp_path / "raw"), "Gemma 3 without evidence heads.*evidence train")


def test_a_path_that_is_nothing_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "no model directory")
    (tmp_path / "file.txt").write_text("x")
    refused(tmp_path / "file.txt", "is a file")
    refused(tmp_path, "no config.json")


def test_damaged_weights_are_refused(saved: Path) -> None:
    content = (saved / "model.safetensors").read_bytes()
    (saved / "model.safetensors").write_bytes(content[: len(content) // 2])
    refused(saved, "may be damaged")


def test_damaged_heads_are_refused(saved: Path) -> None:
    (saved / "heads.safetensors").write_bytes(b"nothing")
    refused(saved, "heads.safetensors is damaged")


def test_missing_heads_are_refused(saved: Path) -> None:
    (saved / "heads.safetensors").unlink()
    refused(saved, "no heads.safetensors")


def test_heads_of_another_config_are_refused(saved: Path) -> None:
    EncoderConfig.load(saved).changed(known_criteria=("ONE",)).save(saved)
    refused(saved, "does not fit its evidence_config.json")


def test_pickled_weights_are_refused_unread(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    (saved / "heads.safetensors").unlink()
    torch.save({}, saved / "pytorch_model.bin")
    refused(saved, "pickle files only")


def test_a_directory_without_weights_is_refused(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    (saved / "heads.safetensors").unlink()
    refused(saved, "no weights")


def test_weights_of_another_shape_are_refused(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps({**config, "intermediate_size": 96}))
    refused(saved, "of another shape|cannot be read")


def test_a_config_of_another_family_is_refused(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3, "layer_types": None}))
    refused(saved, "not those of the Gemma 3 model")


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(saved: Path) -> None:
    tokenizer = tiny_encoder().tokenizer
    tokenizer.add([f"[EXTRA{n}]" for n in range(5)])
    tokenizer.save(saved)
    refused(saved, "tokenizer .* has 419 tokens|the model knows")


def test_a_damaged_tokenizer_is_refused(saved: Path) -> None:
    (saved / "tokenizer.json").write_text("{")
    refused(saved, "tokenizer.json is damaged")


def test_a_directory_without_any_tokenizer_is_refused(saved: Path) -> None:
    (saved / "tokenizer.json").unlink()
    refused(saved, "no tokenizer")


def test_a_tokenizer_without_offsets_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    class Slow:
        is_fast = False

    (saved / "tokenizer.json").unlink()
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *a, **k: Slow())
    refused(saved, "gives no offsets")


def test_a_repository_that_is_not_here_without_a_network_says_so() -> None:
    refused("nobody/such-a-model", "HF_HUB_OFFLINE")


def test_the_bundled_model_has_a_fixed_place() -> None:
    assert hub.resolve("bundled") == hub.resolve("demo") == hub.BUNDLED_DIRECTORY


def test_four_bit_weights_need_a_gpu(tmp_path: Path) -> None:
    raw = save_checkpoint("gemma3", tmp_path / "raw")
    with pytest.raises(ModelUnusable, match="need a CUDA GPU"):
        load_encoder(raw, LoadOptions(device="cpu", four_bit=True), config=tiny_config())


# --- saving


def test_a_full_disk_leaves_the_old_model_untouched(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {p.name: p.read_bytes() for p in saved.iterdir()}
    encoder = tiny_encoder(temperature=2.0)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(encoder.backbone, "save_pretrained", full)
    with pytest.raises(SaveFailed, match="disk is full"):
        save_encoder(encoder, saved)
    assert {p.name: p.read_bytes() for p in saved.iterdir()} == before
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


def test_a_full_disk_as_safetensors_reports_it_is_the_same_error(saved: Path) -> None:
    from safetensors import SafetensorError

    with pytest.raises(SaveFailed, match="disk is full"), replacing_directory(saved):
        raise SafetensorError("I/O error: No space left on device (os error 28)")


def test_saving_again_replaces_the_model_and_leaves_nothing_beside_it(saved: Path) -> None:
    save_encoder(tiny_encoder(temperature=2.0), saved)
    assert EncoderConfig.load(saved).temperature == 2.0
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


def test_a_directory_that_holds_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to-ana.txt").write_text("dear")
    (tmp_path / "note").write_text("x")
    with pytest.raises(SaveFailed, match="holds other files"):
        save_encoder(tiny_encoder(), tmp_path / "letters")
    with pytest.raises(SaveFailed, match="is a file"):
        save_encoder(tiny_encoder(), tmp_path / "note")
    assert (tmp_path / "letters" / "to-ana.txt").read_text() == "dear"


def test_a_place_where_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("x")
    with pytest.raises(SaveFailed, match="Nothing can be written"):
        save_encoder(tiny_encoder(), tmp_path / "note" / "model")


def test_saved_files_can_be_read_by_others(saved: Path) -> None:
    assert {p.stat().st_mode & 0o777 for p in saved.iterdir()} == {0o644}


def test_other_errors_while_saving_pass_through_and_clean_up(saved: Path) -> None:
    with pytest.raises(KeyError), replacing_directory(saved):
        raise KeyError("x")
    assert [p.name for p in saved.parent.iterdir()] == ["model"]
