"""Writes the corpus' dataset card from the corpus itself: no figure in it is typed. `python -m recipes.bundled_model.corpus_card`"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from encoder.bundled.corpus import (
    CRITERIA,
    DIRECTORY,
    HARD_NEGATIVES,
    Item,
    read_items,
    read_posts,
    read_test_posts,
    voices_of,
)
from encoder.examples import Example
from storage.records import Split

TEMPLATE = Path(__file__).with_name("corpus_card.md")
CLASSES = ("evidence", *HARD_NEGATIVES, "neutral")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))


def corpus_card(directory: Path = DIRECTORY) -> str:
    """The card of the corpus as it is now."""
    items, posts, test_posts = read_items(directory), read_posts(directory), read_test_posts(directory)
    voices = voices_of(items, posts)
    values = {
        "size": next((name for limit, name in _SIZES if len(items) < limit), "100K<n<1M"),
        "passages": f"{len(items):,}",
        "whole": f"{len(posts) + len(test_posts):,}",
        "voices": str(len(voices)),
        "test_voices": ", ".join(sorted(voice for voice, split in voices.items() if split is Split.TEST)),
        "oblique": f"{sum(item.oblique for item in items):,}",
        "by_split": "\n".join(_by_split(items, posts, test_posts, voices)),
        "by_criterion": "\n".join(_by_criterion(items, posts, test_posts)),
        "by_class": "\n".join(_by_class(items)),
    }
    return Template(TEMPLATE.read_text("utf-8")).substitute(values)


def write_corpus_card(directory: Path = DIRECTORY) -> None:
    (directory / "README.md").write_text(corpus_card(directory), encoding="utf-8")


def _by_split(
    items: Sequence[Item], posts: Sequence[Example], test_posts: Sequence[Example], voices: dict[str, Split]
) -> Iterable[str]:
    counted: dict[str, Counter[Split | None]] = {
        "voices": Counter(voices.values()),
        "passages": Counter(item.split for item in items),
        "whole posts": Counter(post.post.split for post in posts),
        "whole posts written apart": Counter({Split.TEST: len(test_posts)}),
    }
    yield from _table("", *map(str, Split), "all")
    for name, counts in counted.items():
        yield _row(name, [counts[split] for split in Split])


def _by_criterion(items: Sequence[Item], posts: Sequence[Example], test_posts: Sequence[Example]) -> Iterable[str]:
    heads = [f"passages, {split}" for split in Split] + [f"posts, {split}" for split in Split]
    yield from _table("criterion", *heads, "posts written apart")
    for criterion in CRITERIA:
        passages = [sum(i.split is split and criterion in i.labels for i in items) for split in Split]
        whole = [sum(p.post.split is split and bool(p.labels[criterion].spans) for p in posts) for split in Split]
        apart = sum(bool(p.labels[criterion].spans) for p in test_posts)
        yield _row(criterion, [*passages, *whole, apart], total=False)
    empty = [sum(not i.labels and i.split is split for i in items) for split in Split]
    whole = [sum(p.post.split is split and _is_empty(p) for p in posts) for split in Split]
    yield _row("none of them", [*empty, *whole, sum(map(_is_empty, test_posts))], total=False)


def _is_empty(post: Example) -> bool:
    return not any(label.spans for label in post.labels.values())


def _by_class(items: Sequence[Item]) -> Iterable[str]:
    counts = Counter((item.kind, item.split) for item in items)
    yield from _table("class", *map(str, Split), "all")
    for kind in CLASSES:
        yield _row(kind.replace("_", " "), [counts[kind, split] for split in Split])


def _table(*names: str) -> list[str]:
    return ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]


def _row(name: str, counts: Sequence[int], *, total: bool = True) -> str:
    numbers = [*counts, sum(counts)] if total else list(counts)
    return f"| {name} | " + " | ".join(f"{number:,}" for number in numbers) + " |"


if __name__ == "__main__":
    write_corpus_card()
