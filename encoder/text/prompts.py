"""What the model reads: the guide's prompt, and the parts of the one-pass inputs. No torch.

Every part is made of ids, so the criterion stands whole in every input, however long the post is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from encoder.config import EncoderConfig
from encoder.errors import EncoderError, ModelUnusable
from encoder.text.tokenizer import TextTokenizer
from storage.records import Criterion


@dataclass(frozen=True)
class Prompts:
    """Puts posts and criteria into the form that one encoder was trained on. max_length: tokens of the longest input."""

    tokenizer: TextTokenizer
    config: EncoderConfig
    max_length: int

    def __post_init__(self) -> None:
        missing = [t for t in self.config.prompt_tokens if self.tokenizer.id_of(t) is None]
        if missing:
            raise ModelUnusable(f"The tokenizer has no token {', '.join(missing)} for the prompt.")

    def post_prefix(self) -> list[int]:
        """Ids in front of the post."""
        inst, inst_end, post, *_ = self._marks()
        start = [bos] if (bos := self.tokenizer.special("bos")) is not None else []
        if self.config.one_pass:
            return [*start, post]
        return [*start, inst, *self.tokenizer.ids(f" {self.config.instruction} "), inst_end, post]

    def post_suffix(self) -> list[int]:
        """Ids behind the post."""
        return [self._marks()[3]]

    def criterion(self, criterion: Criterion) -> list[int]:
        """Ids of one criterion with its marks."""
        *_, start, end = self._marks()
        return [start, *self.tokenizer.ids(f" {criterion.text} "), end]

    def window_tokens(self, criteria: Sequence[Criterion]) -> int:
        """How many tokens of the post fit beside the criteria, at most what the config says.

        Raises EncoderError if the criteria alone leave room for fewer than eight.
        """
        frame = len(self.post_prefix()) + len(self.post_suffix())
        lengths = [len(self.criterion(c)) for c in criteria] or [0]
        beside = {"per-criterion": max(lengths), "packed": sum(lengths), "post-once": 0}[self.config.scoring]
        longest = criteria[lengths.index(max(lengths))].id if criteria else ""
        room = self.max_length - frame - beside
        if room < 8 or max(lengths) > self.max_length:
            raise EncoderError(
                f"The criteria take {max(beside, max(lengths))} of the {self.max_length} tokens that the model reads at "
                f"once and leave no room for the post; the longest is {longest}. Shorten it, or ask for fewer at a time."
            )
        return min(room, self.config.window_tokens)

    def _marks(self) -> list[int]:
        """Ids of the six marks, in the order of `EncoderConfig.prompt_tokens`."""
        ids = [self.tokenizer.id_of(t) for t in self.config.prompt_tokens]
        return [i for i in ids if i is not None]
