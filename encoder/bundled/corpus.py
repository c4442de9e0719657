"""The bundled corpus: sentences and whole posts written for this project, and posts composed of them for training. No torch.

Files in `corpus/`: `sentences.jsonl` and `posts.jsonl` (each line names its voice and split), `test_posts.jsonl` (whole posts
written apart, only ever measured on), `split.json` (which voices train, choose and test). Everything is synthetic.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoder.examples import Example, Label
from encoder.measure.metrics import sentence_is_evidence
from encoder.text.sentences import sentences
from storage.records import Post, Span, Split, Verdict

DIRECTORY = Path(__file__).parent / "corpus"

CRITERIA = (
    "DEPRESSED_MOOD",
    "ANHEDONIA",
    "APPETITE_CHANGE",
    "SLEEP_ISSUES",
    "PSYCHOMOTOR",
    "FATIGUE",
    "WORTHLESSNESS",
    "COGNITIVE_ISSUES",
    "SUICIDAL_THOUGHTS",
)
HARD_NEGATIVES = (
    "negated",
    "someone_else",
    "resolved_past",
    "hypothetical",
    "figure_of_speech",
    "other_cause",
    "quoted_fiction",
    "professional",
)
_CONNECTIVES = (
    "Anyway, ", "Also, ", "And ", "So ", "Honestly, ", "Plus ", "On top of that, ", "Oh, and ", "I mean, ", "Right now, ",
    "Lately, ", "Then again, ", "To be fair, ", "In other news, ", "For context: ", "Not sure it matters, but ",
)  # fmt: skip
_ENDINGS = tuple(".!?…\"'”’)")


@dataclass(frozen=True, slots=True)
class Item:
    """One written passage of one to three sentences. kind: evidence, neutral, or a class of hard negative.

    near: the criteria that a hard negative could be mistaken for. oblique: evidence without the criterion's usual words.
    """

    text: str
    labels: tuple[str, ...]
    kind: str
    oblique: bool
    near: tuple[str, ...]
    voice: str
    split: Split


@dataclass(frozen=True, slots=True)
class Composed:
    """A post made of items, and the place of each in it: (start, end, number of the item)."""

    example: Example
    places: tuple[tuple[int, int, int], ...]


def read_items(directory: Path = DIRECTORY) -> list[Item]:
    """All sentences of the corpus, in the order of the file."""
    return [
        Item(
            row["text"],
            tuple(row["labels"]),
            row["class"],
            row["oblique"],
            tuple(row["near"]),
            row["voice"],
            Split(row["split"]),
        )
        for row in _rows(directory / "sentences.jsonl")
    ]


def read_posts(directory: Path = DIRECTORY) -> list[Example]:
    """The whole posts of the training and choosing voices."""
    return [
        _example(row["post_id"], row["text"], _by_criterion(row["spans"]), Split(row["split"]))
        for row in _rows(directory / "posts.jsonl")
    ]


def read_test_posts(directory: Path = DIRECTORY) -> list[Example]:
    """The whole posts that are only ever measured on; all nine criteria are reviewed in each."""
    return [
        _example(
            row["post_id"],
            row["text"],
            {a["criterion"]: [Span(s["start"], s["end"]) for s in a["spans"]] for a in row["annotations"]},
            Split.TEST,
        )
        for row in _rows(directory / "test_posts.jsonl")
    ]


def item_example(item: Item, number: int) -> Example:
    """An item as a post of its own: the whole text is evidence or nothing is."""
    whole = [Span(0, len(item.text))]
    return _example(f"{item.voice}-s{number}", item.text, dict.fromkeys(item.labels, whole), item.split)


def voice_of(post: Example) -> str:
    return post.post.id.partition("-")[0]


def voices_of(items: Iterable[Item], posts: Iterable[Example]) -> dict[str, Split]:
    """Every voice of the corpus, and its split."""
    voices = {item.voice: item.split for item in items}
    return voices | {voice_of(post): post.post.split or Split.TRAIN for post in posts}


def passages(example: Example) -> tuple[list[Item], list[Span]]:
    """The sentences of a whole post as items of its voice, and where they lie in it."""
    places = sentences(example.post.text)
    labels = [tuple(c for c in CRITERIA if sentence_is_evidence(s, example.labels[c].spans)) for s in places]
    split = example.post.split or Split.TRAIN
    voice = voice_of(example)
    items = [
        Item(place.quote(example.post.text), found, "evidence" if found else "neutral", False, (), voice, split)
        for place, found in zip(places, labels, strict=True)
    ]
    return items, places


def whole_posts(examples: Sequence[Example], first: int) -> tuple[list[Item], list[Composed]]:
    """Whole posts as if they were composed of their sentences, which get the numbers from `first` on."""
    items: list[Item] = []
    whole: list[Composed] = []
    for example in examples:
        found, places = passages(example)
        numbered = tuple((p.start, p.end, first + len(items) + n) for n, p in enumerate(places))
        items += found
        whole.append(Composed(example, numbered))
    return items, whole


class Composer:
    """Composes posts of items, so that evidence stands among other sentences. Seeded; items of one voice stay together.

    strangers: numbers of items that may stand in any post, whatever its voice.
    """

    def __init__(self, items: Sequence[Item], seed: int, *, strangers: Sequence[int] = ()) -> None:
        self.items = items
        self._random = random.Random(seed)  # noqa: S311, nothing secret
        self._strangers = list(strangers)
        own = set(range(len(items))) - set(self._strangers)
        self._voices = sorted({items[n].voice for n in own})
        self._pools: dict[str, dict[str, list[int]]] = {
            v: {"evidence": [], "near": [], "neutral": []} for v in self._voices
        }
        for number in sorted(own):
            self._pools[items[number].voice][_pool(items[number])].append(number)

    def compose(self, *, longest: int = 12, evidence: float = 0.4, count: int | None = None) -> Composed:
        """A post of one to `longest` items; about one in four posts has no evidence at all."""
        pick = self._random
        length = count or min(longest, 1 + int(pick.expovariate(1 / (longest / 3))))
        share = 0.0 if length > 1 and pick.random() < 0.25 else evidence
        pools = self._pools[pick.choice(self._voices)]
        numbers = [self._number(pools, share) for _ in range(length)]
        return self.join(numbers, f"composed-{pick.getrandbits(48):012x}")

    def join(self, numbers: Sequence[int], post_id: str) -> Composed:
        """The items one after the other, with white space, final stops and connectives as in a post."""
        breaks = self._random.choice((" ", " ", " ", "\n", "\n\n"))
        text = ""
        places: list[tuple[int, int, int]] = []
        for number in numbers:
            passage = self.items[number].text
            if text:
                text = self._closed(text) + (breaks if text.endswith(_ENDINGS) else "\n")
                passage = self._connected(passage)
            places.append((len(text), len(text) + len(passage), number))
            text += passage
        spans: dict[str, list[Span]] = {}
        for start, end, number in places:
            for label in self.items[number].labels:
                spans.setdefault(label, []).append(Span(start, end))
        return Composed(_example(post_id, text, spans, Split.TRAIN), tuple(places))

    def _number(self, pools: Mapping[str, list[int]], evidence: float) -> int:
        chance = self._random.random()
        if self._strangers and chance > 0.8:
            return self._random.choice(self._strangers)
        kind = "evidence" if chance < evidence else "near" if self._random.random() < 0.45 else "neutral"
        return self._random.choice(pools[kind] or pools["neutral"] or pools["evidence"])

    def _closed(self, text: str) -> str:
        return text if text.endswith(_ENDINGS) or self._random.random() < 0.5 else text + "."

    def _connected(self, passage: str) -> str:
        if self._random.random() >= 0.08 or not passage[:1].isalpha():
            return passage
        lowered = passage if passage.startswith(("I ", "I'", "I’")) else passage[0].lower() + passage[1:]
        return self._random.choice(_CONNECTIVES) + lowered


def _pool(item: Item) -> str:
    return item.kind if item.kind in ("evidence", "neutral") else "near"


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def _by_criterion(spans: Iterable[Mapping[str, Any]]) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for span in spans:
        found.setdefault(span["criterion"], []).append(Span(span["start"], span["end"]))
    return found


def _example(post_id: str, text: str, spans: Mapping[str, Sequence[Span]], split: Split) -> Example:
    """A post in which every criterion was reviewed."""
    labels = {
        criterion: Label(Verdict.EVIDENCE, tuple(sorted(spans[criterion])))
        if spans.get(criterion)
        else Label(Verdict.NO_EVIDENCE)
        for criterion in CRITERIA
    }
    return Example(Post(post_id, text, split=split, source="demo corpus"), labels)
