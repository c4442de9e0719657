"""One fine-tuning run from loading the base to the best weights. `encoder.training.train` says what comes before and after it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from transformers import TrainingArguments

from encoder.config import CONFIG_FILE, EncoderConfig, TrainConfig
from encoder.errors import BadExamples, TrainingFailed
from encoder.examples import Example
from encoder.memory import peak_memory
from encoder.network.checkpoints import LoadOptions, load_encoder
from encoder.network.families import choose_device
from encoder.network.hub import resolve
from encoder.network.lora import round_to_bf16
from encoder.network.model import EvidenceEncoder
from encoder.training.adaptation import MaskedTokens, MaskingReader, shift_of
from encoder.training.adapters import check_installed, choose_trained
from encoder.training.checkpoint import Checkpoints, Progress, read_weights, trained_weights
from encoder.training.estimate import EVALUATIONS
from encoder.training.judge import Judge, with_calibration
from encoder.training.monitor import Monitor, SilentMonitor
from encoder.training.plan import Plan, plan_steps
from encoder.training.reader import Reader, count_lost, usable
from encoder.training.reports import PROJECT, direct_reports, reports_directory
from encoder.training.sharding import asked_for, check_loading, gather_weights
from encoder.training.task import Task
from encoder.training.trainer import EvidenceTrainer, Learner, Stage
from storage.records import Criterion

if TYPE_CHECKING:
    from encoder.predict import Predictor

_PING_SECONDS = 0.5
_START, _END = 0.05, 0.92


@dataclass
class Run:
    """A run and its parts. lost: what cannot be learned from, by reason. log_lines: everything said."""

    task: Task
    encoder: EvidenceEncoder
    criteria: list[Criterion]
    examples: list[Example]
    ours: bool
    state: PartialState
    monitor: Monitor
    checkpoints: Checkpoints
    plan: Plan
    judge: Judge
    lost: Mapping[str, int]
    progress: Progress = field(default_factory=Progress)
    stopped_early: bool = False
    log_lines: list[str] = field(default_factory=list)
    _pinged: float = 0.0
    _told: float = 0.0

    @classmethod
    def prepare(cls, task: Task, monitor: Monitor, checkpoints: Checkpoints, *, resume: bool) -> Run:
        """Load the base and plan the steps. Raises ModelUnusable, BadExamples, TrainingFailed."""
        check_installed(task.config)
        if task.config.threads:
            torch.set_num_threads(task.config.threads)
        state = PartialState(cpu=choose_device(task.device) == "cpu")
        check_processes(task.config, state.num_processes)
        check_loading()
        listener = monitor if state.is_main_process else SilentMonitor()
        listener.progress(0.01, "loading", "loading the model to start from")
        encoder, ours = _load(task, state)
        trained = [c for c in task.criteria if encoder.config.knows(c.id)]
        new, old = usable(task.train, trained), usable(task.replay, trained)
        if not new.examples:
            raise BadExamples("The train split is empty: none of its posts was reviewed for the criteria asked.")
        examples = [*new.examples, *old.examples]
        lengths = [len(e.post.text) for e in examples]
        lost = {"posts_without_review": new.unreviewed, **count_lost(encoder, trained, new.examples)}
        judge = Judge(
            task.dev,
            trained,
            task.config,
            process=state.process_index,
            processes=state.num_processes,
            gather=gather_object if state.num_processes > 1 else lambda found: found,
        )
        plan = plan_steps(lengths, len(new.examples), task.config, processes=state.num_processes)
        run = cls(task, encoder, trained, examples, ours, state, listener, checkpoints, plan, judge, lost)
        run._choose_start(resume)
        run._say_what_is_trained_on(len(new.examples), len(old.examples))
        return run

    def __post_init__(self) -> None:
        self.learner = Learner(self.encoder)

    @property
    def is_main(self) -> bool:
        return bool(self.state.is_main_process)

    def tell(self, fraction: float, stage: str, message: str) -> None:
        """Progress for the monitor; never goes back."""
        self._told = max(self._told, fraction)
        self.monitor.progress(self._told, stage, message)

    def log(self, line: str) -> None:
        self.log_lines.append(line)
        self.monitor.log(line)

    def train(self) -> None:
        """Take the steps that are left, then put the best weights and the calibration into `encoder`."""
        config = self.task.config
        if config.adaptation_steps and not self.progress.adapted:
            self._adapt()
        total = len(self.plan.steps)
        if self.progress.step < total and not self._out_of_patience():
            self._fine_tune(total)
        elif self.progress.step:  # a run that was ended after its last step goes on
            read_weights(self.checkpoints.last, self.learner)
        if self.progress.judged_step != self.progress.step and not self._nothing_to_choose:
            self._judge()
        if self.progress.best_step >= 0:
            self.state.wait_for_everyone()
            read_weights(self.checkpoints.best, self.learner)
        self.encoder.prepare_training(config.changed(attention_dropout=0.0, hidden_dropout=0.0))
        self.encoder.eval()

    def thaw(self) -> None:
        """Let the whole encoder be computed again, as it will be served."""
        lower = self.encoder.lower
        if lower is None:
            return
        rest = f"; for {lower.refused} texts there was no more room" if lower.refused else ""
        self.log(
            f"What the lowest {lower.count} layers made of the texts took {lower.bytes / 1e6:.0f} MB of memory{rest}."
        )
        lower.remove()
        self.encoder.lower = None

    def finish_weights(self, predictor: Predictor) -> None:
        """Merge what should be merged, then calibrate: the model that is measured is the one that is saved. predictor: of this
        encoder, which may remember what it reads.

        An adapter on a base that everybody can have again stays one: a few megabytes instead of the whole model.
        """
        adapted = hasattr(self.encoder.backbone, "peft_config")
        if adapted and self.task.config.method != "qlora" and not self.encoder.stands_on_base:
            self.thaw()
            self.encoder.backbone = self.encoder.backbone.merge_and_unload()
            for parameter in self.encoder.parameters():
                parameter.requires_grad_(False)
        elif adapted:
            round_to_bf16(self.encoder.backbone)
        judged = self.judge.measure(self.encoder, predictor=predictor, each_post=self._ping)
        if self._nothing_to_choose:
            self._keep_figure(judged.macro_f1)
        self.encoder.config = with_calibration(self.encoder.config, judged.calibrated).changed(version="")
        if judged.calibrated is None and self.task.config.calibrate:
            self.log("The dev posts hold too little evidence to calibrate on; the thresholds stay as they were.")

    def _fine_tune(self, total: int) -> None:
        reader = Reader(self.encoder, self.criteria, self.examples, self.task.config)
        trainer = EvidenceTrainer(
            self.learner,
            Stage(self.task.config, self.plan, reader, self._after_step),
            arguments=self._arguments(total),
            checkpoints=self.checkpoints,
            progress=self.progress,
            log=self.log,
        )
        goes_on = self.progress.step > 0
        if goes_on and self._due(self.progress.step) and self.progress.judged_step != self.progress.step:
            read_weights(self.checkpoints.last, self.learner)
            self._judge()
            if self._out_of_patience():
                return
        trainer.train(resume_from_checkpoint=str(self.checkpoints.last) if goes_on else None)
        if trainer.is_fsdp_enabled:
            self._gather(trainer)

    def _adapt(self) -> None:
        """Masked-token training on the posts alone, before the supervised stage."""
        config = self.task.config.changed(max_steps=self.task.config.adaptation_steps)
        lengths = [len(e.post.text) for e in self.examples]
        plan = plan_steps(lengths, self.plan.new, config, processes=self.state.num_processes)
        reader = MaskingReader(self.encoder, self.criteria, self.examples, config)
        EvidenceTrainer(
            MaskedTokens(self.encoder.backbone, shift=shift_of(self.encoder, ours=self.ours)),
            Stage(config, plan, reader, self._after_adaptation_step),
            arguments=self._arguments(len(plan.steps)),
            checkpoints=None,
            progress=Progress(),
            log=self.log,
        ).train()
        self.progress.adapted = True
        if self.is_main:
            self.checkpoints.save_last(trained_weights(self.learner), {}, "{}", self.progress)

    def _after_adaptation_step(self, trainer: EvidenceTrainer) -> None:
        step, total = trainer.progress.step, len(trainer.plan.steps)
        loss = trainer.progress.losses[step]
        self.monitor.metrics(step - total, {"adaptation_loss": loss})
        self.tell(0.02 + 0.03 * step / total, "adapting", f"step {step} of {total}, loss {loss:.3f}")

    def _after_step(self, trainer: EvidenceTrainer) -> None:
        step, total = self.progress.step, len(self.plan.steps)
        loss = self.progress.losses[step]
        values = {"loss": loss, "learning_rate": trainer.last_rate, "memory_bytes": float(peak_memory())}
        self.monitor.metrics(step, values)
        left = self.progress.seconds / step * (total - step)
        message = f"step {step} of {total}, loss {loss:.4f}, about {left:.0f} s left"
        self.tell(_START + (_END - _START) * step / total, "training", message)
        if self._due(step) and not self._nothing_to_choose and not trainer.is_fsdp_enabled:
            self._judge()
            trainer.log({"dev_macro_f1": self.progress.macro_f1[step]})
            if self._out_of_patience():
                self.stopped_early = step < total
                trainer.control.should_training_stop = True

    def _due(self, step: int) -> bool:
        return step % self._every == 0 or step == len(self.plan.steps)

    @property
    def _every(self) -> int:
        """Steps between two evaluations."""
        return self.task.config.eval_steps or max(1, math.ceil(len(self.plan.steps) / EVALUATIONS))

    @property
    def _nothing_to_choose(self) -> bool:
        """Whether the only evaluation is that after the last step, which calibrating makes as well. A report wants it among its steps."""
        config = self.task.config
        return self._every >= len(self.plan.steps) and not config.patience and not config.report_to

    def _out_of_patience(self) -> bool:
        patience = self.task.config.patience
        return bool(patience) and self.progress.bad_evaluations >= patience

    def _judge(self) -> None:
        """Measure on dev, keep the weights if they are the best so far."""
        step = self.progress.step
        found = self.judge.measure(self.encoder, each_post=self._ping).macro_f1
        if found > self.progress.best_macro_f1:
            self.progress.best_macro_f1, self.progress.best_step, self.progress.bad_evaluations = found, step, 0
            if self.is_main:
                self.checkpoints.save_best(trained_weights(self.learner))
        else:
            self.progress.bad_evaluations += 1
        self._keep_figure(found)

    def _keep_figure(self, found: float) -> None:
        """The macro F1 on dev after this step, which may be the only one."""
        step, progress = self.progress.step, self.progress
        progress.judged_step, progress.macro_f1[step] = step, found
        if progress.best_step < 0:
            progress.best_macro_f1, progress.best_step = found, step
        self.monitor.metrics(step, {"dev_macro_f1": found})
        self.log(f"step {step}: dev macro F1 {found:.4f}, best {progress.best_macro_f1:.4f}")

    def _ping(self) -> None:
        """Let the monitor stop a long evaluation."""
        if time.monotonic() - self._pinged > _PING_SECONDS:
            self._pinged = time.monotonic()
            total = max(1, len(self.plan.steps))
            done = _START + (_END - _START) * self.progress.step / total
            self.tell(done, "evaluating", f"measuring on the dev posts after step {self.progress.step}")

    def _gather(self, trainer: EvidenceTrainer) -> None:
        """Put the weights that FSDP has spread over the processes into a whole model in each of them."""
        self.tell(_END, "gathering", "gathering the weights of all processes")
        self.encoder, _ = _load(self.task, self.state)
        whole = Learner(self.encoder)
        assert trainer.model is not None
        gather_weights(trainer.model, whole)
        self.learner = whole

    def _choose_start(self, resume: bool) -> None:
        fingerprint = self.task.fingerprint(self.state.num_processes)
        found = self.checkpoints.progress() if resume else None
        if found is not None and found.fingerprint == fingerprint:
            self.progress = found
            if found.step == 0:  # only the adaptation stage was done
                read_weights(self.checkpoints.last, self.learner)
            self.log(f"Going on from the checkpoint of step {found.step} of {len(self.plan.steps)}.")
            return
        if found is not None:
            self.log("The checkpoint is of another run (other data or settings); starting anew.")
        self.progress = Progress(fingerprint=fingerprint)
        if self.is_main:
            self.checkpoints.clear()

    def _say_what_is_trained_on(self, new: int, old: int) -> None:
        seen = f"{new} posts and {old} replayed ones" if old else f"{new} posts"
        trained = sum(p.numel() for p in self.encoder.parameters() if p.requires_grad)
        self.log(
            f"Training {trained:,} parameters ({self.task.config.method}) on {seen}, {len(self.plan.steps)} steps, "
            f"{self.state.num_processes} process(es) on {self.state.device}."
        )
        if asked_for() and self.state.device.type == "cpu":
            self.log("FSDP shards on GPUs only: here every process keeps the whole model.")
        for reason, count in self.lost.items():
            if count:
                self.log(f"Lost: {count} {reason.replace('_', ' ')}.")

    def _arguments(self, steps: int) -> TrainingArguments:
        config = self.task.config
        reports = reports_directory(self.task.output)
        direct_reports(config, reports)
        schedule = "constant_with_warmup" if config.schedule == "constant" else config.schedule
        return TrainingArguments(
            output_dir=str(reports if config.report_to else self.checkpoints.directory / "trainer"),
            max_steps=steps,
            per_device_train_batch_size=config.batch_size,
            gradient_accumulation_steps=config.accumulation,
            learning_rate=config.learning_rate,
            lr_scheduler_type=schedule,
            warmup_steps=math.ceil(config.warmup_ratio * steps),
            max_grad_norm=config.max_grad_norm,
            weight_decay=config.weight_decay,
            seed=config.seed,
            bf16=uses_autocast(config, self.state.device),
            use_cpu=self.state.device.type == "cpu",
            logging_steps=1,
            logging_nan_inf_filter=False,
            save_strategy="no",
            eval_strategy="no",
            report_to=list(config.report_to) or "none",
            run_name=self.task.output.name,
            project=PROJECT,
            disable_tqdm=True,
            log_level="error",
            remove_unused_columns=False,
            dataloader_pin_memory=False,
            ddp_find_unused_parameters=False,
        )


def check_processes(config: TrainConfig, running: int) -> None:
    """Raise TrainingFailed if several processes were asked for and another number is there."""
    if config.processes not in (1, running):
        raise TrainingFailed(
            f"{config.processes} processes were asked for, but {running} train here. Start them together: "
            f"accelerate launch --num_processes {config.processes} -m encoder.commands.train …"
        )


def uses_autocast(config: TrainConfig, device: torch.device) -> bool:
    """Whether matrix products are computed in bf16: where asked for, else on GPUs that have it."""
    if config.precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    return config.precision == "bf16"


def _load(task: Task, state: PartialState) -> tuple[EvidenceEncoder, bool]:
    """The base with room for every criterion that is trained, adapted as the method asks; and whether it is a model of ours."""
    config = task.config
    if state.device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32
    # trained weights stay fp32 and are computed with in bf16; a frozen base may be bf16 itself
    frozen_in_bf16 = config.method != "full" and uses_autocast(config, state.device) and state.device.type == "cuda"
    torch.manual_seed(config.seed)
    ours = (resolve(task.base) / CONFIG_FILE).exists()
    encoder = load_encoder(
        task.base,
        LoadOptions(
            str(state.device),
            "bfloat16" if frozen_in_bf16 else "float32",
            four_bit=config.method == "qlora",
            merge_adapter=config.method == "full",
        ),
        config=task.encoder_config or EncoderConfig(scoring="per-criterion"),
    )
    labeled = {key for e in (*task.train, *task.replay) for key in e.labels}
    encoder.learn_criteria([c.id for c in task.criteria if c.id in labeled])
    choose_trained(encoder, config)
    encoder.prepare_training(config)
    return encoder, ours
