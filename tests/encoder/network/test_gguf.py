"""GGUF files of every Gemma family become directories with the same weights; what is none is refused in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from encoder.errors import ModelUnusable
from encoder.network import bases
from encoder.network.bases import NOTICE_FILE, Provenance, from_gguf, known_bases, sha256_of
from encoder.network.checkpoints import load_encoder, save_encoder
from encoder.network.directories import SaveFailed
from encoder.network.gguf import ARCHITECTURES, config_of, read_gguf
from encoder.network.hub import resolve
from encoder.text.tokenizer import TextTokenizer
from tests.encoder.network.gguf_writer import write_gguf
from tests.encoder.tiny import TEXTS, tiny_config, tiny_tokenizer


@pytest.fixture(autouse=True)
def _bases_of_this_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases, "bases_directory", lambda: tmp_path / "bases")
    (tmp_path / "bases").mkdir()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_gguf_file_of_every_family_becomes_the_same_model(tmp_path: Path, architecture: str) -> None:
    model = write_gguf(architecture, tmp_path / "tiny.gguf")

    encoder = load_encoder(tmp_path / "tiny.gguf", config=tiny_config(scoring="per-criterion", known_criteria=None))

    own, wanted = encoder.backbone.state_dict(), model.model.state_dict()
    assert own.keys() == wanted.keys()
    rows = len(wanted["embed_tokens.weight"])  # the encoder has the marks of its prompt after them
    for name, value in wanted.items():
        torch.testing.assert_close(own[name][:rows], value, atol=0.02, rtol=0.02)
    assert encoder.family.name == {"gemma": "Gemma", "gemma2": "Gemma 2", "gemma3": "Gemma 3"}[architecture]


def test_the_config_is_the_one_that_the_file_was_made_from(tmp_path: Path) -> None:
    model = write_gguf("gemma3", tmp_path / "tiny.gguf")
    made = config_of(read_gguf(tmp_path / "tiny.gguf"))
    for name in ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "head_dim", "sliding_window"):
        assert getattr(made, name) == getattr(model.config, name), name
    assert (made.rms_norm_eps, made.query_pre_attn_scalar) == (1e-6, 16)
    assert made.rope_parameters["full_attention"] == {"rope_type": "default", "rope_theta": 1e6}


def test_positions_that_the_file_stretches_are_stretched(tmp_path: Path) -> None:
    write_gguf("gemma3", tmp_path / "tiny.gguf", gemma3__rope__scaling__factor=8.0)
    rope = config_of(read_gguf(tmp_path / "tiny.gguf")).rope_parameters
    assert rope["full_attention"] == {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0}
    assert rope["sliding_attention"]["rope_type"] == "default"


def test_the_tokenizer_reads_every_text_and_holds_control_tokens_off(tmp_path: Path) -> None:
    write_gguf("gemma3", tmp_path / "tiny.gguf")
    tokenizer = TextTokenizer.load(from_gguf(tmp_path / "tiny.gguf"))
    assert tokenizer.backend.get_vocab() == tiny_tokenizer().backend.get_vocab()
    for text in [*TEXTS, "two  spaces", "é 🙂", "<eos> is text here"]:
        encoded = tokenizer.encode(text)
        assert tokenizer.backend.decode(encoded.ids) == text
        assert tokenizer.special("eos") not in encoded.ids


def test_a_file_is_converted_once_and_says_where_it_came_from(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf("gemma2", path)
    told: list[str] = []
    first = from_gguf(path, lambda fraction, message: told.append(message))
    assert "used under the terms at https://ai.google.dev/gemma/terms" in told[0]
    told.clear()
    path.rename(tmp_path / "moved.gguf")
    assert resolve(tmp_path / "moved.gguf", lambda fraction, message: told.append(message)) == first
    assert told == []
    digest = sha256_of([tmp_path / "moved.gguf"])
    terms = "https://ai.google.dev/gemma/terms"
    assert Provenance.of(first) == Provenance("Tiny Gemma", "a GGUF file", "tiny.gguf", digest, "Q8_0", terms)
    assert "Gemma Terms of Use found at ai.google.dev/gemma/terms" in (first / NOTICE_FILE).read_text()
    listed = known_bases()[0]
    assert (listed.name, listed.state, listed.directory) == ("Tiny Gemma", "ready", str(first))


def test_a_large_model_is_written_in_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("encoder.network.gguf.SHARD_BYTES", 20_000)
    write_gguf("gemma3", tmp_path / "tiny.gguf")
    directory = from_gguf(tmp_path / "tiny.gguf")
    files = sorted(p.name for p in directory.glob("*.safetensors"))
    assert len(files) > 1
    assert set(json.loads((directory / "model.safetensors.index.json").read_text())["weight_map"].values()) == set(
        files
    )
    assert load_encoder(directory, config=tiny_config()).hidden_size == 32


def refusal(path: Path) -> str:
    with pytest.raises((ModelUnusable, SaveFailed)) as caught:
        from_gguf(path)
    assert "\n" not in str(caught.value)
    assert not list(bases.bases_directory().glob("*/config.json"))
    return str(caught.value)


def test_another_architecture_is_named(tmp_path: Path) -> None:
    write_gguf("llama", tmp_path / "other.gguf")
    assert "architecture 'llama'; as a GGUF file it can be gemma, gemma2, gemma3" in refusal(tmp_path / "other.gguf")


@pytest.mark.parametrize("share", [0.001, 0.05, 0.3, 0.99])
def test_a_file_that_was_cut_off_says_so(tmp_path: Path, share: float) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf("gemma3", path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert "cut off or damaged" in refusal(path)


def test_other_files_are_no_gguf(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("GGML is not GGUF")
    (tmp_path / "empty.gguf").write_bytes(b"")
    assert "is not a GGUF file" in refusal(tmp_path / "text.gguf")
    assert "is not a GGUF file" in refusal(tmp_path / "empty.gguf")
    assert "cannot be read: No such file" in refusal(tmp_path / "nowhere.gguf")


def test_one_part_of_several_says_how_to_put_them_together(tmp_path: Path) -> None:
    write_gguf("gemma3", tmp_path / "part.gguf", split__count=2)
    assert "llama-gguf-split --merge" in refusal(tmp_path / "part.gguf")


def test_a_file_that_lacks_a_weight_names_it(tmp_path: Path) -> None:
    write_gguf("gemma3", tmp_path / "tiny.gguf", leave_out="blk.1.ffn_up.weight")
    assert "lacks 1 weights of Gemma 3, the first is layers.1.mlp.up_proj.weight" in refusal(tmp_path / "tiny.gguf")


def test_a_full_disk_is_seen_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_gguf("gemma3", tmp_path / "tiny.gguf")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    assert "Make room, or set HF_HOME" in refusal(tmp_path / "tiny.gguf")


PEFT_WARNS = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@PEFT_WARNS
def test_an_adapter_on_a_gguf_base_finds_it_again_by_its_weights(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    path = tmp_path / "tiny.gguf"
    write_gguf("gemma3", path)
    marks = tuple(f"<0x{n:02X}>" for n in range(6))  # tokens that the vocabulary has
    encoder = load_encoder(path, config=tiny_config(prompt_tokens=marks))
    encoder.backbone = peft.get_peft_model(encoder.backbone, peft.LoraConfig(r=2, target_modules=["q_proj"]))
    save_encoder(encoder, tmp_path / "adapter")
    path.unlink()

    again = load_encoder(tmp_path / "adapter")

    assert sorted(p.name for p in (tmp_path / "adapter").iterdir()) == [
        "NOTICE.txt",
        "adapter_config.json",
        "adapter_model.safetensors",
        "evidence_config.json",
        "heads.safetensors",
    ]
    assert again.config.base_weights["quantization"] == "Q8_0"
    assert again.base_found == again.config.base_weights
    assert again.other_base == ""
    again.base_found = {"source": "the Hub", "revision": "0" * 40, "quantization": "unquantized"}
    assert "trained on" in again.other_base
    assert "as Q8_0 and stands on unquantized weights from the Hub here" in again.other_base
    shutil.rmtree(bases.bases_directory())
    bases.bases_directory().mkdir()
    with pytest.raises(ModelUnusable, match="cannot be read: No such file"):
        load_encoder(tmp_path / "adapter")
