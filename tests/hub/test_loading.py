"""Models from the Hub: loaded when they may be, refused in one line that says what to do when not."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from encoder.errors import ModelUnusable
from encoder.network.checkpoints import save_encoder
from encoder.network.families import FAMILIES, license_page_of
from encoder.network.hub import resolve
from encoder.predict import Predictor
from tests.builders import a_post
from tests.encoder.tiny import CRITERIA, tiny_encoder
from tests.hub.standin import StandIn

REPOSITORY = "google/gemma-3-1b-pt"


def refusal(name: str = REPOSITORY) -> str:
    with pytest.raises(ModelUnusable) as caught:
        resolve(name)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.fixture
def small(on_the_hub: StandIn) -> StandIn:
    on_the_hub.add("model", REPOSITORY, {"config.json": "{}", "model.safetensors": bytes(3000), "pickle.bin": b"x"})
    return on_the_hub


def test_a_model_is_fetched_once_without_pickles_and_works_offline_afterwards(small: StandIn) -> None:
    folder = resolve(REPOSITORY)
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]
    small.stop()
    assert resolve(REPOSITORY) == folder


def test_a_gated_model_names_the_license_and_how_to_log_in(small: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    small.repo("model", REPOSITORY).gated = True
    monkeypatch.delenv("HF_TOKEN")
    text = refusal()
    assert "is gated: read its license (https://ai.google.dev/gemma/terms)" in text
    assert f"{small.endpoint}/{REPOSITORY}" in text
    assert "hf auth login" in text


def test_a_gated_model_that_the_account_may_not_read_says_so(small: StandIn) -> None:
    small.repo("model", REPOSITORY).gated = True
    text = refusal()
    assert "your account has no access yet" in text
    assert "hf auth login" not in text


def test_a_private_or_missing_model_without_and_with_a_login(
    on_the_hub: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_the_hub.add("model", "else/private", {"config.json": "{}"}, private=True)
    assert "that your account may see" in refusal("else/private")
    monkeypatch.delenv("HF_TOKEN")
    for name in ("else/private", "else/missing"):
        assert "hf auth login" in refusal(name)


def test_a_token_that_is_no_good(small: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    assert "does not accept the token" in refusal()


@pytest.mark.parametrize(
    ("status", "words"),
    [(429, "slow down (429), for 30 s"), (500, "trouble at this moment (500)"), (403, "allow this")],
)
def test_the_hub_refuses(small: StandIn, status: int, words: str) -> None:
    small.fail("GET", f"/api/models/{REPOSITORY}", status, Retry_After="30")
    assert words in refusal()


def test_a_connection_that_is_cut_before_and_in_the_middle_of_a_file(small: StandIn) -> None:
    small.cut("GET", f"/api/models/{REPOSITORY}")
    assert "broke off" in refusal()
    small.cut("GET", "model.safetensors", after_bytes=1000)
    assert (resolve(REPOSITORY) / "model.safetensors").stat().st_size == 3000


def test_a_hub_that_is_not_there(on_the_hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", nobody)
        assert "cannot be reached" in refusal()


def test_pickled_weights_alone_are_refused(on_the_hub: StandIn, tmp_path: Path) -> None:
    save_encoder(tiny_encoder(), tmp_path / "made")
    files = {p.name: p.read_bytes() for p in (tmp_path / "made").iterdir() if p.suffix != ".safetensors"}
    on_the_hub.add("model", "ana/pickled", {**files, "pytorch_model.bin": b"\x80\x04."})
    with pytest.raises(ModelUnusable, match="safetensors"):
        Predictor.load("ana/pickled")


def test_a_checkpoint_of_the_hub_predicts(on_the_hub: StandIn, tmp_path: Path) -> None:
    save_encoder(tiny_encoder(), tmp_path / "made")
    on_the_hub.add("model", "ana/tiny", {p.name: p.read_bytes() for p in (tmp_path / "made").iterdir()})
    (made,) = Predictor.load("ana/tiny", device="cpu").predict([a_post()], CRITERIA[:1])
    assert made.criterion_id == CRITERIA[0].id


def test_every_family_names_the_page_of_its_license() -> None:
    assert {f.name: f.license_page.rsplit("/", 1)[-1] for f in FAMILIES.values()} == {
        "Gemma": "terms",
        "Gemma 2": "terms",
        "Gemma 3": "terms",
        "Gemma 4": "apache_2",
        "T5Gemma": "terms",
        "T5Gemma 2": "terms",
    }
    assert license_page_of("google/gemma-4-E2B").endswith("apache_2")
    assert license_page_of("google/embeddinggemma-300m").endswith("terms")
    assert license_page_of("somebody/bert") == ""
