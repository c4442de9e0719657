"""`evidence train` and `evidence evaluate`: from a gold file, without a project."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.commands.common import (
    Subparsers,
    UsageError,
    add_model,
    criteria_of,
    model_of,
    progress_lines,
    report,
    say,
    settings_of,
    whole_file,
)

if TYPE_CHECKING:
    from annotator.settings import Settings
    from encoder.config import TrainConfig
    from encoder.examples import Example
    from encoder.training.estimate import Amount
    from storage.records import Criterion, ModelVersion, Prediction


def add(commands: Subparsers) -> None:
    _add_train(commands.add_parser("train", help="fine-tune a model on a gold file"))
    _add_evaluate(commands.add_parser("evaluate", help="measure a model on a gold file"))


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, type=Path, metavar="GOLD.jsonl", help="examples to learn from")
    parser.add_argument(
        "--dev", type=Path, metavar="GOLD.jsonl", help="examples to choose by (default: the dev posts of --data)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where the new model goes (needed without --dry-run)"
    )
    add_training_settings(parser)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in the output directory")
    parser.add_argument(
        "--dry-run", action="store_true", help="say about how long it takes and how much memory; train nothing"
    )
    add_model(parser)
    parser.set_defaults(run=run_train)


def add_training_settings(parser: argparse.ArgumentParser) -> None:
    """The arguments that `training_config` reads."""
    parser.add_argument(
        "--preset",
        default="quick",
        choices=["quick", "gpu", "thorough"],
        help="settings to start from (default: quick)",
    )
    parser.add_argument("--config", type=Path, metavar="FILE.json", help="training settings, on top of the preset")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="changes",
        metavar="NAME=VALUE",
        help="one training setting; repeatable",
    )


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, type=Path, metavar="GOLD.jsonl", help="reviewed examples")
    parser.add_argument(
        "--split", choices=["train", "dev", "test"], help="measure on the posts of this split alone (default: on all)"
    )
    parser.add_argument(
        "--baselines", type=Path, metavar="GOLD.jsonl", help="also measure baselines fitted on these examples"
    )
    parser.add_argument(
        "--bootstrap", type=int, default=1000, metavar="N", help="rounds for the intervals (default: 1000)"
    )
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="also write the result to a file")
    add_model(parser)
    parser.set_defaults(run=run_evaluate)


def run_train(arguments: argparse.Namespace) -> None:
    from annotator.models.quality import figures
    from encoder.examples import check_criteria, read_examples

    if arguments.output is None and not arguments.dry_run:
        raise UsageError("Give --output DIR for the new model, or --dry-run to see what the training would cost.")
    base, settings = model_of(arguments), settings_of(arguments)
    config = training_config(arguments, base, settings)
    examples = read_examples(arguments.data)
    train_on, dev = (examples, read_examples(arguments.dev)) if arguments.dev else divided(examples)
    if not train_on:
        raise UsageError(f"{arguments.data} holds no examples for training: all of them are dev or test posts.")
    criteria = criteria_of(arguments)
    check_criteria([*train_on, *dev], criteria)
    import torch  # noqa: F401 - `device_name` looks for a GPU where it is loaded

    from annotator.models.loading import model_source
    from annotator.training.plan import device_name
    from encoder.training.estimate import Amount
    from encoder.training.train import Task, train

    source = model_source(base, settings)
    if arguments.dry_run:
        if not is_here(source):
            raise UsageError(
                f"{source} is not on this machine, and a dry run downloads nothing. Train with it once, or give a directory."
            )
        report(expected(source, config, Amount(train_on, dev, len(criteria)), device_name(settings)))
        return
    say(f"Training {base.id} on {len(train_on)} posts, choosing by {len(dev)}.")
    task = Task(train_on, dev, criteria, base=source, output=arguments.output, config=config, device=settings.device)
    result = train(task, monitor=StderrMonitor(), resume=arguments.resume)
    report(
        {
            "output": str(result.output),
            "base": base.id,
            "posts": {"train": len(train_on), "dev": len(dev)},
            "steps": result.steps,
            "best_step": result.best_step,
            "dev": figures(result.dev.to_dict()) if dev else None,
            "lost": dict(result.lost),
            "data_sha256": result.data_sha256,
        }
    )


def is_here(source: str) -> bool:
    """Whether a model can be had without asking the network."""
    from encoder.network.hub import base_is_here

    return "/" not in source or Path(source).expanduser().exists() or base_is_here(source)


def expected(source: str, config: TrainConfig, amount: Amount, device: str) -> dict[str, Any]:
    """What a training would cost here, before a model is loaded. Raises ModelUnusable if the base cannot be read."""
    from encoder.training.estimate import estimate

    found = estimate(amount, config, base=source, device=device)
    say(f"{found}, on {device}. Nothing was trained.")
    return {
        "posts": {"train": len(amount.train), "dev": len(amount.dev)},
        "steps": found.steps,
        "seconds": round(found.seconds),
        "memory_mb": round(found.memory_bytes / 1e6),
        "parameters": found.parameters,
        "device": device,
    }


def run_evaluate(arguments: argparse.Namespace) -> None:
    from encoder.examples import check_criteria, read_examples

    examples = _chosen(read_examples(arguments.data), arguments)
    criteria = criteria_of(arguments)
    check_criteria(examples, criteria)
    version, settings = model_of(arguments), settings_of(arguments)
    from annotator.models.loading import as_measured, load_predictor, model_source
    from encoder.measure.evaluate import evaluate
    from encoder.measure.outcomes import outcomes
    from encoder.measure.ranking import evidence_recall, ranking_figures

    predictor = load_predictor(settings, version, on_progress=progress_lines())
    source, dev = model_source(version, settings), arguments.split == "dev"
    if dev:  # of which the version may have learned since
        as_measured(predictor, settings, version)
    seen = _warned_of_seen(source, examples, before_dev=dev)
    predictions = predictor.predict([e.post for e in examples], criteria, threshold=0.0)
    thresholds = {c.id: predictor.config.threshold(c.id) for c in criteria}
    found = evaluate(predictions, examples, criteria, thresholds=thresholds, bootstrap=arguments.bootstrap)
    laid = outcomes(predictions, examples, criteria, thresholds=thresholds)
    ranked, recalled = ranking_figures(laid), asdict(evidence_recall(laid))
    say(found.table())
    say(_ranking_line(ranked["mean"], recalled))
    result: dict[str, Any] = {"model": version.id, "data": str(arguments.data), "seen": seen, **found.to_dict()}
    result |= {"ranking": ranked, "evidence_recall": recalled}
    if arguments.baselines is not None:
        fitted = baseline_predictions(read_examples(arguments.baselines), examples, criteria)
        result["baselines"] = {
            name: evaluate(some, examples, criteria, bootstrap=arguments.bootstrap).to_dict()
            for name, some in fitted.items()
        }
    if arguments.output is not None:
        with whole_file(arguments.output) as out:
            out.write(json.dumps(result, ensure_ascii=False, indent=2) + "\n")
    report(result)


def _ranking_line(mean: Mapping[str, Any], recalled: Mapping[str, Any]) -> str:
    def said(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    return (
        f"ranking of sentences, mean of criteria: AP {said(mean['average_precision'])}, R-Prec {said(mean['r_precision'])},"
        f" P@10 {said(mean['precision_at_10'])}, NDCG {said(mean['ndcg'])}; evidence recall by words per user {said(recalled['recall'])},"
        f" weighted {said(recalled['weighted_recall'])}"
    )


def _chosen(examples: list[Example], arguments: argparse.Namespace) -> list[Example]:
    """The examples of the split that was asked for. Raises UsageError if it has none."""
    from encoder.examples import split_examples
    from storage.records import Split

    if arguments.split is None:
        return examples
    found = split_examples(examples)[Split(arguments.split)]
    if not found:
        raise UsageError(f"{arguments.data} holds no posts of the split {arguments.split}.")
    return found


def _warned_of_seen(source: str, examples: Sequence[Example], *, before_dev: bool) -> dict[str, int]:
    """How many of the posts the model has seen while it was made, by what for; told to whoever measures it on them.

    before_dev: it is measured as it was before it learned from its dev posts, where it did.
    """
    from encoder.network.hub import resolve
    from encoder.seen import seen_by
    from encoder.simple.files import has_measured

    directory = resolve(source)
    seen = seen_by(directory)
    seen = seen.as_measured() if before_dev and has_measured(directory) else seen
    counts = seen.count(e.post.text for e in examples)
    facts = {"train": "the model was trained on", "dev": "its steps or thresholds were chosen by"}
    told = [f"{words} {counts[name]}" for name, words in facts.items() if counts[name]]
    if told:
        say(
            f"Warning: {', '.join(told)} of these {len(examples)} posts, and its figures are too good on them. Measure on"
            " posts that it has not seen (--split test, or another file)."
        )
    return counts


def baseline_predictions(
    train: Sequence[Example], examples: Sequence[Example], criteria: Sequence[Criterion]
) -> dict[str, list[Prediction]]:
    """The answers of the baselines, fitted on `train`, for the posts of `examples`."""
    from encoder.measure.baselines import KeywordBaseline, TfidfBaseline
    from encoder.simple.learner import SimpleLearner

    posts = [e.post for e in examples]
    return {
        "keywords": KeywordBaseline().fit(train, criteria).predict(posts, criteria),
        "tfidf": TfidfBaseline().fit(train, criteria).predict(posts, criteria),
        "simple": SimpleLearner.fit(train, criteria).predict(posts, criteria),
    }


def divided(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Train and dev examples by their posts' split, else by the hash that imports use. Test posts are in neither."""
    from encoder.examples import split_examples
    from storage.records import Split

    by_split = split_examples(examples)
    if by_split[Split.TEST]:
        say(f"{len(by_split[Split.TEST])} test posts are left out.")
    return by_split[Split.TRAIN], by_split[Split.DEV]


def training_config(arguments: argparse.Namespace, base: ModelVersion, settings: Settings) -> TrainConfig:
    """The preset for the model that is trained further, then --config, then --set. Raises UsageError, InvalidConfig."""
    from annotator.training.plan import preset_config
    from encoder.config import TrainConfig

    values = {**preset_config(arguments.preset, settings, base).to_dict(), **_config_file(arguments.config)}
    for text in arguments.changes:
        name, separator, value = text.partition("=")
        if not separator:
            raise UsageError(f"--set {text!r} is not of the form NAME=VALUE.")
        values[name.strip()] = _value(value.strip())
    if arguments.threads is not None:
        values["threads"] = arguments.threads
    return TrainConfig.from_dict(values)


def _config_file(path: Path | None) -> Mapping[str, Any]:
    if path is None:
        return {}
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path} holds no JSON object of training settings.")
    return values


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class StderrMonitor:
    """Training's progress as lines for people; a `Monitor` of `encoder.training.train`."""

    def __init__(self) -> None:
        self._last = ""

    def progress(self, fraction: float, stage: str, message: str) -> None:
        line = f"{fraction:6.1%} {stage} {message}".rstrip()
        if line != self._last:
            say(line)
        self._last = line

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        say(f"  step {step}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))

    def log(self, line: str) -> None:
        say(f"  {line}")

    def raise_if_stopped(self) -> None:
        """Nothing: a Ctrl+C comes by itself."""
