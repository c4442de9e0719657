"""Errors of the encoder; each text says what was given and what to do.

EvidenceError
└── EncoderError
    ├── ModelUnusable      not a model directory, gated, damaged, pickle-only, of another architecture
    │   ├── NotBidirectional   it attends causally: refused
    │   └── StillReading       it reads the post in the background, which is too long to wait for
    ├── TrainingFailed     NaN loss, out of memory at the smallest batch, disk full, no usable examples
    └── BadExamples        gold data that cannot be used as asked
"""

from __future__ import annotations

from storage.records import EvidenceError


class EncoderError(EvidenceError):
    """Base of the encoder's errors."""


class ModelUnusable(EncoderError):
    """The model cannot be loaded or served."""


class NotBidirectional(ModelUnusable):
    """A token does not see the tokens after it: the model is not the encoder it claims to be."""


class StillReading(ModelUnusable):
    """The model is reading the post in the background. fraction: how far it is, 0 to 1."""

    def __init__(self, fraction: float) -> None:
        super().__init__(f"The model is reading this long post ({fraction:.0%}). Its marks come in by themselves.")
        self.fraction = fraction


class TrainingFailed(EncoderError):
    """Training stopped for a reason that it cannot cure itself; the old model is untouched."""


class BadExamples(EncoderError):
    """Gold data that cannot be used as asked."""
