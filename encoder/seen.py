"""Which posts a model has seen: fingerprints of their texts, kept beside its weights. No torch.

A figure measured on a post that the model learned from says little; with these a program can say so. They hold no text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from encoder.bundled import corpus
from encoder.network.hub import OWN_MODELS
from storage.records import Split

SEEN_FILE = "seen.json"


@dataclass(frozen=True, slots=True)
class Seen:
    """Fingerprints of texts. train: the weights were fitted on them. dev: steps and thresholds were chosen by them."""

    train: frozenset[str] = frozenset()
    dev: frozenset[str] = frozenset()

    def count(self, texts: Iterable[str]) -> dict[str, int]:
        """How many of the texts are in `train`, and how many in `dev` alone."""
        prints = [fingerprint(text) for text in texts]
        learned = sum(p in self.train for p in prints)
        return {"train": learned, "dev": sum(p in self.dev and p not in self.train for p in prints)}

    def as_measured(self) -> Seen:
        """What it had seen when the dev posts were asked, before it learned from these too."""
        return Seen(self.train - self.dev, self.dev)

    def to_json(self) -> str:
        return json.dumps({"train": sorted(self.train), "dev": sorted(self.dev)}) + "\n"


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def seen_with(base: Path | None, train: Iterable[str], dev: Iterable[str]) -> Seen:
    """What a model has seen that was trained further from `base` on these texts."""
    before = Seen() if base is None else seen_by(base)
    return Seen(before.train | {fingerprint(t) for t in train}, before.dev | {fingerprint(t) for t in dev})


def seen_by(directory: Path) -> Seen:
    """What is known of the model in the directory; nothing of one that came from elsewhere without a record."""
    if directory.resolve() in {path.resolve() for path in OWN_MODELS}:
        return _of_corpus()
    try:
        found = json.loads((directory / SEEN_FILE).read_text("utf-8"))
        return Seen(frozenset(map(str, found["train"])), frozenset(map(str, found["dev"])))
    except (OSError, ValueError, KeyError, TypeError):
        return Seen()


def _of_corpus() -> Seen:
    """Whole posts and passages of the corpus that the bundled models were made from."""
    texts: dict[Split, set[str]] = {split: set() for split in Split}
    for item in corpus.read_items():
        texts[item.split].add(fingerprint(item.text))
    for example in corpus.read_posts():
        texts[example.post.split or Split.TRAIN].add(fingerprint(example.post.text))
    return Seen(frozenset(texts[Split.TRAIN]), frozenset(texts[Split.DEV]))
