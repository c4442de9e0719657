"""The real Gemma 3 270M, loaded once for all tests that need it (marker `gemma`)."""

from __future__ import annotations

import os

import pytest

from encoder.config import EncoderConfig
from encoder.network.bases import INSTALL, PACKAGED
from encoder.network.checkpoints import LoadOptions, load_encoder
from encoder.network.model import EvidenceEncoder

GEMMA = "google/gemma-3-270m"
MARKS = tuple(f"<unused{n}>" for n in range(6))


@pytest.fixture(scope="session")
def real_gemma() -> EvidenceEncoder:
    """Made bidirectional, with fresh heads, in fp32 on the CPU. Tests leave its weights as they are."""
    if not PACKAGED[GEMMA].installed:
        words = f"The real Gemma is not installed: {INSTALL}"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    config = EncoderConfig(scoring="per-criterion", prompt_tokens=MARKS)
    return load_encoder(GEMMA, LoadOptions(device="cpu", dtype="float32"), config=config)
