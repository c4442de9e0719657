"""What a training would be about: what was reviewed since the last model, what will be trained on, what is left out and why.

Also the presets and the estimate of time and memory. Reads the store only.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

from annotator.models.bundled import BUNDLED_PATH, GEMMA_PATH, bundled_directory, is_bundled
from annotator.models.loading import model_source
from annotator.settings import Settings
from annotator.training.data import COMPOSED_POSTS, REPLAY_DEV_POSTS, by_split, gold_examples, root_of, usable_gold
from encoder.config import EncoderConfig, TrainConfig
from encoder.errors import ModelUnusable
from encoder.network.hub import weights_of
from encoder.simple.files import encoder_weights
from encoder.training import estimate as training_estimate
from encoder.training.beside import is_all_new
from encoder.training.plan import count_steps
from storage.gold_pairs import GoldCount
from storage.jobs import Jobs
from storage.records import JobKind, JobStatus, ModelVersion, Split, Verdict
from storage.store import Store
from storage.team_records import Standing

FEW_TRAIN_POSTS = 20
BUNDLED_PARAMETERS = 10_000_000
GEMMA_PARAMETERS = 268_000_000
LARGE_PARAMETERS = 100_000_000
"""From here on a model is trained on a CPU by an adapter of its upper layers: all of its weights would take an hour and 6 GB."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A named starting point for the settings of a training. large: those for a pretrained Gemma, None for the same ones."""

    id: str
    name: str
    text: str
    config: TrainConfig
    large: TrainConfig | None = None

    def config_for(self, parameters: int) -> TrainConfig:
        """The settings for a model of so many parameters."""
        return self.config if self.large is None or parameters < LARGE_PARAMETERS else self.large


PRESETS = (
    Preset(
        "quick",
        "Quick, on CPU",
        "Takes minutes: trains on the corrections and on as many older posts. Of a large model only a small part is trained. "
        "A model that knows none of the criteria stays as it is; the criteria are learned beside it, which takes less.",
        TrainConfig(
            max_steps=80, learning_rate=1e-4, head_learning_rate=2e-5, wide_learning_rate=1e-2, hidden_dropout=0.0,
            new_criteria_learning_rate=2e-4,
            batch_size=8, replay_ratio=1.0, token_masking=0.08, eval_steps=40, save_steps=40, patience=0, keep_for_new=True,
        ),
        TrainConfig(
            method="lora", frozen_layers=12, max_steps=30, learning_rate=2e-4, head_learning_rate=1e-4,
            wide_learning_rate=1e-2, new_criteria_learning_rate=1e-3, attention_dropout=0.0, hidden_dropout=0.0,
            lora_dropout=0.0, batch_size=8, replay_ratio=1.0, eval_steps=30, save_steps=15, patience=0, keep_for_new=True,
        ),
    ),
    Preset(
        "gpu",
        "Standard, on a GPU",
        "Needs a graphics card: trains adapters (LoRA) of a large model, four times over the corrections; stops early when dev "
        "posts get no better.",
        TrainConfig(
            method="lora", epochs=4.0, learning_rate=2e-4, head_learning_rate=1e-3, batch_size=8, accumulation=2,
            replay_ratio=0.5, gradient_checkpointing=True, patience=3,
        ),
    ),
    Preset(
        "thorough",
        "Thorough",
        "Trains the whole model, up to ten times over the corrections and twice as many older posts. Takes several times as "
        "long; stops early when dev posts get no better.",
        TrainConfig(
            epochs=10.0, learning_rate=3e-4, head_learning_rate=1e-3, batch_size=8, replay_ratio=2.0,
            token_masking=0.08, patience=5,
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CriterionPlan:
    """Gold of one criterion. new: answers since the active model was trained. compared: of these, how many somebody gave who
    compared the post with the model's marks; agreement: the share of them that left the marks as they were, None if none was.
    rejected: hard negatives."""

    id: str
    name: str
    evidence: int = 0
    no_evidence: int = 0
    new: int = 0
    rejected: int = 0
    compared: int = 0
    agreement: float | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Answers that are not trained on, and why."""

    reason: str
    answers: int


@dataclass(frozen=True)
class Plan:
    """posts: reviewed posts by split. new_posts: of these, reviewed since the active model was trained.
    obstacle: why no training can start, or empty. warnings: what to know before it does."""

    active: ModelVersion | None
    criteria: tuple[CriterionPlan, ...]
    posts: dict[Split, int]
    new_posts: int
    left_out: tuple[LeftOut, ...]
    replay: str
    obstacle: str = ""
    warnings: tuple[str, ...] = field(default_factory=tuple)

    @property
    def answers(self) -> int:
        return sum(c.evidence + c.no_evidence for c in self.criteria)


def plan_training(store: Store) -> Plan:
    """The plan for a training on the gold of this moment."""
    criteria = store.criteria()
    active = store.active_model()
    in_use = {c.id for c in criteria}
    since = trained_up_to(store)
    awaited = [(post_id, criterion_id) for post_id, criterion_id in store.awaited_blind() if criterion_id in in_use]
    store.refresh_gold_pairs()
    counts = store.gold_counts(since=since, awaited=awaited)
    found = store.gold_posts(since=since, awaited=awaited)
    posts = {split: number for split, (number, _) in found.items()}
    plans = tuple(_criterion_plan(c.id, c.name, [n for n in counts if n.criterion_id == c.id]) for c in criteria)
    standing = store.standing_counts()
    return Plan(
        active=active,
        criteria=plans,
        posts=posts,
        new_posts=sum(new for _, new in found.values()),
        left_out=tuple(
            _left_out(
                store,
                undecided=sum(standing.get(c, {}).get(str(Standing.OPEN), 0) for c in in_use),
                retired=sum(n.answers for n in counts if n.criterion_id not in in_use),
                awaited=store.count_gold_of(awaited),
            )
        ),
        replay=replay_words(store, active, answered=frozenset(p.id for p in plans if p.evidence or p.no_evidence)),
        obstacle=_obstacle(posts, plans, active),
        warnings=tuple(_warnings(posts, plans)),
    )


def _obstacle(posts: dict[Split, int], plans: Sequence[CriterionPlan], active: ModelVersion | None) -> str:
    if not posts[Split.TRAIN]:
        return "No reviewed post is in the training split yet. Review some posts first."
    if active is not None and is_bundled(active) and not any(p.evidence for p in plans):
        known = EncoderConfig.load(bundled_directory(active)).known_criteria or ()
        if not any(p.no_evidence and p.id in known for p in plans):
            return (
                "No evidence was marked so far, and the model in service knows none of these criteria: nothing says what their evidence"
                " is like. Mark some first."
            )
    return ""


def trained_up_to(store: Store) -> int:
    """The newest annotation that any of the versions in the line of the active model was trained on, 0 for none."""
    known = {m.id: m for m in store.models(with_deleted=True)}
    model = store.active_model()
    newest = 0
    while model is not None:
        newest = max(newest, int((model.config.get("data") or {}).get("last_annotation") or 0))
        model = known.get(model.parent or "")
    return newest


def _left_out(store: Store, *, undecided: int, retired: int, awaited: int) -> list[LeftOut]:
    """Reviewed answers that do not train, by reason.

    undecided: pairs of post and criterion; retired: gold of criteria not in use; awaited: gold that somebody is yet to give blind.
    """
    counts = store.verdict_counts()
    unsure = sum(by_verdict.get(str(Verdict.UNSURE), 0) for by_verdict in counts.values())
    found = [
        LeftOut("the reviewers disagree and nobody has adjudicated", undecided),
        LeftOut("the verdict is unsure", unsure),
        LeftOut("the criterion is no longer in use", retired),
        LeftOut("somebody is yet to answer it blind", awaited),
    ]
    return [row for row in found if row.answers]


def replay_words(store: Store, base: ModelVersion | None, *, answered: frozenset[str]) -> str:
    """Where replayed old examples come from, in words. answered: criteria that the reviewed posts are labelled for."""
    if base is not None and uses_bundled_replay(store, base):
        known = EncoderConfig.load(bundled_directory(root_of(store, base))).known_criteria or ()
        if {c.id for c in store.criteria()}.isdisjoint(known):
            return "none, as the corpus that comes with the bundled model says nothing of these criteria"
        if answered and answered.isdisjoint(known):
            return (
                "none under Quick, as the model knows none of the criteria that are answered and they are learned beside it; else posts"
                " of the corpus that comes with it"
            )
        return "posts of the corpus that comes with the bundled model"
    return "none, as all reviewed posts are trained on each time"


def uses_bundled_replay(store: Store, base: ModelVersion) -> bool:
    """True if the version's line begins with the bundled model, whose corpus is at hand."""
    return is_bundled(root_of(store, base))


def _criterion_plan(criterion_id: str, name: str, counts: Sequence[GoldCount]) -> CriterionPlan:
    """`counts` is the gold of the criterion. Where the model never marked anything, it may not know the criterion: nothing is compared."""
    verdicts: Counter[Verdict] = Counter()
    for n in counts:
        verdicts[n.verdict] += n.answers
    judged = [n for n in counts if n.agreed is not None] if any(n.marked for n in counts) else []
    compared = sum(n.new for n in judged)
    return CriterionPlan(
        id=criterion_id,
        name=name,
        evidence=verdicts[Verdict.EVIDENCE],
        no_evidence=verdicts[Verdict.NO_EVIDENCE],
        new=sum(n.new for n in counts),
        rejected=sum(n.rejected for n in counts),
        compared=compared,
        agreement=sum(n.new for n in judged if n.agreed) / compared if compared else None,
    )


def _warnings(posts: dict[Split, int], plans: Sequence[CriterionPlan]) -> list[str]:
    found = []
    if 0 < posts[Split.TRAIN] < FEW_TRAIN_POSTS:
        found.append(f"Posts to train on: only {posts[Split.TRAIN]}. Expect small changes.")
    if not posts[Split.DEV]:
        found.append(
            "No post of the dev split is reviewed yet: nothing of this project says whether a new model is better."
        )
    elif posts[Split.DEV] < FEW_TRAIN_POSTS:
        found.append(
            f"Reviewed dev posts: only {posts[Split.DEV]}. How much better a new model is can only be said roughly."
        )
    bare = [p.name for p in plans if not p.evidence and (p.no_evidence or p.new)]
    if bare:
        found.append(f"No evidence was found so far for: {', '.join(bare)}. These learn from negatives only.")
    return found


# --- estimate


@dataclass(frozen=True, slots=True)
class Estimate:
    """steps of training; seconds and memory for the whole job; `measured`: from an earlier training of this project."""

    steps: int
    seconds: float
    memory_mb: float
    measured: bool


JUDGING_SECONDS = 15.0  # after training: loading both models, predicting what they are judged on, the baselines
SECONDS_PER_POST_AND_PARAMETER = 5e-9  # forward and backward of a post of 300 words, one CPU thread
PYTHON_MB = 850.0  # interpreter with torch and transformers


def estimate(
    store: Store, jobs: Jobs, settings: Settings, config: TrainConfig, *, base: ModelVersion | None
) -> Estimate:
    """How long a training on the present gold would take and how much memory, from the data, the model and the device; a
    project that has trained so before goes by its own seconds per step.
    """
    examples = by_split(gold_examples(store, usable_gold(store, store.criteria())))
    train, dev = examples[Split.TRAIN], examples[Split.DEV]
    past = seconds_per_step(jobs, config)
    source = None if base is None else local_source(settings, base)
    if source is None:
        steps = count_steps(len(train), 0, config, processes=config.processes)
        per_post = parameters_of(settings, base) * SECONDS_PER_POST_AND_PARAMETER
        per_step = past or config.batch_size * config.accumulation * per_post
        memory = PYTHON_MB + parameters_of(settings, base) * (16 if config.method == "full" else 4) / 1e6
        return Estimate(steps, JUDGING_SECONDS + steps * per_step, memory, past is not None)
    replayed = base is not None and uses_bundled_replay(store, base) and config.replay_ratio > 0
    labelled = frozenset(key for e in train for key in e.labels)
    if replayed and is_all_new(source, config, labelled):
        replayed = False  # its corpus says nothing of these criteria
    stand_ins = islice(cycle(train), REPLAY_DEV_POSTS if replayed and train else 0)  # for held-out posts of the corpus
    replay = COMPOSED_POSTS if replayed else 0
    amount = training_estimate.Amount(
        train, [*dev, *stand_ins], len(store.criteria()), replay, test=examples[Split.TEST]
    )
    found = training_estimate.estimate(amount, config, base=source, device=device_name(settings))
    seconds = found.seconds if past is None or not found.steps else training_estimate.START_SECONDS + found.steps * past
    judging = JUDGING_SECONDS if found.judging_seconds is None else found.judging_seconds
    return Estimate(found.steps, judging + seconds, found.memory_bytes / 1e6, past is not None and found.steps > 0)


def local_source(settings: Settings, base: ModelVersion) -> str | None:
    """The base as `encoder` takes it, None if its files are not on this machine: an estimate downloads nothing."""
    source = model_source(base, settings)
    directory = bundled_directory(base) if is_bundled(base) else Path(source)
    return source if directory.is_dir() and weights_of(directory) is not None else None


def device_name(settings: Settings) -> str:
    """`cpu` or the name of the GPU that is trained on. Looks for one only if torch is loaded anyway."""
    torch = sys.modules.get("torch")
    if settings.device == "cpu" or torch is None or not torch.cuda.is_available():
        return "cpu"
    return str(torch.cuda.get_device_name(settings.device if settings.device.startswith("cuda") else None))


def seconds_per_step(jobs: Jobs, config: TrainConfig) -> float | None:
    """As measured in the last training of the same method, batch and frozen layers, None if there was none."""
    for job in jobs.jobs(kind=JobKind.TRAIN, statuses=[JobStatus.DONE], limit=5):
        given, result = job.payload.get("config") or {}, job.result or {}
        names = ("method", "batch_size", "accumulation", "frozen_layers")
        same = all(given.get(name, 0) == getattr(config, name) for name in names)
        if same and result.get("seconds_per_step"):
            return float(result["seconds_per_step"])
    return None


def preset_config(preset_id: str, settings: Settings, base: ModelVersion | None) -> TrainConfig:
    """The settings of a preset for training this model. Raises KeyError if there is no such preset."""
    presets = {preset.id: preset for preset in PRESETS}
    return presets[preset_id].config_for(parameters_of(settings, base))


def parameters_of(settings: Settings, base: ModelVersion | None) -> int:
    """About how many parameters the model has, an adapter's base included, from the size of its weights."""
    if base is None or base.path == BUNDLED_PATH:
        return BUNDLED_PARAMETERS
    if base.path == GEMMA_PATH:
        return GEMMA_PARAMETERS
    directory = Path(model_source(base, settings))
    try:
        found = weights_of(directory) or directory
        weights = sum(p.stat().st_size for p in encoder_weights(found))
    except (OSError, ModelUnusable):
        weights = 0
    return weights // 4 or (GEMMA_PARAMETERS if "gemma" in base.path.lower() else BUNDLED_PARAMETERS)
