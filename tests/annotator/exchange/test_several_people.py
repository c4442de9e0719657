"""Several people's spans on the same posts, in the forms in which corpora bring them: the figures of each two people, counted by hand.

Synthetic posts, one criterion; words are what the gold rule's IoU counts.

| post | ann | ben | words in common |
|---|---|---|---|
| p1 | "cannot sleep at all" | "cannot sleep" | 2 of 4: IoU .5, the same evidence with another border |
| p2 | "I lie awake until four" | "awake" | 1 of 5: IoU .2, not the same |
| p3 | no evidence | no evidence | |
| p4 | "Up all night" | no evidence | |
| p5 | "Three hours of sleep" | "Three hours of sleep" | 4 of 4 |

Verdicts: 4 of 5 are equal, percent .8. Evidence says ann in 4 of 5, ben in 3 of 5; by chance they would agree in 4/5 x 3/5 + 1/5 x 2/5 =
14/25 = .56; Cohen's kappa (.8 - .56) / (1 - .56) = 6/11. Spans: ann 4, ben 3; exactly equal 1, F1 2/7; from IoU .5 on 2, F1 4/7.
cem read p1 alone and marks what ben marks: with ben all is equal, with ann IoU .5.

Files of marks alone do not say that nothing is there: p3 and ben's p4 are not read. Of p1, p2, p5 all verdicts are evidence: percent 1,
kappa undefined; spans 3 and 3, F1 exact 2/6, from IoU .5 on 4/6.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotator.exchange.use_cases import import_file
from annotator.teams import measuring
from storage.store import Store
from tests.annotator.exchange_rows import jsonl

TEXTS = {
    "p1": "I cannot sleep at all. The dog is well.",
    "p2": "I lie awake until four.",
    "p3": "We ate soup 🌙.",
    "p4": "🌙 Up all night again. Tired.",
    "p5": "Three hours of sleep.",
}
MARKS = {
    "ann": {
        "p1": "cannot sleep at all",
        "p2": "I lie awake until four",
        "p3": "",
        "p4": "Up all night",
        "p5": "Three hours of sleep",
    },
    "ben": {"p1": "cannot sleep", "p2": "awake", "p3": "", "p4": "", "p5": "Three hours of sleep"},
    "cem": {"p1": "cannot sleep"},
}  # '': no evidence
LABEL = "SLEEP_ISSUES"


def answers() -> list[dict[str, Any]]:
    rows = []
    for person, marks in MARKS.items():
        for post, words in marks.items():
            text = TEXTS[post]
            place = (text.index(words), text.index(words) + len(words)) if words else (None, None)
            verdict = "evidence" if words else "no_evidence"
            rows.append({"post_id": post, "text": text, "criterion": LABEL, "verdict": verdict})
            rows[-1] |= {"start": place[0], "end": place[1], "annotator": person}
    return rows


def as_jsonl(folder: Path) -> Path:
    return jsonl(folder / "in.jsonl", *answers())


def as_csv(folder: Path) -> Path:
    path = folder / "in.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, answers()[0])
        writer.writeheader()
        writer.writerows(answers())
    return path


def as_brat(folder: Path) -> Path:
    for row in answers():
        own = folder / "corpus" / row["annotator"]
        own.mkdir(parents=True, exist_ok=True)
        (own / f"{row['post_id']}.txt").write_text(row["text"], "utf-8")
        words = row["text"][row["start"] : row["end"]] if row["start"] is not None else ""
        line = f"T1\t{LABEL} {row['start']} {row['end']}\t{words}\n" if words else ""
        (own / f"{row['post_id']}.ann").write_text(line, "utf-8")
    return folder / "corpus"


def as_label_studio(folder: Path) -> Path:
    tasks = []
    for number, (post, text) in enumerate(TEXTS.items()):
        done = []
        for row in answers():
            if row["post_id"] == post and row["start"] is not None:
                units = [
                    len(text[: row[key]].encode("utf-16-le")) // 2 for key in ("start", "end")
                ]  # as Label Studio counts
                value = {"start": units[0], "end": units[1], "text": text[row["start"] : row["end"]], "labels": [LABEL]}
                result = {"id": f"r{number}", "from_name": "label", "to_name": "text", "type": "labels", "value": value}
                done.append({"completed_by": {"email": row["annotator"]}, "result": [result]})
        tasks.append({"id": number, "data": {"post_id": post, "text": text}, "annotations": done})
    (folder / "in.json").write_text(json.dumps(tasks), "utf-8")
    return folder / "in.json"


WITH_VERDICTS = {
    ("ann", "ben"): (5, 0.8, 6 / 11, 2 / 7, 4 / 7),
    ("ann", "cem"): (1, 1.0, None, 0.0, 1.0),
    ("ben", "cem"): (1, 1.0, None, 1.0, 1.0),
}
MARKS_ALONE = {**WITH_VERDICTS, ("ann", "ben"): (3, 1.0, None, 2 / 6, 4 / 6)}


@pytest.mark.parametrize(
    ("written", "counted"),
    [(as_jsonl, WITH_VERDICTS), (as_csv, WITH_VERDICTS), (as_brat, MARKS_ALONE), (as_label_studio, MARKS_ALONE)],
    ids=["jsonl", "csv", "brat", "label-studio"],
)
def test_each_two_peoples_figures_are_those_counted_by_hand(
    written: Callable[[Path], Path], counted: dict[Any, Any], store: Store, tmp_path: Path
) -> None:
    import_file(store, written(tmp_path))
    assert len(list(store.iter_posts())) == len(TEXTS)
    names = ("percent", "cohen_kappa", "span_f1_exact", "span_f1")
    found = {
        (p["one"], p["other"]): (p["units"], *(p["figures"][name]["value"] for name in names))
        for p in measuring.report(store)["pairs"]
    }
    assert set(found) == set(counted)
    for pair, figures in counted.items():
        assert found[pair] == pytest.approx(figures, abs=1e-12, nan_ok=True), pair
