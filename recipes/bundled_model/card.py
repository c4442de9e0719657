"""Writes the bundled model's card from its config, its measured figures and the corpus: no figure in it is typed by hand.

`python -m recipes.bundled_model.card [DIRECTORY]`; `recipes.bundled_model.build` and `benchmarks.bundled_model --write` do it too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from encoder.bundled import corpus
from encoder.examples import Example
from encoder.network.bases import GEMMA_TERMS
from encoder.network.hub import BUNDLED_DIRECTORY
from recipes.bundled_model.measure import RECALL_FIRST
from storage.records import Split

TEMPLATE = Path(__file__).with_name("card.md")
_CAREFUL = RECALL_FIRST[0]
_NOT_MEASURED = "Not measured yet: `python -m benchmarks.bundled_model --write` does it."
_NOT_RATES = ("any", "passages", "nearest")


def write_card(directory: Path = BUNDLED_DIRECTORY) -> None:
    """Write `README.md` of a model directory. Without `metrics.json` the card says that nothing was measured."""
    metrics = directory / "metrics.json"
    measured = json.loads(metrics.read_text("utf-8")) if metrics.exists() else None
    config = json.loads((directory / "evidence_config.json").read_text("utf-8"))
    values = {
        **_about(directory),
        **_taught(config.get("distilled_from", "")),
        **data_figures(directory),
        "results": _results(measured, config) if measured else _NOT_MEASURED,
    }
    (directory / "README.md").write_text(Template(TEMPLATE.read_text("utf-8")).substitute(values), encoding="utf-8")


def _about(directory: Path) -> dict[str, str]:
    shape = json.loads((directory / "config.json").read_text("utf-8"))
    size = sum(path.stat().st_size for path in directory.glob("*.safetensors"))
    return {
        "layers": str(shape["num_hidden_layers"]),
        "width": str(shape["hidden_size"]),
        "vocabulary": f"{shape['vocab_size']:,}",
        "megabytes": f"{size / 2**20:.0f}",
    }


def _taught(by: str) -> dict[str, str]:
    """What the card says of the second teacher, if there was one: it stands on Gemma, and its terms go with what it teaches."""
    if not by:
        return {"license": "apache-2.0", "second_teacher": "", "then": ""}
    second = f"""\
- **Second teacher**: `{by}`, the model on Google's Gemma 3 270M that comes with the program. The student learned its vectors of variants of
  the training passages and of the general text, and its answers to them. Gemma is provided under and subject to the Gemma Terms of Use
  found at {GEMMA_TERMS}; they hold for what its answers teach, and travel with everything made from it (`NOTICE.txt`).
"""
    return {"license": "gemma", "second_teacher": second, "then": ", then `python -m recipes.bundled_model.from_gemma`"}


def train_voices(items: Iterable[corpus.Item], posts: Iterable[Example]) -> list[str]:
    """The voices that a training reads, as `run.json` beside a model keeps them."""
    return sorted(voice for voice, split in corpus.voices_of(items, posts).items() if split is Split.TRAIN)


def data_figures(directory: Path) -> dict[str, str]:
    """What the corpus holds of the voices that the model in the directory has read and of those it is chosen and measured by, as the
    cards say it.
    """
    items, posts = corpus.read_items(), corpus.read_posts()
    voices = corpus.voices_of(items, posts)
    run = directory / "run.json"
    told = json.loads(run.read_text("utf-8")).get("voices") if run.exists() else None
    read = told or train_voices(items, posts)
    voices = {voice: split for voice, split in voices.items() if split is not Split.TRAIN or voice in read}
    items = [item for item in items if item.voice in voices]
    posts = [post for post in posts if corpus.voice_of(post) in voices]
    of = {split: sum(s is split for s in voices.values()) for split in Split}
    return {
        "passages": f"{len(items):,}",
        "posts": f"{len(posts):,}",
        "voices": str(len(voices)),
        "train_voices": str(of[Split.TRAIN]),
        "dev_voices": str(of[Split.DEV]),
        "test_voices": str(of[Split.TEST]),
        "test_posts": str(len(corpus.read_test_posts())),
    }


def _results(measured: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    voices, posts = measured["test"], measured["test_posts"]
    careful, careful_posts = (found["criteria"][_CAREFUL] for found in (voices, posts))
    worst = sorted(mistakes(measured), reverse=True)[:5]
    return "\n".join(
        [
            f"Sentences of the held-out voices ({measured['measured_at'][:10]}); intervals 95 %, bootstrap by passage; the",
            "threshold is the probability from which a sentence is highlighted.",
            "",
            *by_criterion(voices, config["thresholds"]),
            "",
            *_beside(measured),
            "",
            "Against what was aimed for:",
            "",
            *_against_aims(measured),
            "",
            f"{_CAREFUL}: precision {_two(careful['precision'])} at recall {_two(careful['recall'])} on the voices; "
            f"{_two(careful_posts['precision'])} at {_two(careful_posts['recall'])} in whole posts.",
            f"ECE on the voices is {measured['ece']['before']:.3f} without the temperature and "
            f"{measured['ece']['after']:.3f} with it. Most often highlighted by mistake:",
            ", ".join(f"{kind.replace('_', ' ')} for {criterion} ({rate:.0%})" for rate, kind, criterion in worst)
            + ". Full tables: `benchmarks/RESULTS.md`.",
        ]
    )


def by_criterion(found: Mapping[str, Any], thresholds: Mapping[str, float]) -> Iterator[str]:
    """A Markdown table of an evaluation: each criterion, micro and macro."""
    yield from header("criterion", "gold", "precision", "recall", "F1", "AP", "threshold")
    rows = {**found["criteria"], "micro": found["micro"], "macro": found["macro"]}
    for name, scores in rows.items():
        figures = (scores["precision"], scores["recall"], scores["average_precision"])
        precision, recall, average = map(_two, figures)
        threshold = _two(thresholds[name]) if name in thresholds else ""
        yield f"| {name} | {scores['support']} | {precision} | {recall} | {_f1(scores)} | {average} | {threshold} |"


def _beside(measured: Mapping[str, Any]) -> Iterator[str]:
    sets = {**measured["beside"], "model": measured}
    order = ("keywords", "tfidf", "model")
    yield from header("", "keywords", "TF-IDF + logistic regression", "this model")

    def row(name: str, cells: Sequence[str]) -> str:
        return f"| {name} | " + " | ".join(cells) + " |"

    passages = measured["items"]
    yield row("micro F1, passages of the held-out voices", [_two(passages[m]["micro_f1"]) for m in order])
    yield row(
        f"the same without {_CAREFUL} (recall-first here only)", [_two(passages[m]["micro_f1_others"]) for m in order]
    )
    yield row("micro F1, their sentences", [_f1(sets[m]["test"]["micro"]) for m in order])
    yield row("overlapping span F1, whole posts", [_f1(sets[m]["test_posts"]["span_overlap"]) for m in order])
    yield row("exact span F1, whole posts", [_f1(sets[m]["test_posts"]["span_exact"]) for m in order])
    yield row("no-evidence accuracy, whole posts", [_two(sets[m]["test_posts"]["no_evidence_accuracy"]) for m in order])


def _against_aims(measured: Mapping[str, Any]) -> Iterator[str]:
    passages, voices = measured["items"], measured["test"]
    own = passages["model"]["micro_f1"]
    better = max(passages[name]["micro_f1"] for name in ("keywords", "tfidf"))
    aims = [
        ("micro F1 on passages of the held-out voices", own, 0.60, True),
        ("its lead over the better baseline", own - better, 0.05, True),
        ("overlapping span F1 on whole posts", measured["test_posts"]["span_overlap"]["f1"], 0.80, True),
        (f"recall of {_CAREFUL}, held-out voices", voices["criteria"][_CAREFUL]["recall"], 0.90, True),
        ("ECE on sentences of the held-out voices", voices["sentence_calibration"]["ece"], 0.05, False),
        (
            f"worst false-highlight rate of a hard-negative class, without {_CAREFUL}",
            max(mistakes(measured))[0],
            0.10,
            False,
        ),
        ("milliseconds for 300 words x 9 criteria, one thread", measured["ms_per_300_words_x_9_criteria"], 100, False),
        ("seconds to load, libraries imported already", measured["load_seconds"], 2, False),
        (
            "F1 that re-worded criteria cost",
            measured["reworded"]["before"] - measured["reworded"]["after"],
            0.02,
            False,
        ),
    ]
    yield from header("figure", "measured", "aim", "")
    for name, value, aim, upward in aims:
        reached = value >= aim if upward else value <= aim
        yield f"| {name} | {value:.3g} | {'≥' if upward else '≤'} {aim:g} | {'reached' if reached else 'missed'} |"


def mistakes(measured: Mapping[str, Any]) -> Iterator[tuple[float, str, str]]:
    """(rate, class of hard negative, criterion), without the criterion that puts recall first."""
    for kind, rates in measured["false_highlights"].items():
        for criterion, rate in rates.items():
            if kind != "neutral" and criterion not in (*_NOT_RATES, *RECALL_FIRST):
                yield rate, kind, criterion


def header(*names: str) -> list[str]:
    """The first two lines of a Markdown table."""
    return ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]


def _two(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _f1(scores: Mapping[str, Any]) -> str:
    interval = scores["f1_interval"]
    shown = _two(scores["f1"])
    return f"{shown} ({interval['low']:.2f} to {interval['high']:.2f})" if interval else shown


if __name__ == "__main__":
    write_card(*map(Path, sys.argv[1:2]))
