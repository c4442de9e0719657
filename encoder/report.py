"""An evaluation as files for people and machines: `report.json`, `report.md`, and plots where matplotlib is installed."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoder.errors import EncoderError
from encoder.measure.evaluate import Calibration, Evaluation, Scores
from storage.records import utc_now

REPORT_JSON = "report.json"
REPORT_TEXT = "report.md"
F1_PLOT = "f1.png"
RELIABILITY_PLOT = "reliability.png"
_COLORS = ("#1b4965", "#c8553d", "#6a994e", "#8d6a9f", "#f2a541")


@dataclass(frozen=True, slots=True)
class Report:
    """Where the report was written. plots is empty without matplotlib."""

    json: Path
    text: Path
    plots: tuple[Path, ...]


def write_report(directory: Path, evaluations: Mapping[str, Evaluation], *, title: str = "Evaluation") -> Report:
    """Write the report of one or several models (by name, the main one first) on the same examples.

    Raises EncoderError if the directory cannot be written.
    """
    data = {"title": title, "created_at": utc_now(), "models": {n: e.to_dict() for n, e in evaluations.items()}}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        report_json, report_text = directory / REPORT_JSON, directory / REPORT_TEXT
        report_json.write_text(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        plots = _plots(directory, evaluations) if importlib.util.find_spec("matplotlib") else ()
        report_text.write_text(_text(title, evaluations, plots), encoding="utf-8")
    except OSError as error:
        raise EncoderError(f"The report cannot be written to {directory}: {error.strerror or error}.") from error
    return Report(report_json, report_text, plots)


def _text(title: str, evaluations: Mapping[str, Evaluation], plots: tuple[Path, ...]) -> str:
    main = next(iter(evaluations.values()))
    lines = [
        f"# {title}",
        "",
        f"{main.posts} posts, {main.pairs} reviewed pairs of post and criterion. Precision, recall and F1 count sentences; "
        f"intervals are 95 % bootstraps over posts ({main.bootstrap} rounds).",
        "",
        "## F1 per criterion",
        "",
        *_f1_table(evaluations),
        "",
        "## Other figures",
        "",
        *_other_table(evaluations),
    ]
    for name, evaluation in evaluations.items():
        lines += ["", f"## {name}", "", *_scores_table(evaluation), "", *_reliability_table(evaluation)]
    lines += ["", *(f"![{plot.stem}]({plot.name})" for plot in plots)]
    return "\n".join(lines).rstrip() + "\n"


def _f1_table(evaluations: Mapping[str, Evaluation]) -> list[str]:
    main = next(iter(evaluations.values()))
    rows = [_row("criterion", "gold sentences", *evaluations), _rule(2 + len(evaluations))]
    for key, scores in main.criteria.items():
        rows.append(_row(key, scores.support, *(_with_interval(e.criteria.get(key)) for e in evaluations.values())))
    for name in ("micro", "macro"):
        each = [getattr(e, name) for e in evaluations.values()]
        rows.append(_row(f"**{name}**", each[0].support, *(_with_interval(s) for s in each)))
    return rows


def _other_table(evaluations: Mapping[str, Evaluation]) -> list[str]:
    figures = {
        "micro average precision": lambda e: _number(e.micro.average_precision),
        "span F1, exact": lambda e: _with_interval(e.span_exact),
        "span F1, overlapping": lambda e: _with_interval(e.span_overlap),
        "evidence in post, F1": lambda e: _with_interval(e.detection),
        "no-evidence accuracy": lambda e: _number(e.no_evidence_accuracy),
        "SQuAD exact match": lambda e: f"{e.squad.get('exact', 0):.1f}",
        "SQuAD F1": lambda e: f"{e.squad.get('f1', 0):.1f}",
        "calibration error (ECE), sentences": lambda e: _number(e.sentence_calibration.ece),
        "Brier score, sentences": lambda e: _number(e.sentence_calibration.brier),
        "calibration error (ECE), posts": lambda e: _number(e.pair_calibration.ece),
    }
    rows = [_row("", *evaluations), _rule(1 + len(evaluations))]
    rows += [_row(name, *(figure(e) for e in evaluations.values())) for name, figure in figures.items()]
    classes = sorted({name for e in evaluations.values() for name in e.false_highlights})
    for name in classes:
        found = [e.false_highlights.get(name) for e in evaluations.values()]
        rows.append(_row(f"false highlights: {name}", *(f"{f.rate:.1%}" if f else "" for f in found)))
    return rows


def _scores_table(evaluation: Evaluation) -> list[str]:
    rows = [_row("criterion", "gold", "found", "precision", "recall", "F1", "AP"), _rule(7)]
    named = [*evaluation.criteria.items(), ("micro", evaluation.micro), ("macro", evaluation.macro)]
    for name, s in named:
        figures = (_number(x) for x in (s.precision, s.recall, s.f1, s.average_precision))
        rows.append(_row(name, s.support, s.predicted, *figures))
    return rows


def _reliability_table(evaluation: Evaluation) -> list[str]:
    rows = [_row("score", "sentences", "mean score", "share that is evidence"), _rule(4)]
    for b in evaluation.sentence_calibration.bins:
        rows.append(_row(f"{b.low:.1f} to {b.high:.1f}", b.count, _number(b.mean_score), _number(b.share_positive)))
    return rows


def _plots(directory: Path, evaluations: Mapping[str, Evaluation]) -> tuple[Path, ...]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Figure and canvas of our own: pyplot keeps global state and would need a lock under a server
    figure = Figure(
        figsize=(9, 0.5 + 0.45 * (len(next(iter(evaluations.values())).criteria) + 2)), layout="constrained"
    )
    FigureCanvasAgg(figure)
    _draw_f1(figure.add_subplot(), evaluations)
    figure.savefig(directory / F1_PLOT, dpi=120)
    figure = Figure(figsize=(5, 5 + 0.25 * len(evaluations)), layout="constrained")
    FigureCanvasAgg(figure)
    _draw_reliability(figure.add_subplot(), {n: e.sentence_calibration for n, e in evaluations.items()})
    figure.savefig(directory / RELIABILITY_PLOT, dpi=120)
    return directory / F1_PLOT, directory / RELIABILITY_PLOT


def _draw_f1(axes: Any, evaluations: Mapping[str, Evaluation]) -> None:
    names = [*next(iter(evaluations.values())).criteria, "micro", "macro"]
    height = 0.8 / len(evaluations)
    for number, (model, evaluation) in enumerate(evaluations.items()):
        scores = [evaluation.criteria.get(n) or getattr(evaluation, n, None) for n in names]
        values = [(s.f1 or 0.0) if s else 0.0 for s in scores]
        low = [v - s.f1_interval.low if s and s.f1_interval else 0.0 for v, s in zip(values, scores, strict=True)]
        high = [s.f1_interval.high - v if s and s.f1_interval else 0.0 for v, s in zip(values, scores, strict=True)]
        places = [row + number * height for row in range(len(names))]
        errors = [[max(0.0, x) for x in low], [max(0.0, x) for x in high]]
        color = _COLORS[number % len(_COLORS)]
        bars = {"xerr": errors, "error_kw": {"lw": 0.9, "ecolor": "#555555", "capsize": 2}}
        axes.barh(places, values, 0.9 * height, label=model, color=color, **bars)
    middle = 0.4 - height / 2
    axes.set_yticks([row + middle for row in range(len(names))], names)
    axes.axhline(len(names) - 2 - 0.1 - height / 2, color="#999999", lw=0.8)  # between the criteria and their means
    axes.set_ylim(len(names) - 0.2, -0.4)
    axes.set_xlim(0, 1)
    axes.set_xlabel("sentence F1 with 95 % interval")
    axes.tick_params(axis="y", length=0)
    _tidy(axes, "x")
    axes.figure.legend(loc="outside upper right", ncols=len(evaluations), frameon=False)


def _tidy(axes: Any, grid: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color="#dddddd", lw=0.7)
    axes.set_axisbelow(True)


def _draw_reliability(axes: Any, models: Mapping[str, Calibration]) -> None:
    axes.plot([0, 1], [0, 1], color="#999999", lw=1, ls="--")
    for number, (name, calibration) in enumerate(models.items()):
        scores = [b.mean_score for b in calibration.bins]
        shares = [b.share_positive for b in calibration.bins]
        label = name if calibration.ece is None else f"{name} (ECE {calibration.ece:.3f})"
        color = _COLORS[number % len(_COLORS)]
        areas = [10 + 12 * math.log10(max(1, b.count)) ** 2 for b in calibration.bins]
        axes.plot(scores, shares, color=color, lw=1.2, alpha=0.7)
        axes.scatter(scores, shares, areas, color=color, label=label, zorder=3, clip_on=False)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.set_xlabel("score (larger dots: more sentences)")
    axes.set_ylabel("share that is evidence")
    _tidy(axes, "both")
    axes.figure.legend(loc="outside upper left", frameon=False)


def _with_interval(scores: Scores | None) -> str:
    if scores is None or scores.f1 is None:
        return ""
    interval = scores.f1_interval
    return f"{scores.f1:.3f}" + (f" ({interval.low:.2f} to {interval.high:.2f})" if interval else "")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _rule(columns: int) -> str:
    return "|" + "---|" * columns
