"""The dataset card (README.md) of an exported Hugging Face folder: what is in it, how it was made, how far people agreed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from storage.formats.rows import ExportContext, ExportPost
from storage.records import SpanOrigin, Split, Verdict

SPLIT_NAMES = {Split.TRAIN: "train", Split.DEV: "validation", Split.TEST: "test"}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_ORIGINS = {
    SpanOrigin.ACCEPTED: "proposed by a model and accepted",
    SpanOrigin.ADJUSTED: "proposed by a model and moved at an edge",
    SpanOrigin.ADDED: "marked by a person without a proposal",
}
_FIELDS = (
    ("post_id", "the corpus' own id"),
    ("text", "the post, verbatim"),
    ("author, source, posted_at", "as the corpus gave them, else null"),
    ("meta", "further columns of the corpus, as JSON"),
    ("annotations", "one per criterion that was reviewed: `criterion`, `verdict`, `reviewer`, `created_at`, `note`, `spans`"),
    ("annotations[].spans", "`start`, `end` (Unicode code points, end exclusive) and `text`, which is `text[start:end]` of the post"),
)  # fmt: skip


class Card:
    """Counts what is written, then tells it."""

    def __init__(self) -> None:
        self._splits: Counter[str] = Counter()
        self._verdicts: Counter[tuple[str, Verdict | None]] = Counter()
        self._spans: Counter[str] = Counter()
        self._origins: Counter[SpanOrigin] = Counter()
        self._models: set[str] = set()
        self._beside_model = 0

    def add(self, item: ExportPost) -> None:
        self._splits[SPLIT_NAMES[item.post.split or Split.TRAIN]] += 1
        for answer in item.answers:
            self._verdicts[answer.criterion_id, answer.verdict] += 1
            self._spans[answer.criterion_id] += len(answer.spans)
            self._origins.update(s.origin for s in answer.spans)
            if answer.model_version:
                self._models.add(answer.model_version)
                self._beside_model += 1

    def text(self, context: ExportContext, cannot_carry: Sequence[str]) -> str:
        posts, answers, spans = self._splits.total(), self._verdicts.total(), self._spans.total()
        labeled = [c for c in context.criteria if any(self._verdicts[c.id, v] for v in Verdict)]
        lines = [self._front_matter(context), f"# {context.title}", ""]
        lines += [
            f"{posts:,} posts with {spans:,} passages marked as evidence for {_criteria(len(labeled))}: {answers:,} answers,"
            " each of which says of one post and one criterion that there is evidence (and where) or that there is none.",
            "A criterion that is missing from a post was **not reviewed**; it is no negative.",
            "",
        ]
        lines += ["## How it was made", "", *(f"- {fact}" for fact in self._origin_facts()), ""]
        lines += ["## Agreement", "", *(f"- {fact}" for fact in context.facts), ""]
        lines += ["## Splits", "", "Fixed per post when it was imported; one author's posts stay together.", ""]
        lines += ["| split | posts |", "|---|---|", *(f"| {n} | {self._splits[n]:,} |" for n in self._names()), ""]
        lines += [
            "## Labels",
            "",
            "| id | criterion | evidence | no evidence | unsure | passages |",
            "|---|---|---|---|---|---|",
        ]
        for c in labeled:
            counts = (self._verdicts[c.id, v] for v in (Verdict.EVIDENCE, Verdict.NO_EVIDENCE, Verdict.UNSURE))
            cells = (c.id, _cell(c.text), *(f"{n:,}" for n in counts), f"{self._spans[c.id]:,}")
            lines.append(f"| {' | '.join(cells)} |")
        lines += [
            "",
            "## Fields",
            "",
            "| field | meaning |",
            "|---|---|",
            *(f"| `{n}` | {what} |" for n, what in _FIELDS),
        ]
        lines += ["", "Not in here: " + "; ".join(cannot_carry) + ".", ""]
        lines += ["## Licence", "", _license(context.license), ""]
        lines += [
            "## Use",
            "",
            "```python",
            "from datasets import load_dataset",
            "",
            'load_dataset("path/to/this/folder")',
            "```",
        ]
        lines += ["", f"Written by {context.software}. Not a medical device: a mark is no diagnosis.", ""]
        return "\n".join(lines)  # fmt: skip

    def _names(self) -> list[str]:
        return [n for n in SPLIT_NAMES.values() if self._splits[n]]

    def _origin_facts(self) -> list[str]:
        beside, alone = self._beside_model, self._verdicts.total() - self._beside_model
        facts = [f"{beside:,} answers are of people who saw what a model had marked in the post."] if beside else []
        facts += [f"{alone:,} answers were given, or imported, without a model's marks."] if alone else []
        facts += [f"{self._origins[o]:,} passages were {words}." for o, words in _ORIGINS.items() if self._origins[o]]
        if self._models:
            facts.append(f"Model versions that people saw: {', '.join(sorted(self._models))}.")
        return facts

    def _front_matter(self, context: ExportContext) -> str:
        size = next((name for bound, name in _SIZES if self._splits.total() < bound), "1M<n<10M")
        lines = ["---", f"license: {json.dumps(context.license)}"]
        lines += [f"pretty_name: {json.dumps(context.title, ensure_ascii=False)}"]
        lines += ["task_categories:", "- token-classification", "- text-classification"]
        lines += ["tags:", "- evidence", "- span-annotation", "size_categories:", f"- {size}"]
        lines += ["configs:", "- config_name: default", "  data_files:" + ("" if self._splits else " []")]
        for name in self._names():
            lines += [f"  - split: {name}", f"    path: data/{name}.parquet"]
        return "\n".join([*lines, "---", ""])


def _criteria(count: int) -> str:
    return "1 criterion" if count == 1 else f"{count:,} criteria"


def _license(name: str) -> str:
    if name == "unknown":
        return "Not stated by whoever made this export. Ask before you share it: the posts have authors."
    return f"`{name}`, as stated by whoever made this export."


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
