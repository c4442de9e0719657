"""The simple learner on disk: numbers in a safetensors file, the rest in JSON beside it. Hashes only, no word of any post.

They lie flat in a model's directory, so that whatever moves a model moves its learner too. Where the one that answers has learned
from the dev posts, the one before it did lies beside it: these can be asked only what that one is worth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from encoder.errors import ModelUnusable
from encoder.simple.deep import Deep
from encoder.simple.fitting import CriterionFit, Settled
from encoder.simple.learner import SimpleLearner
from encoder.simple.logistic import Linear
from encoder.simple.marking import Passages
from encoder.simple.rows import BUCKETS
from encoder.simple.units import Unit, UnitChoice
from encoder.simple.vectors import DIRECTORY, TERMS, word_vectors

SERVED, MEASURED = "simple", "simple_measured"
NUMBERS = "simple*.safetensors"
"""The files of either's numbers, which are no weights of an encoder."""
FORMATS = (1, 2, 3)
"""The second may hold an encoder's vectors, the third weights of the words' vectors, and says of which."""
_NUMBERS = ("threshold", "posts", "positives", "sentences", "held_out_loss", "given_loss")


def files_of(name: str, directory: Path) -> tuple[Path, Path]:
    """Where the numbers of a learner are, and the rest."""
    return directory / f"{name}.safetensors", directory / f"{name}.json"


def has_measured(directory: Path) -> bool:
    """Whether a model's learner has learned from the dev posts, and is kept as it was before."""
    return files_of(MEASURED, directory)[1].exists()


def encoder_weights(directory: Path) -> list[Path]:
    """The files of an encoder's weights: all but the learners'."""
    return sorted(path for path in directory.glob("*.safetensors") if not path.match(NUMBERS))


def save_learners(learners: Mapping[str, SimpleLearner | None], directory: Path) -> None:
    """Write those that there are into a model's directory, by name."""
    for name, learner in learners.items():
        if learner is not None:
            save_learner(learner, directory, name)


def save_learner(learner: SimpleLearner, directory: Path, name: str = SERVED) -> None:
    """Write the learner into a model's directory, and the terms of the words' vectors beside those that are there; what is there of an
    earlier one is replaced.
    """
    weights, fits = files_of(name, directory)
    arrays: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for number, (key, fit) in enumerate(learner.fits.items()):
        row = {
            "criterion": key,
            "strength": fit.strength,
            "choice": asdict(fit.settled.choice),
            **_numbers(fit.settled),
        }
        arrays |= {
            f"{number}.sentence_columns": fit.sentence_columns,
            f"{number}.sentence.weights": fit.sentence.weights.astype(np.float32),
            f"{number}.sentence.bias": fit.sentence.bias,
            f"{number}.word_columns": fit.word_columns,
            f"{number}.words.weights": fit.words.weights.astype(np.float32),
            f"{number}.words.bias": fit.words.bias,
            f"{number}.stack": fit.settled.stack,
            f"{number}.sure": fit.settled.passages.sure,
        }
        if fit.deep is not None and fit.alone is not None:
            row |= {"alone": _numbers(fit.alone), "deep_strengths": fit.deep.strengths}
            arrays |= _deep_arrays(fit.deep, f"{number}.deep")
            arrays |= {f"{number}.alone.stack": fit.alone.stack, f"{number}.alone.sure": fit.alone.passages.sure}
        rows.append(row)
    save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, str(weights))
    head = {"format": FORMATS[-1], "buckets": BUCKETS, "word_vectors": word_vectors().digest}
    text = json.dumps({**head, "fits": rows}, ensure_ascii=False, indent=1)
    terms, notice = (DIRECTORY / TERMS).read_text("utf-8"), directory / TERMS
    others = notice.read_text("utf-8") + "\n" if notice.exists() else ""
    if terms not in others:
        notice.write_text(others + terms, "utf-8")
    fits.write_text(text + "\n", encoding="utf-8")


def load_learner(directory: Path, *, as_measured: bool = False) -> SimpleLearner | None:
    """The learner in a model's directory, None if there is none. Raises ModelUnusable if its files are damaged or too new.

    as_measured: as it was before it learned from the dev posts, so that these can be asked what it is worth.
    """
    weights, fits = files_of(MEASURED if as_measured and has_measured(directory) else SERVED, directory)
    if not fits.exists():
        return None
    try:
        content = json.loads(fits.read_text("utf-8"))
        same = content["format"] < FORMATS[-1] or content["word_vectors"] == word_vectors().digest
        if content["format"] not in FORMATS or content["buckets"] != BUCKETS or not same:
            raise ModelUnusable(f"{fits} was written by another version of this product; train once more.")
        arrays = load_file(str(weights))
        return SimpleLearner(
            {row["criterion"]: _fit(row, number, arrays) for number, row in enumerate(content["fits"])}
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        if isinstance(error, ModelUnusable):
            raise
        raise ModelUnusable(
            f"The simple learner in {directory} cannot be read ({type(error).__name__}); train once more."
        ) from error


def _numbers(settled: Settled) -> dict[str, Any]:
    marks = {"boldness": settled.passages.boldness, "sentence_share": settled.passages.sentence_share}
    return {**{name: getattr(settled, name) for name in _NUMBERS}, **marks}


def _settled(row: dict[str, Any], choice: UnitChoice, stack: Any, sure: Any) -> Settled:
    return Settled(
        choice=choice,
        stack=stack,
        passages=Passages(row["boldness"], row["sentence_share"], sure),
        **{name: row[name] for name in _NUMBERS},
    )


def _deep_arrays(deep: Deep, name: str) -> dict[str, Any]:
    mixes = {"sentence_mix": deep.sentence_mix, "word_mix": deep.word_mix}
    return {
        f"{name}.sentence.weights": deep.sentence.weights.astype(np.float32),
        f"{name}.sentence.bias": deep.sentence.bias,
        f"{name}.words.weights": deep.words.weights.astype(np.float32),
        f"{name}.words.bias": deep.words.bias,
        **{f"{name}.{key}": mix for key, mix in mixes.items() if mix is not None},
    }


def _fit(row: dict[str, Any], number: int, arrays: dict[str, Any]) -> CriterionFit:
    def linear(name: str) -> Linear:
        return Linear(
            arrays[f"{number}.{name}.weights"].astype(np.float64), arrays[f"{number}.{name}.bias"].astype(np.float64)
        )

    choice = UnitChoice(Unit(row["choice"]["unit"]), row["choice"]["whole"], row["choice"]["spans"])
    deep = alone = None
    if "alone" in row:
        sentence_mix, word_mix = (arrays.get(f"{number}.deep.{name}") for name in ("sentence_mix", "word_mix"))
        deep = Deep(linear("deep.sentence"), linear("deep.words"), sentence_mix, word_mix)
        if "deep_strengths" in row:
            deep = replace(deep, strengths=tuple(row["deep_strengths"]))
        alone = _settled(row["alone"], choice, arrays[f"{number}.alone.stack"], arrays[f"{number}.alone.sure"])
    return CriterionFit(
        sentence_columns=arrays[f"{number}.sentence_columns"],
        sentence=linear("sentence"),
        word_columns=arrays[f"{number}.word_columns"],
        words=linear("words"),
        strength=row["strength"],
        settled=_settled(row, choice, arrays[f"{number}.stack"], arrays[f"{number}.sure"]),
        deep=deep,
        alone=alone,
    )
