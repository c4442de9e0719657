"""What a training is asked to do, checked before anything is loaded. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from encoder.config import EncoderConfig, TrainConfig
from encoder.errors import BadExamples
from encoder.examples import Example, check_criteria, content_hash
from storage.records import Criterion


@dataclass(frozen=True)
class Task:
    """What is asked of a training.

    train, dev: examples; replay: earlier ones that are mixed in so that old skills stay. Criteria that a post was not reviewed
    for are masked; rejected spans are hard negatives. A criterion that the base does not know is added.
    base: `bundled`, a directory or a Hub id; a Gemma without heads becomes an encoder as `encoder_config` says (per-criterion
    prompts unless given). output: where the model's directory will be.
    """

    train: Sequence[Example]
    dev: Sequence[Example]
    criteria: Sequence[Criterion]
    _: KW_ONLY
    base: str | Path
    output: Path
    config: TrainConfig
    replay: Sequence[Example] = ()
    encoder_config: EncoderConfig | None = None
    device: str = "auto"

    def check(self) -> None:
        """Refuse what cannot end well before anything is loaded. Raises InvalidConfig and BadExamples."""
        self.config.validate()
        if not self.criteria:
            raise BadExamples("There are no criteria to train for.")
        for name, examples in (("train", self.train), ("dev", self.dev)):
            if not any(e.labels for e in examples):
                raise BadExamples(f"The {name} split is empty: it needs at least one reviewed post.")
        check_criteria([*self.train, *self.dev, *self.replay], self.criteria)
        shared = {e.post.id for e in self.train} & {e.post.id for e in self.dev}
        if shared:
            raise BadExamples(f"{len(shared)} posts are both in train and dev, the first is {min(shared)}.")

    def fingerprint(self, processes: int) -> str:
        """Equal for two runs that do the same thing, so that one may go on where the other stopped."""
        settings = self.config.to_dict()
        for name in ("threads", "processes", "report_to", "save_steps"):
            del settings[name]
        parts = [
            settings,
            *(content_hash(examples).sha256 for examples in (self.train, self.dev, self.replay)),
            [(c.id, c.text) for c in self.criteria],
            str(self.base),
            self.encoder_config.to_dict() if self.encoder_config else None,
            processes,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
