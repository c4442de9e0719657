"""Writes the card of the model on real Gemma from its files and measured figures: `python -m recipes.gemma.card [DIRECTORY]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

from encoder.network.hub import GEMMA_DIRECTORY
from recipes.bundled_model.card import by_criterion, data_figures, header, mistakes
from recipes.bundled_model.measure import RECALL_FIRST

TEMPLATE = Path(__file__).with_name("card.md")
_CAREFUL = RECALL_FIRST[0]
_NOT_MEASURED = "Not measured yet: `python -m benchmarks.gemma_model --write` does it."


def write_card(directory: Path = GEMMA_DIRECTORY) -> None:
    """Write `README.md` of a model directory. Without `metrics.json` the card says that nothing was measured."""
    measured = _json(directory / "metrics.json")
    config, adapter = _json(directory / "evidence_config.json") or {}, _json(directory / "adapter_config.json") or {}
    run = _json(directory / "run.json")
    values = {
        **data_figures(directory),
        "quantization": f"weights {config['base_weights'].get('quantization', 'as they came')}",
        "causal": str(config["causal_layers"]),
        "rank": str(adapter["r"]),
        "table": _table(config),
        "megabytes": f"{sum(p.stat().st_size for p in directory.glob('*.safetensors')) / 1e6:.0f}",
        "run": _run(run) if run else "",
        "results": _results(measured, config) if measured else _NOT_MEASURED,
    }
    (directory / "README.md").write_text(Template(TEMPLATE.read_text("utf-8")).substitute(values), encoding="utf-8")


def _run(run: Mapping[str, Any]) -> str:
    parts = [f"{one['steps']} steps in {one['minutes']:.0f} minutes" for one in (*run.get("earlier", ()), run)]
    return f"This model: {', then '.join(parts)} of training."


def _table(config: Mapping[str, Any]) -> str:
    if not config["wide_buckets"]:
        return "nothing else."
    return "a hashed table of word and character n-grams adds a logit per sentence."


def _results(measured: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    worst = sorted(mistakes(measured), reverse=True)[:5]
    return "\n".join(
        [
            f"Sentences of the held-out voices ({measured['measured_at'][:10]}); intervals 95 %, bootstrap by passage.",
            "",
            *by_criterion(measured["test"], config["thresholds"]),
            "",
            "Against what was aimed for:",
            "",
            *against_aims(measured),
            "",
            "Most often highlighted by mistake: "
            + ", ".join(f"{kind.replace('_', ' ')} for {criterion} ({rate:.0%})" for rate, kind, criterion in worst)
            + ". Full tables: `benchmarks/RESULTS.md`.",
        ]
    )


def against_aims(measured: Mapping[str, Any]) -> Iterator[str]:
    """A table of figures and goals, which says of each whether it was reached."""
    posts, dev = measured["test_posts"], measured["dev_passages"]
    aims = [
        ("micro F1, passages of the four test voices", measured["items"]["model"]["micro_f1"], 0.84, True),
        ("micro average precision, the same", measured["items"]["model"]["micro_ap"], 0.92, True),
        ("F1 at the best single threshold, passages of three dev voices", dev["f1"], 0.84, True),
        ("macro average precision, the same", dev["macro_ap"], 0.91, True),
        ("overlapping span F1, whole posts written apart", posts["span_overlap"]["f1"], 0.93, True),
        (f"sentence F1 without {_CAREFUL}, whole posts", measured["posts_micro_f1_others"], 0.94, True),
        (f"precision of {_CAREFUL}, whole posts", posts["criteria"][_CAREFUL]["precision"], 0.65, True),
        (f"recall of {_CAREFUL}, whole posts", posts["criteria"][_CAREFUL]["recall"], 0.90, True),
        ("worst class of hard negatives of a criterion, highlighted", max(mistakes(measured))[0], 0.03, False),
    ]
    yield from header("figure", "measured", "aim", "")
    for name, value, aim, upward in aims:
        reached = (value or 0.0) >= aim if upward else value <= aim
        yield f"| {name} | {value or 0.0:.3f} | {'≥' if upward else '≤'} {aim:g} | {'reached' if reached else 'missed'} |"


def _json(path: Path) -> dict[str, Any] | None:
    found: dict[str, Any] | None = json.loads(path.read_text("utf-8")) if path.exists() else None
    return found


if __name__ == "__main__":
    write_card(*map(Path, sys.argv[1:2]))
