"""Write one small project in every format: `python -m benchmarks.exchange_peers.make FOLDER`.

The posts hold what usually goes wrong: emoji, ZWJ sequences, combining marks, CRLF, right-to-left text, quotes, formulas.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from annotator.exchange.exporting import export_file
from annotator.project import default_criteria
from storage.exports import ExportFilter
from storage.formats.registry import FORMATS
from storage.records import AnnotatedSpan, Annotation, Post, Prediction, Span, Verdict
from storage.store import Store, open_store

TEXTS = (
    "I cannot sleep 😀. I lie awake until four.\r\nThe dog is well.",
    "👩‍👩‍👧 We went out, but e\u0301verything felt empty — “nothing” helps.",
    "=SUM(A1) is not a joke; I am so tired.\tTabs, \"quotes\" and 'more'.",
    "שלום, I can't get up. مرحبا. Nothing tastes of anything 🇩🇪.",
    "Just a post about the weather.",
)
MARKED = (
    "I lie awake until four.",
    "e\u0301verything felt empty",
    "I am so tired.",
    "Nothing tastes of anything 🇩🇪",
    "",
)
CRITERIA = ("SLEEP_ISSUES", "DEPRESSED_MOOD", "FATIGUE", "APPETITE_CHANGE", "ANHEDONIA")


def a_project(folder: Path) -> Store:
    """Five posts: each with evidence for one criterion (the last with none) and "no evidence" for another."""
    store = open_store(folder)
    store.save_criteria(default_criteria())
    store.ensure_reviewer("ana")
    for number, (text, words, criterion) in enumerate(zip(TEXTS, MARKED, CRITERIA, strict=True)):
        post = Post(f"p{number}", text)
        store.add_posts([post])
        if words:
            start = text.index(words)
            span = AnnotatedSpan(start, start + len(words))
            store.add_annotation(Annotation(post.id, criterion, "ana", Verdict.EVIDENCE, (span,)), expected_revision=0)
            predicted = Span(start, start + len(words), 0.75)
            store.add_predictions([Prediction(post.id, criterion, "v1", (predicted,), 0.25)])
        none = Annotation(post.id, "WORTHLESSNESS", "ana", Verdict.NO_EVIDENCE)
        store.add_annotation(none, expected_revision=0)
    return store


def write_all(folder: Path) -> dict[str, str]:
    """Every format into the folder, and `truth.json`: [post id, criterion, start, end, quote] of each span. Returns the paths."""
    paths = {}
    with tempfile.TemporaryDirectory() as data:
        store = a_project(Path(data))
        for name, kind in FORMATS.items():
            if kind.writer:
                path = folder / name if kind.is_folder else folder / f"{name}{kind.suffix}"
                export_file(store, name, path)
                paths[name] = str(path)
        truth = [
            [item.post.id, a.criterion_id, s.start, s.end, item.post.text[s.start : s.end]]
            for item in store.iter_export(ExportFilter())
            for a in item.answers
            for s in a.spans
        ]
    (folder / "truth.json").write_text(json.dumps(truth, ensure_ascii=False), "utf-8")
    return paths


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    print(json.dumps(write_all(target)))
