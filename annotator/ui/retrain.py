"""Retrain: what a training would be about, one that runs, what it brought, and the registry of model versions.

The views are drawn in the browser from JSON values; nothing is kept in the page, so it survives a reload and is the same in every
tab. A timer asks for news only while a job waits or runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from annotator.models import registry as training_registry
from annotator.models.archives import import_version
from annotator.teams.naming import called_before
from annotator.training.hub_job import hub_job_of
from annotator.training.model_jobs import enqueue_evaluation
from annotator.training.plan import PRESETS, estimate, plan_training, preset_config
from annotator.training.promotion import PromotionRule
from annotator.training.run import TrainingWish, enqueue_training, resume_training
from annotator.ui import retrain_automatic, retrain_form, retrain_hub, retrain_inside, retrain_views
from annotator.ui.assets import script
from annotator.ui.context import QUEUED, QUIET, Context, friendly
from encoder.config import TrainConfig
from storage.records import JobKind, JobStatus, ModelVersion, Reviewer, Role

POLL_SECONDS = 1.0
UNFINISHED = (JobStatus.QUEUED, JobStatus.RUNNING)
IN_SERVICE = ""  # to start from: whichever is in service then, also one that came after the page was opened
CURATOR, ADMIN = Role.ADJUDICATOR, Role.ADMIN


def build(context: Context) -> None:
    RetrainPage(context).build()


def view(name: str) -> gr.HTML:
    """A view that draws itself from its value; its template is constant."""
    return gr.HTML(
        html_template='<section class="rt" aria-live="off"></section>',
        js_on_load=script(f"retrain_{name}.js"),
        elem_id=f"retrain-{name}",
        elem_classes="rt-view",
        padding=False,
        apply_default_css=False,
    )


class RetrainPage:
    """The page of one project."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.hub = retrain_hub.HubPart(context)
        self.automatic = retrain_automatic.AutomaticPart(context)
        self.store, self.jobs, self.settings = context.store, context.jobs, context.settings

    # --- layout

    def build(self) -> None:
        self.plan_view = view("plan")
        with gr.Row(equal_height=False, elem_classes="rt-row"):
            with gr.Column(scale=2, min_width=320):
                self._build_start()
            with gr.Column(scale=3, min_width=360):
                self._build_job()
        self._build_models()
        tab = gr.context.Context.block
        assert isinstance(tab, gr.Tab)
        self.automatic.build(tab)
        self._connect(tab)

    def _build_start(self) -> None:
        gr.Markdown("### Train", elem_classes="rt-title")
        self.preset = gr.Radio([(p.name, p.id) for p in PRESETS], value="quick", label="Preset")
        self.base = gr.Dropdown(
            [], label="Start from", info="The model whose weights are trained further", interactive=True
        )
        self.where = gr.Radio(
            ["Here", "Hugging Face Job"], value="Here", label="Where", visible=bool(self.settings.jobs_repo)
        )
        self.note = gr.Textbox(label="Note", placeholder="What is it for? (optional)", max_length=500)
        with gr.Accordion("All settings", open=False, elem_id="retrain-settings"):
            self.fields = retrain_form.build(preset_config("quick", self.settings, self.store.active_model()))
            self.rule = retrain_form.build_rule(PromotionRule())
        self.estimate_view = view("estimate")
        self.start = gr.Button("Start training", variant="primary", elem_id="retrain-start")

    def _build_job(self) -> None:
        gr.Markdown("### Progress", elem_classes="rt-title")
        self.job_view = view("job")
        with gr.Row():
            self.cancel = gr.Button("Cancel", visible=False, min_width=90, elem_id="retrain-cancel")
            self.resume = gr.Button("Resume", visible=False, min_width=90, elem_id="retrain-resume")
        self.timer = gr.Timer(POLL_SECONDS, active=False)

    def _build_models(self) -> None:
        gr.Markdown("### Models", elem_classes="rt-title")
        self.models_view = view("models")
        with gr.Column(visible=False) as self.of_version:  # where there is one
            with gr.Row(equal_height=False):
                self.version = gr.Dropdown(
                    [], label="Version", scale=2, min_width=200, interactive=True, elem_id="retrain-version"
                )
                self.service_note = gr.Textbox(
                    label="Note", placeholder="Why, if it did not prove better", scale=3, max_length=500
                )
            with gr.Row():
                self.serve = gr.Button("Put in service", variant="primary", min_width=120, elem_id="retrain-serve")
                self.back = gr.Button("Roll back", min_width=120, elem_id="retrain-back")
                self.again = gr.Button("Measure again", min_width=120, elem_id="retrain-again")
                self.delete = gr.Button("Delete", variant="stop", min_width=90, elem_id="retrain-delete")
        self.upload = gr.UploadButton("Import a model (zip)", file_types=[".zip"], elem_id="retrain-import")
        with gr.Group(visible=False, elem_classes="sure") as self.sure:
            self.warning = gr.Markdown(container=True)
            with gr.Row():
                self.delete_yes = gr.Button("Yes, delete it", variant="stop", elem_id="retrain-delete-yes")
                self.delete_no = gr.Button("Keep it")
        self.pull, self.repository = self.hub.build(self.version)
        self.result_view = view("result")
        retrain_inside.build(self.context)

    # --- wiring

    def _connect(self, tab: gr.Tab) -> None:
        live = [self.job_view, self.cancel, self.resume, self.start, self.timer]
        rest = [
            self.plan_view,
            self.base,
            self.of_version,
            self.version,
            self.back,
            self.result_view,
            self.models_view,
            self.estimate_view,
        ]
        settings = [self.preset, self.base, *self.fields.values()]
        everything = [*live, *rest]
        tab.select(friendly(self.show), [self.version, *settings], everything, **QUIET)
        self.timer.tick(friendly(self.poll), [self.version, *settings], everything, **QUIET)
        self.version.input(friendly(self.show_version), self.version, self.result_view, **QUIET)
        for chosen in (self.preset, self.base):
            chosen.input(friendly(self.use_preset), [self.preset, self.base], [*self.fields.values()], **QUIET).then(
                friendly(self.show_estimate), settings, self.estimate_view, **QUIET
            )
        for field in (self.base, *self.fields.values()):
            field.change(friendly(self.show_estimate), settings, self.estimate_view, **QUIET)
        acts: list[tuple[Any, Callable[..., None], list[Any]]] = [
            (self.start, self.start_training, [self.where, self.note, *self.rule, *settings]),
            (self.cancel, self.cancel_job, []),
            (self.resume, self.resume_job, []),
            (self.serve, self.put_in_service, [self.version, self.service_note]),
            (self.back, self.roll_back, []),
            (self.again, self.measure_again, [self.version]),
            (self.delete_yes, self.delete_version, [self.version]),
        ]
        for button, handler, inputs in acts:
            button.click(friendly(handler), inputs, None, **QUEUED).then(  # only what is queued can say something
                friendly(self.show), [self.version, *settings], everything, **QUIET
            )
        asked = [self.sure, self.warning]
        self.delete.click(friendly(self.ask_to_delete), self.version, asked, **QUEUED)
        for done in (self.delete_yes.click, self.delete_no.click, self.version.change):
            done(lambda: gr.Group(visible=False), None, self.sure, **QUIET)
        for added in (
            self.upload.upload(friendly(self.import_model), self.upload, None, api_visibility="private"),
            self.pull.click(friendly(self.hub.pull), self.repository, None, api_visibility="private"),
        ):
            added.then(friendly(self.show), [self.version, *settings], everything, **QUIET)

    # --- looking

    def show(self, request: gr.Request, version: str | None, *settings: Any) -> list[Any]:
        """Everything that the page shows."""
        person = self.context.require(request, CURATOR)
        return self._everything(version, settings, person)

    def poll(self, request: gr.Request, version: str | None, *settings: Any) -> list[Any]:
        """What changes while a job runs; everything once none does any more."""
        person = self.context.require(request, CURATOR)
        if self._busy():
            return [*self._live(), *([gr.skip()] * 8)]
        return self._everything(self._made_last() or version, settings, person)

    def _made_last(self) -> str | None:
        """The version that a training made which ended just now: what came of it is looked at."""
        newest = next(iter(self.jobs.jobs(limit=1)), None)
        job = retrain_views.shown_job(self.jobs)
        made = None if job is None else (job.result or {}).get("model")
        follows = newest is not None and newest.kind is JobKind.PREDICT and newest.payload.get("model") == made
        return made if newest is not None and (newest.kind is JobKind.TRAIN or follows) else None

    def _everything(self, version: str | None, settings: tuple[Any, ...], person: Reviewer) -> list[Any]:
        rest = self._rest(version, settings, person)
        return [*self._live(may_start=not rest[0].get("obstacle")), *rest]

    def _live(self, *, may_start: bool | None = None) -> list[Any]:
        """may_start: whether there is something to train on; None: what the button said before stays."""
        job = retrain_views.shown_job(self.jobs)
        running = job is not None and job.status in UNFINISHED
        resumable = (
            job is not None and job.kind is JobKind.TRAIN and job.status in (JobStatus.CANCELLED, JobStatus.FAILED)
        )
        asked = job is not None and job.cancel_requested and running
        training = self.jobs.jobs(kind=JobKind.TRAIN, statuses=UNFINISHED, limit=1)
        words = "Queue another training" if training else "Start training"
        return [
            retrain_views.job_value(self.jobs, job),
            gr.Button("Stopping …" if asked else "Cancel", visible=running, interactive=not asked),
            gr.Button(visible=resumable),
            gr.Button(words) if may_start is None else gr.Button(words, interactive=may_start),
            gr.Timer(POLL_SECONDS, active=self._busy()),
        ]

    def _busy(self) -> bool:
        return bool(self.jobs.jobs(statuses=UNFINISHED, limit=1))

    def _rest(self, version: str | None, settings: tuple[Any, ...], person: Reviewer) -> list[Any]:
        models, active = self.store.models(), self.store.active_model()
        ids, choices = [m.id for m in models], [(retrain_views.model_label(m, active), m.id) for m in models]
        chosen = version if version in ids else next(iter(ids), None)
        before = training_registry.rollback_target(self.store)
        in_service = None if active is None else active.id
        bases = [
            (f"the one in service, now {model}", IN_SERVICE) if model == in_service else (label, model)
            for label, model in choices
        ]
        base: str | None = settings[1] if len(settings) > 1 else None
        if base not in [model for _, model in bases]:
            base = None if active is None else IN_SERVICE
        return [
            retrain_views.shown(lambda: retrain_views.plan_value(plan_training(self.store), self.store)),
            gr.Dropdown(choices=bases, value=base),
            gr.Column(visible=bool(ids)),
            gr.Dropdown(choices=choices, value=chosen),
            gr.Button(f"Roll back to {before.id}" if before else "Roll back", interactive=before is not None),
            retrain_views.shown(retrain_views.result_value, self.store, self.settings, chosen),
            retrain_views.shown(retrain_views.models_value, self.store, self.jobs, called_before(self.store, person)),
            retrain_views.shown(self._estimate, base, settings),
        ]

    def show_version(self, version: str | None, request: gr.Request) -> Any:
        self.context.require(request, CURATOR)
        return retrain_views.shown(retrain_views.result_value, self.store, self.settings, version)

    def use_preset(self, preset: str, base: str | None, request: gr.Request) -> list[Any]:
        """The fields of a preset for the model that is to be trained further."""
        self.context.require(request, CURATOR)
        return retrain_form.values_of(preset_config(preset, self.settings, self._model(base)))

    def _model(self, base: str | None) -> ModelVersion | None:
        return next((m for m in self.store.models() if m.id == base), None) or self.store.active_model()

    def _config(self, settings: tuple[Any, ...]) -> TrainConfig:
        """The config of the form. A preset that was left as it is suits the model, also one that came into service since.

        settings: the preset's id, the base, the fields.
        """
        config = retrain_form.config_from(settings[2:])
        preset = next((p for p in PRESETS if p.id == settings[0]), None)
        if preset is not None and config in (preset.config, preset.large):
            return preset_config(preset.id, self.settings, self._model(settings[1]))
        return config

    def show_estimate(self, request: gr.Request, *settings: Any) -> Any:
        self.context.require(request, CURATOR)
        return retrain_views.shown(self._estimate, settings[1], settings)

    def _estimate(self, base: str | None, settings: tuple[Any, ...]) -> dict[str, Any]:
        try:
            config = self._config(settings)
        except retrain_form.InvalidConfig as error:
            return {"error": str(error)}
        model = self._model(base)
        found = estimate(self.store, self.jobs, self.settings, config, base=model)
        preset = next((p for p in PRESETS if p.id == settings[0]), None)
        changed = preset is None or config != preset_config(preset.id, self.settings, model)
        return retrain_views.estimate_value(
            found, preset.text if preset else "", self.settings, PRESETS_CHANGED[changed]
        )

    # --- acting

    def start_training(
        self, request: gr.Request, where: str, note: str, margin: Any, support: Any, posts: Any, *settings: Any
    ) -> None:
        person = self.context.require(request, ADMIN)
        config = self._config(settings)
        rule = retrain_form.rule_from(margin, support, posts)
        hub_job = hub_job_of(self.settings) if where == "Hugging Face Job" else None
        words = (note or "").strip()
        job = enqueue_training(
            self.jobs,
            TrainingWish(config, base=settings[1] or None, rule=rule, note=words, hub_job=hub_job),
            by=person.name,
        )
        gr.Info(f"Training {job.id} is queued.", duration=4)

    def cancel_job(self, request: gr.Request) -> None:
        self.context.require(request, ADMIN)
        job = retrain_views.shown_job(self.jobs)
        if job is not None:
            self.jobs.request_cancel(job.id)

    def resume_job(self, request: gr.Request) -> None:
        person = self.context.require(request, ADMIN)
        job = retrain_views.shown_job(self.jobs)
        if job is not None:
            resume_training(self.jobs, self.settings, job.id, by=person.name)

    def put_in_service(self, version: str | None, note: str, request: gr.Request) -> None:
        person = self.context.require(request, ADMIN)
        model = training_registry.put_in_service(
            self.store, self.jobs, self.settings, chosen_version(version), by=person, note=note or ""
        )
        self.context.models.reload()
        gr.Info(f"{model.id} is put in service.", duration=4)

    def roll_back(self, request: gr.Request) -> None:
        person = self.context.require(request, ADMIN)
        model = training_registry.roll_back(self.store, self.jobs, self.settings, by=person)
        self.context.models.reload()
        gr.Info(f"{model.id} is back in service.", duration=4)

    def measure_again(self, version: str | None, request: gr.Request) -> None:
        person = self.context.require(request, ADMIN)
        enqueue_evaluation(self.jobs, self.store, chosen_version(version), by=person.name)

    def ask_to_delete(self, version: str | None, request: gr.Request) -> list[Any]:
        """What cannot be undone is asked first; what may not be deleted at all is said at once."""
        self.context.require(request, ADMIN)
        training_registry.check_deletable(self.store, self.jobs, self.store.model(chosen_version(version)))
        words = f"Delete {version} for good, with its files and predictions? What people answered stays."
        return [gr.Group(visible=True), words]

    def delete_version(self, version: str | None, request: gr.Request) -> None:
        self.context.require(request, ADMIN)
        training_registry.delete_version(self.store, self.jobs, self.settings, chosen_version(version))
        gr.Info(f"{version} is deleted.", duration=4)

    def import_model(self, path: str, request: gr.Request) -> None:
        person = self.context.require(request, ADMIN)
        try:
            model = import_version(self.store, self.settings, Path(path), by=person)
        finally:
            Path(path).unlink(missing_ok=True)
        gr.Info(f"Imported as {model.id}; it is not in service yet.", duration=6)


PRESETS_CHANGED = {False: "", True: "Some settings differ from the preset."}


def chosen_version(version: str | None) -> str:
    """The version chosen in the page. Raises NotPossible if none is."""
    if not version:
        raise training_registry.NotPossible("Choose a version first.")
    return version
