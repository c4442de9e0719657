"""What several people said of the same spans and posts, from the store to the statistics."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from annotator.teams.agreement.figures import Bootstrap
from annotator.teams.agreement.said import Asked, Unit, agreement_on
from storage.attributes import Attributes
from storage.matching import Words, match
from storage.records import SpanAttributes
from storage.rows import annotated_from_json, labels_from_json
from storage.store import Store

Pair = tuple[SpanAttributes, SpanAttributes]


def agreement_on_attributes(store: Store, *, round_id: int | None = None, seed: int = 0) -> list[dict[str, Any]]:
    """For each level, flag and label that the project defines: on how many pairs of matching spans (or posts), percent and alpha.

    Spans are the same by the project's gold rule. Levels that are no longer in use do not count. Nothing where none is defined.
    """
    attributes = store.attributes()
    if not attributes.of_spans and not attributes.of_posts:
        return []
    of_spans = attributes.flags or (attributes.severity and attributes.severity.levels)
    pairs, labels = _pairs(store, round_id) if of_spans else [], store.labels_in_common(round_id=round_id)
    posts = sorted({post for post, _ in pairs} | {post for post, _, _ in labels})
    number = {post: n for n, post in enumerate(posts)}
    bootstrap = Bootstrap(len(posts), seed=seed)
    asked = [*_of_spans(attributes, pairs, number), *_of_posts(attributes, labels, number)]
    return [agreement_on(one, units, bootstrap) for one, units in asked]


def _of_spans(
    attributes: Attributes, pairs: Sequence[tuple[str, Pair]], number: Mapping[str, int]
) -> Iterator[tuple[Asked, list[Unit]]]:
    scale = attributes.severity
    if scale is not None and scale.levels:
        place = {level: n for n, level in enumerate(scale.levels)}
        levels = [(post, [place[s.severity] for s in pair if s.severity in place]) for post, pair in pairs]
        yield Asked("severity", scale.name, scale.levels, scale.ordered), [Unit(number[p], v) for p, v in levels]
    for flag in attributes.flags:
        units = [Unit(number[post], [int(flag in said.flags) for said in pair]) for post, pair in pairs]
        yield Asked("flag", flag, ("no", "yes"), ordered=False), units


def _of_posts(
    attributes: Attributes, labels: Sequence[tuple[str, str, str]], number: Mapping[str, int]
) -> Iterator[tuple[Asked, list[Unit]]]:
    given: dict[str, list[Mapping[str, str]]] = {}
    for post, _, cell in labels:
        given.setdefault(post, []).append(dict(labels_from_json(cell)))
    for scale in attributes.of_posts:
        place = {level: n for n, level in enumerate(scale.levels)}
        units = [
            Unit(number[post], [place[of[scale.name]] for of in all_of if of.get(scale.name) in place])
            for post, all_of in given.items()
        ]
        yield Asked("label", scale.name, scale.levels, scale.ordered), units


def _pairs(store: Store, round_id: int | None) -> list[tuple[str, Pair]]:
    """Of each two people's spans that are the same evidence, what they say of it, with the post."""
    rows = [row for row in store.answers_in_common(round_id=round_id) if row[3] == "evidence"]
    rows.sort(key=lambda row: row[:3])
    groups = [(key, list(group)) for key, group in itertools.groupby(rows, key=lambda row: row[:2])]
    groups = [(key, group) for key, group in groups if len(group) > 1]
    iou, found = store.gold_rule().iou, []
    for (key, group), text in zip(groups, store.texts([key[0] for key, _ in groups]), strict=True):
        words = Words.of(text)
        answers = [annotated_from_json(row[4]) for row in group]
        for one, other in itertools.combinations(answers, 2):
            places = [[(s.start, s.end) for s in answer] for answer in (one, other)]
            same = match(places[0], places[1], words, threshold=iou)
            found += [(key[0], (one[i].attributes, other[j].attributes)) for i, j in same]
    return found
