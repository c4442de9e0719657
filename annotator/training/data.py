"""The data of one training: gold answers frozen into a file, so that a resumed or repeated job reads the same.

`data.jsonl` is a gold file (encoder.examples) whose lines also name their set, `data.json` the criteria, the list of
annotation ids and the content hash.
Annotations are append-only and posts never change, so the ids alone are enough to make the file again: they go with the
model, the texts do not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from encoder.examples import Example, example_from_json, example_to_json, examples_from_gold
from storage.records import Criterion, EvidenceError, Gold, ModelVersion, Split
from storage.store import Store

DATA_FILE = "data.jsonl"
MANIFEST_FILE = "data.json"
REPLAY_DEV_POSTS = 60
COMPOSED_POSTS = 400


class NothingToTrain(EvidenceError):
    """There are no reviewed posts to train on; the text says which are missing."""


@dataclass(frozen=True)
class TrainingData:
    """The data of one training.

    train, dev, test: gold of the project. replay: old examples that keep old skills alive. replay_dev: held-out examples of
    the same source. annotations: ids of the gold rows. sha256: of everything that is in the file and the criteria.
    """

    criteria: tuple[Criterion, ...]
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]
    replay: tuple[Example, ...]
    replay_dev: tuple[Example, ...]
    annotations: tuple[int, ...]
    sha256: str

    @property
    def last_annotation(self) -> int:
        return max(self.annotations, default=0)

    def describe(self) -> dict[str, Any]:
        """What the registry keeps of it: counts, hash and the newest annotation."""
        sets = {name: len(getattr(self, name)) for name in SETS}
        return {"sha256": self.sha256, "last_annotation": self.last_annotation, "posts": sets}

    def row_list(self) -> dict[str, Any]:
        """What is written beside the model: the rows, without a word of any post."""
        return {
            **self.describe(),
            "annotations": list(self.annotations),
            "criteria": [asdict(c) for c in self.criteria],
        }


SETS = ("train", "dev", "test", "replay", "replay_dev")
ReplaySource = Callable[[Sequence[Criterion]], tuple[Sequence[Example], Sequence[Example]]]


def collect_training_data(store: Store, folder: Path, *, replay: ReplaySource | None) -> TrainingData:
    """Freeze the gold of this moment, with replay examples from `replay` (train, dev), into `folder`; once.

    Data that is there already is read instead. Raises NothingToTrain if no gold is in the training split, or
    nothing to watch the training by.
    """
    if (folder / MANIFEST_FILE).exists():
        return read_training_data(folder)
    folder.mkdir(parents=True, exist_ok=True)
    criteria = store.criteria()
    gold = usable_gold(store, criteria)
    examples = by_split(gold_examples(store, gold))
    if not examples[Split.TRAIN]:
        raise NothingToTrain("No reviewed post is in the training split yet. Review some posts first, then train.")
    old, old_dev = replay(criteria) if replay is not None else ((), ())
    if not examples[Split.DEV] and not old_dev:
        raise NothingToTrain(
            "No reviewed post is in the dev split yet, so nothing would tell when to stop. Review one first."
        )
    own = {e.post.text_sha256 for some in examples.values() for e in some}  # the reviewers' answer counts, once
    sets = {
        "train": examples[Split.TRAIN],
        "dev": examples[Split.DEV],
        "test": examples[Split.TEST],
        "replay": [e for e in old if e.post.text_sha256 not in own],
        "replay_dev": [e for e in old_dev if e.post.text_sha256 not in own],
    }
    _write(folder, criteria, sets, sorted(g.annotation.id or 0 for g in gold))
    return read_training_data(folder)  # the first attempt sees exactly what a resumed one will see


def usable_gold(store: Store, criteria: Sequence[Criterion], *, split: Split | None = None) -> list[Gold]:
    """The gold answers for criteria that are in use. split: of its posts alone.

    Without those that somebody has yet to give blind: what the model learned of them would reach that reader as its suggestions.
    """
    used, awaited = {c.id for c in criteria}, store.awaited_blind()
    return [g for g in store.gold(split=split) if g.criterion_id in used and (g.post_id, g.criterion_id) not in awaited]


def gold_examples(store: Store, gold: Sequence[Gold]) -> list[Example]:
    """One example per post, in order of post id, with the label of each criterion that has gold."""
    return examples_from_gold(store.posts(sorted({g.post_id for g in gold})), gold)


def by_split(examples: Iterable[Example]) -> dict[Split, list[Example]]:
    found: dict[Split, list[Example]] = {split: [] for split in Split}
    for example in examples:
        found[example.post.split or Split.TRAIN].append(example)
    return found


def root_of(store: Store, model: ModelVersion) -> ModelVersion:
    """The version at the root of the model's line."""
    known = {m.id: m for m in store.models(with_deleted=True)}
    while model.parent is not None and model.parent in known:
        model = known[model.parent]
    return model


def bundled_replay(criteria: Sequence[Criterion]) -> tuple[Sequence[Example], Sequence[Example]]:
    """Examples of the corpus that the bundled model was trained on: of its training voices, and of held-out ones.

    Labels are kept for criteria of the project only; a project that shares none has nothing to replay.
    """
    from encoder.bundled.corpus import Composer, read_items, read_posts

    used = {c.id for c in criteria}
    items, posts = read_items(), read_posts()
    sets = []
    for split, composed in ((Split.TRAIN, COMPOSED_POSTS), (Split.DEV, REPLAY_DEV_POSTS // 2)):
        composer = Composer([i for i in items if i.split is split], seed=composed)
        found = [e for e in posts if e.post.split is split][: REPLAY_DEV_POSTS // 2 if split is Split.DEV else None]
        found += [composer.compose().example for _ in range(composed)]
        sets.append([_only(e, used) for e in found if used & set(e.labels)])
    return sets[0], sets[1]


def _only(example: Example, criteria: set[str]) -> Example:
    return Example(example.post, {key: label for key, label in example.labels.items() if key in criteria})


def _criterion(given: Mapping[str, Any]) -> Criterion:
    read: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    return Criterion(**read)


def read_training_data(folder: Path) -> TrainingData:
    """The data in `folder`. Raises EvidenceError if its file is not the one that was written."""
    manifest = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
    criteria = [_criterion(c) for c in manifest["criteria"]]
    content = (folder / DATA_FILE).read_bytes()
    if _sha256(content, criteria) != manifest["sha256"]:
        raise EvidenceError(f"{folder / DATA_FILE} has changed since the job began. Start the training anew.")
    sets: dict[str, list[Example]] = {name: [] for name in SETS}
    for line in content.decode("utf-8").split("\n")[:-1]:
        row = json.loads(line)
        sets[row.pop("set")].append(example_from_json(row)[0])
    return _training_data(criteria, sets, manifest["annotations"], manifest["sha256"])


def _write(
    folder: Path, criteria: Sequence[Criterion], sets: Mapping[str, Sequence[Example]], annotations: Sequence[int]
) -> None:
    """The manifest is written last and renamed into place: the data are whole, or not there."""
    lines = [
        json.dumps({"set": name, **example_to_json(e)}, ensure_ascii=False, sort_keys=True)
        for name in SETS
        for e in sets[name]
    ]
    content = "".join(line + "\n" for line in lines).encode()
    data = _training_data(criteria, sets, annotations, _sha256(content, criteria))
    (folder / DATA_FILE).write_bytes(content)
    write_json(folder / MANIFEST_FILE, data.row_list())


def _training_data(
    criteria: Sequence[Criterion], sets: Mapping[str, Sequence[Example]], annotations: Sequence[int], sha256: str
) -> TrainingData:
    given = {name: tuple(sets[name]) for name in SETS}
    return TrainingData(criteria=tuple(criteria), **given, annotations=tuple(annotations), sha256=sha256)


def _sha256(content: bytes, criteria: Iterable[Criterion]) -> str:
    wording = json.dumps([[c.id, c.version, c.text] for c in criteria], ensure_ascii=False)
    return hashlib.sha256(wording.encode() + b"\n" + content).hexdigest()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write the whole file or none of it."""
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    temporary.replace(path)
