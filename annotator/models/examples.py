"""Gold answers as the examples that models are trained, measured and calibrated on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from encoder.examples import Example, examples_from_gold
from storage.records import Criterion, Gold, Split
from storage.store import Store


def usable_gold(store: Store, criteria: Sequence[Criterion], *, split: Split | None = None) -> list[Gold]:
    """The gold answers for criteria that are in use. split: of its posts alone.

    Without those that somebody has yet to give blind: what the model learned of them would reach that reader as its suggestions.
    """
    used, awaited = {c.id for c in criteria}, store.awaited_blind()
    return [g for g in store.gold(split=split) if g.criterion_id in used and (g.post_id, g.criterion_id) not in awaited]


def gold_examples(store: Store, gold: Sequence[Gold]) -> list[Example]:
    """One example per post, in order of post id, with the label of each criterion that has gold."""
    return examples_from_gold(store.posts(sorted({g.post_id for g in gold})), gold)


def by_split(examples: Iterable[Example]) -> dict[Split, list[Example]]:
    found: dict[Split, list[Example]] = {split: [] for split in Split}
    for example in examples:
        found[example.post.split or Split.TRAIN].append(example)
    return found
