"""How well an encoder does on corpus items and posts: what `build` chooses by, and what the thresholds are fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoder.bundled.corpus import Composer, Item, item_example
from encoder.config import EncoderConfig
from encoder.examples import Example
from encoder.measure.calibrate import Calibrated, calibrate
from encoder.measure.metrics import sentence_is_evidence
from encoder.network.model import EvidenceEncoder
from encoder.predict import Predictor
from storage.records import Criterion

RECALL_FIRST = ("SUICIDAL_THOUGHTS",)
RECALL_TARGET = 0.9
_CALIBRATION_SEED = 99


@dataclass(frozen=True)
class Scored:
    """Sentence logits and gold, (sentences, criteria)."""

    logits: NDArray[np.float64]
    gold: NDArray[np.bool_]

    def best_micro_f1(self) -> float:
        """Micro F1 at the one threshold that is best for it."""
        order = np.argsort(-self.logits.ravel(), kind="stable")
        hits = np.cumsum(self.gold.ravel()[order])
        return float((2 * hits / (np.arange(1, len(hits) + 1) + self.gold.sum())).max())


def score_sentences(encoder: EvidenceEncoder, examples: Sequence[Example], criteria: Sequence[Criterion]) -> Scored:
    """Every sentence of the examples, all criteria reviewed."""
    logits, gold = [], []
    predictor = Predictor(encoder, "measured")
    for example, found in zip(
        examples, predictor.iter_scores([e.post for e in examples], criteria, batch_size=32), strict=True
    ):
        logits.append(np.nan_to_num(found.sentences, neginf=-30.0))
        gold.append(
            [[sentence_is_evidence(s, example.labels[c.id].spans) for c in criteria] for s in found.read.sentences]
        )
    return Scored(np.concatenate(logits).astype(np.float64), np.concatenate([np.array(g, np.bool_) for g in gold]))


def score_items(encoder: EvidenceEncoder, items: Sequence[Item], criteria: Sequence[Criterion]) -> Scored:
    """Every item as a post of its own; its logit is that of its best sentence."""
    posts = [item_example(item, number).post for number, item in enumerate(items)]
    found = Predictor(encoder, "measured").iter_scores(posts, criteria, batch_size=64)
    logits = np.stack([scores.sentences.max(0) for scores in found]).astype(np.float64)
    return Scored(logits, np.array([[c.id in item.labels for c in criteria] for item in items], np.bool_))


def quality(
    encoder: EvidenceEncoder, items: Sequence[Item], posts: Sequence[Example], criteria: Sequence[Criterion]
) -> float:
    """What the best weights are chosen by: the mean of the micro F1 of items alone, of composed posts and of whole posts."""
    composer = Composer(items, _CALIBRATION_SEED)
    composed = [composer.compose(longest=14).example for _ in range(len(items) // 15)]
    scored = [score_items(encoder, items, criteria)]
    scored += [score_sentences(encoder, examples, criteria) for examples in (composed, posts) if examples]
    return sum(s.best_micro_f1() for s in scored) / len(scored)


def calibration_groups(items: Sequence[Item], posts: Sequence[Example]) -> list[list[Example]]:
    """What temperature and thresholds are fitted on: dev items alone, composed posts of them, and whole dev posts."""
    composer = Composer(items, _CALIBRATION_SEED)
    composed = [composer.compose(longest=14).example for _ in range(len(items) // 6)]
    alone = [item_example(item, number) for number, item in enumerate(items)]
    return [alone, composed, list(posts)]


def calibrated_config(
    encoder: EvidenceEncoder, groups: Sequence[Sequence[Example]], criteria: Sequence[Criterion]
) -> tuple[EncoderConfig, Calibrated]:
    """The encoder's config with temperature and thresholds fitted on the examples; see `fitted_config`."""
    scored = [score_sentences(encoder, group, criteria) for group in groups if group]
    return fitted_config(encoder.config, scored, criteria)


def fitted_config(
    config: EncoderConfig, scored: Sequence[Scored], criteria: Sequence[Criterion]
) -> tuple[EncoderConfig, Calibrated]:
    """The config with temperature and thresholds fitted on the scores of some groups of examples.

    Each group counts as much as the others for the thresholds, however much evidence it has: a threshold that suits short passages,
    of which half are evidence, marks too much in a whole post, of which a sixth is.
    """
    logits, gold = (np.concatenate([getattr(s, name) for s in scored]) for name in ("logits", "gold"))
    fair_share = gold.sum() / len(scored)
    mass = np.concatenate([np.full(len(s.gold), fair_share / max(1, s.gold.sum())) for s in scored])
    found = calibrate(
        {c.id: logits[:, k] for k, c in enumerate(criteria)},
        {c.id: gold[:, k] for k, c in enumerate(criteria)},
        recall_first=RECALL_FIRST,
        recall_target=RECALL_TARGET,
        weights=mass,
    )
    assert found is not None, "dev has no evidence to calibrate on"
    changed = config.changed(
        temperature=found.temperature, thresholds=dict(found.thresholds), default_threshold=found.default_threshold
    )
    return changed, found
