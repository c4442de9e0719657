"""The Retrain page: its form, what its views draw, and who may do what."""

from __future__ import annotations

import dataclasses
import gc
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from starlette.requests import Request

from annotator.models.bundled import BUNDLED_ID, bundled_model
from annotator.models.hub_versions import card_of
from annotator.models.serving import ModelService
from annotator.project import Project
from annotator.settings import Settings
from annotator.training.measure import Differing
from annotator.training.plan import PRESETS, plan_training
from annotator.training.run import TrainingWish, enqueue_training
from annotator.ui import retrain_form, retrain_views
from annotator.ui.context import Context
from annotator.ui.retrain import RetrainPage
from annotator.web.api.wire import model as model_wire
from annotator.web.gate import PERSON
from encoder.config import InvalidConfig, TrainConfig
from storage.jobs import Jobs
from storage.records import (
    Criterion,
    EvidenceError,
    Job,
    JobKind,
    JobStatus,
    ModelStatus,
    ModelVersion,
    Reviewer,
    Role,
    Split,
)
from storage.store import Store, open_store
from storage.team_records import Adjudication, Outcome
from tests.builders import SLEEP, a_post, an_annotation

# making Blocks leaves event loops to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(autouse=True)
def quiet_gradio() -> Iterator[None]:
    """Have what Blocks left collected here, where its warnings do not count."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def context(store: Store) -> Context:
    """A project with one reviewed training post, the bundled model in service, and a version that was set aside."""
    store.add_model(ModelVersion("demo", "bundled"))
    store.activate_model("demo", by=None)
    store.add_model(ModelVersion("v1", "v1", ModelStatus.ASIDE, parent="demo", examples=20))
    post = a_post(split=Split.TRAIN)
    store.add_posts([post])
    store.add_annotation(an_annotation(post, "I cannot sleep."), expected_revision=0)
    return context_of(store)


def context_of(store: Store) -> Context:
    settings = Settings(data_dir=store.path.parent)
    return Context(Project(settings, store, Jobs(store)), ModelService(store, settings))


@pytest.fixture
def page(context: Context) -> RetrainPage:
    return page_of(context)


def page_of(context: Context) -> RetrainPage:
    page = RetrainPage(context)
    with gr.Blocks(), gr.Tabs(), gr.Tab("Retrain"):
        page.build()
    return page


def asked_by(role: Role) -> Any:
    return Request({"type": "http", "headers": [], PERSON: Reviewer("eva", role)})


def settings_of(preset: int = 0, base: str | None = "demo") -> list[Any]:
    return [PRESETS[preset].id, base, *retrain_form.values_of(PRESETS[preset].config)]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.id)
def test_every_preset_goes_into_the_form_and_comes_back_equal(preset: Any) -> None:
    preset.config.validate()
    assert retrain_form.config_from(retrain_form.values_of(preset.config)) == preset.config


def test_every_setting_of_a_training_is_in_the_form() -> None:
    with gr.Blocks():
        fields = retrain_form.build(TrainConfig())
    assert list(fields) == [f.name for f in dataclasses.fields(TrainConfig)]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("batch_size", "0", "batch_size is 0"),
        ("batch_size", "8.5", "batch_size is '8.5'; it needs a whole number"),
        ("learning_rate", "fast", "learning_rate is 'fast'; it needs a number"),
        ("learning_rate", "", "learning_rate is empty"),
        ("learning_rate", "nan", "learning_rate nan"),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_name(name: str, value: str, reason: str) -> None:
    values = retrain_form.values_of(TrainConfig())
    values[[f.name for f in dataclasses.fields(TrainConfig)].index(name)] = value
    with pytest.raises(InvalidConfig, match=reason):
        retrain_form.config_from(values)


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.ADJUDICATOR])
def test_only_an_admin_may_act(page: RetrainPage, role: Role) -> None:
    asked = asked_by(role)
    acts = [
        lambda: page.start_training(asked, "Here", "", 0.05, 5, 20, *settings_of()),
        lambda: page.cancel_job(asked),
        lambda: page.resume_job(asked),
        lambda: page.put_in_service("v1", "because", asked),
        lambda: page.roll_back(asked),
        lambda: page.measure_again("v1", asked),
        lambda: page.ask_to_delete("v1", asked),
        lambda: page.delete_version("v1", asked),
        lambda: page.import_model("/tmp/none.zip", asked),
        lambda: page.automatic.save(asked, [], True, 0, True, 5, 5, "quick", None),
    ]
    for act in acts:
        with pytest.raises(gr.Error, match="admin"):
            act()
    assert page.jobs.jobs() == []
    active = page.store.active_model()
    assert active is not None
    assert active.id == "demo"


def test_a_reviewer_sees_nothing_of_the_page_and_an_adjudicator_sees_it(page: RetrainPage) -> None:
    with pytest.raises(gr.Error):
        page.show(asked_by(Role.REVIEWER), None, *settings_of())
    assert len(page.show(asked_by(Role.ADJUDICATOR), None, *settings_of())) == 13


def test_where_there_is_no_answer_and_no_version_nothing_can_be_started_or_put_in_service(
    page: RetrainPage, tmp_path: Path
) -> None:
    with closing(open_store(tmp_path / "nothing")) as nothing:
        for there, shown in ((True, page), (False, page_of(context_of(nothing)))):
            parts = shown.show(asked_by(Role.ADMIN), None, *settings_of())
            start, of_version = parts[3], parts[7]
            assert (start.interactive, of_version.visible) == (there, there)


def test_an_admin_starts_a_training_and_the_timer_runs_until_it_is_over(page: RetrainPage) -> None:
    admin = asked_by(Role.ADMIN)
    assert not page.show(admin, None, *settings_of())[4].active
    page.start_training(admin, "Here", " try ", 0.1, 5, 20, *settings_of())
    page.start_training(admin, "Here", " try ", 0.1, 5, 20, *settings_of())  # a double click means one
    (job,) = page.jobs.jobs()
    assert (job.kind, job.payload["base"], job.payload["note"], job.created_by) == (JobKind.TRAIN, "demo", "try", "eva")
    assert job.payload["rule"]["margin"] == 0.1
    shown = page.poll(admin, None, *settings_of())
    assert shown[4].active
    assert shown[0]["job"]["status"] == "queued"
    page.cancel_job(admin)
    shown = page.poll(admin, None, *settings_of())
    assert not shown[4].active
    assert shown[0]["job"]["status"] == "cancelled"
    assert shown[2].interactive
    page.resume_job(admin)
    assert page.jobs.jobs()[0].payload["work"] == f"job-{job.id}"
    resumed = page.jobs.claim("here", kinds=[JobKind.TRAIN])
    assert resumed is not None
    page.jobs.finish(resumed, {"model": "v1", "promoted": False, "reason": "Not better."})
    assert page.poll(admin, "demo", *settings_of())[8].value == "v1"  # what came of it is looked at


def test_a_training_starts_from_the_model_in_service_of_then_unless_another_was_chosen(page: RetrainPage) -> None:
    admin = asked_by(Role.ADMIN)
    opened = page.show(admin, None, *settings_of(base=None))[6]
    assert (opened.value, [name for name, value in opened.choices if value == ""]) == (
        "",
        ["the one in service, now demo"],
    )
    page.store.add_model(ModelVersion("v2", "v2"))
    page.store.activate_model("v2", by=None)
    later = page.show(admin, None, *settings_of(base=opened.value))[6]
    assert (later.value, [name for name, value in later.choices if value == ""]) == ("", ["the one in service, now v2"])
    page.start_training(admin, "Here", "", 0.1, 5, 20, *settings_of(base=later.value))
    assert page.jobs.jobs()[0].payload["base"] == "v2"
    assert page.show(admin, None, *settings_of(base="demo"))[6].value == "demo"  # chosen, so it stays
    assert page.show(admin, None, *settings_of(base="v2"))[6].value == ""


def test_a_double_click_queues_one_training_and_another_wish_or_person_another(page: RetrainPage) -> None:
    for note, role in (("one", Role.ADMIN), ("one", Role.ADMIN), ("two", Role.ADMIN)):
        page.start_training(asked_by(role), "Here", note, 0.1, 5, 20, *settings_of())
    assert [job.payload["note"] for job in page.jobs.jobs()] == ["two", "one"]
    enqueue_training(page.jobs, TrainingWish(PRESETS[0].config, base="demo", note="two"), by="ben")
    page.jobs.request_cancel(page.jobs.jobs()[0].id)
    enqueue_training(page.jobs, TrainingWish(PRESETS[0].config, base="demo", note="two"), by="ben")
    assert len(page.jobs.jobs()) == 4


def test_automatic_learning_is_stored_as_a_whole_or_not_at_all(page: RetrainPage) -> None:
    admin = asked_by(Role.ADMIN)
    shown, *fields = page.automatic.show(admin)
    assert shown == fields == [True, 0, False, 50, 24, "quick", 0]
    wanted = [False, 12.5, True, 30, 12, "quick", 3]
    for place, wrong in [(1, None), (1, 140), (3, None), (3, 0), (4, -1), (5, "none"), (6, None)]:
        refused = list(wanted)
        refused[place] = wrong
        with pytest.raises(EvidenceError):
            page.automatic.save(admin, shown, *refused)
        assert page.automatic.show(admin)[0] == shown
    assert page.automatic.save(admin, shown, *wanted)[1:] == wanted
    with pytest.raises(EvidenceError, match="Somebody changed"):
        page.automatic.save(admin, shown, *fields)
    assert page.automatic.show(admin)[1:] == wanted
    assert page.store.setting("automatic_training") == {"enabled": True, "posts": 30, "hours": 12.0, "preset": "quick"}


def test_an_estimate_that_cannot_be_made_says_why(page: RetrainPage) -> None:
    broken = settings_of()
    broken[2 + [f.name for f in dataclasses.fields(TrainConfig)].index("epochs")] = "many"
    assert "epochs" in page.show_estimate(asked_by(Role.ADMIN), *broken)["error"]
    assert page.show_estimate(asked_by(Role.ADMIN), *settings_of())["steps"] == PRESETS[0].config.max_steps


def test_the_plan_is_drawn_with_its_warnings_as_things_are_now(store: Store, page: RetrainPage) -> None:
    def shown() -> dict[str, Any]:
        [plan] = [
            v for v in page.show(asked_by(Role.ADMIN), None, *settings_of()) if isinstance(v, dict) and "new_posts" in v
        ]
        return plan

    assert shown()["active"]["id"] == "demo"
    assert shown()["posts"] == {"train": 1, "dev": 0, "test": 0}
    assert any("No post of the dev split is reviewed yet" in w for w in shown()["warnings"])
    store.add_adjudication(Adjudication("p1", SLEEP.id, "ana", Outcome.UNDECIDABLE), expected_revision=0)
    assert shown()["posts"]["train"] == 0


def test_figures_count_the_criteria_in_use_alone_and_say_how_many_others_were_measured(
    store: Store, context: Context
) -> None:
    def scores(f1: float, support: int, predicted: int, recall: float) -> dict[str, Any]:
        return {"f1": f1, "support": support, "predicted": predicted, "precision": 0.5, "recall": recall}

    known, left = store.criteria()
    store.save_criteria([known, dataclasses.replace(left, active=False)])
    assert store.criteria() == [known]
    criteria = {known.id: scores(0.6, 10, 8, 0.4), left.id: scores(0.2, 90, 90, 0.1), "GONE": scores(0.1, 9, 9, 0.1)}
    whole = scores(0.3, 109, 107, 0.13) | {"f1_interval": {"low": 0.2, "high": 0.4}}
    measured = {"posts": 9, "macro": whole, "micro": whole, "span_overlap": whole, "criteria": criteria}
    store.add_model(ModelVersion("m1", "kept-here", metrics={"test": measured}))
    [shown] = retrain_views.result_value(store, context.settings, "m1")["sets"]
    [row] = shown["rows"]
    assert (row["macro_f1"], row["precision"], row["recall"]) == (0.6, 0.5, 0.4)
    assert (row["interval"], row["span_f1"]) == (None, None)
    assert (shown["others"], [c["support"] for c in shown["criteria"]]) == (2, [10])


def test_pieces_show_the_marked_sentences_with_their_neighbors_and_say_where_text_is_left_out() -> None:
    text = "One here. Two here. I cannot sleep. Four here. Five here. Six here."
    start = text.index("I cannot")
    pair = Differing("p", "SLEEP", ((start, start + 15),), (), ((start + 2, start + 15),), 1)
    found = retrain_views.pieces(text, pair)
    assert "".join(p["text"] for p in found).split() == ["Two", "here.", "I", "cannot", "sleep.", "Four", "here."]
    assert (found[0], found[-1]) == ({"text": ""}, {"text": ""})
    marks = {p["text"]: (p["gold"], p["active"], p["candidate"]) for p in found if p.get("gold") is not None}
    assert marks["I "] == (True, False, False)
    assert marks["cannot sleep."] == (True, False, True)


def test_the_time_left_follows_from_the_progress_so_far() -> None:
    job = Job(1, JobKind.TRAIN, JobStatus.RUNNING, {}, progress=0.25, claimed_at="2026-01-01T00:00:00Z")
    began = 1767225600.0
    assert retrain_views.eta_seconds(job, now=began + 30) == pytest.approx(90)
    assert retrain_views.eta_seconds(dataclasses.replace(job, progress=0.01), now=began + 30) is None


def test_curves_are_thinned_and_keep_their_last_point() -> None:
    rows = [{"step": n, "name": "loss", "value": 1.0 / (n + 1)} for n in range(1001)]
    (curve,) = retrain_views.curves(rows)
    assert len(curve["points"]) <= 251
    assert curve["points"][-1] == [1000, 1.0 / 1001]
    assert retrain_views.curves([]) == []


def test_the_learning_curve_needs_versions_that_were_measured(store: Store) -> None:
    def version(name: str, examples: int, f1: float) -> ModelVersion:
        test = {"macro": {"f1": f1}, "criteria": {"SLEEP_ISSUES": {"f1": f1}}}
        return ModelVersion(name, name, examples=examples, metrics={"test": test})

    models = [version("v2", 40, 0.6), version("v1", 20, 0.5), ModelVersion("demo", "bundled")]
    curve = retrain_views.learning_curve(store, models)
    assert curve["lines"][0] == {"name": "Macro F1", "points": [[20, 0.5, "v1"], [40, 0.6, "v2"]]}
    assert [line["name"] for line in curve["lines"]] == ["Macro F1", "Sleep problems"]


def test_dev_posts_that_were_learned_from_after_the_measurement_are_told_of(store: Store) -> None:
    dev = {"posts": 8, "macro": {"f1": 0.5}, "criteria": {SLEEP.id: a_score(0.5)}}
    made = ModelVersion("v1", "v1", examples=41, metrics={"dev": dev, "test": dev, "dev_learned": 8}, data_sha256="0")
    store.add_model(made)
    [row] = retrain_views.models_value(store, Jobs(store), str)["rows"]
    assert (row["examples"], row["dev_learned"]) == (41, 8)
    result = retrain_views.result_value(store, Settings(data_dir=store.path.parent), "v1")
    assert {s["title"]: s["then_learned"] for s in result["sets"]} == {
        retrain_views.SET_TITLES["dev"]: True,
        retrain_views.SET_TITLES["test"]: False,
    }
    assert result["data"]["dev_learned"] == 8
    wire = model_wire(made, str)
    assert (wire["examples"], wire["dev_examples"]) == (41, 8)
    assert "- trained on: 41 posts, and on 8 dev posts once it had been measured on them" in card_of(made, store)
    assert "- trained on: 41 posts\n" in card_of(ModelVersion("v0", "v0", examples=41), store)


def a_score(f1: float) -> dict[str, float]:
    return {"support": 5, "precision": f1, "recall": f1, "f1": f1}


def test_no_older_posts_are_promised_where_the_corpus_knows_none_of_the_criteria(store: Store) -> None:
    store.add_model(bundled_model())
    store.activate_model(BUNDLED_ID, by=None)
    assert plan_training(store).replay == "posts of the corpus that comes with the bundled model"
    others = [dataclasses.replace(c, active=False) for c in store.criteria()]
    store.save_criteria([*others, Criterion("NIGHTS", "Nights", "The writer lies awake.")])
    assert "says nothing of these criteria" in plan_training(store).replay


def test_a_project_of_which_one_new_criterion_alone_is_answered_is_told_what_is_replayed_and_what_is_missing(
    store: Store,
) -> None:
    store.add_model(bundled_model())
    store.activate_model(BUNDLED_ID, by=None)
    nights = Criterion("NIGHTS", "Nights", "The writer lies awake.")
    store.save_criteria([*store.criteria(), nights])
    posts = [a_post(f"I lie awake, night {n}. The cat is fine.", id=f"n{n}", split=Split.TRAIN) for n in range(3)]
    store.add_posts(posts)
    store.add_annotation(an_annotation(posts[0], criterion=nights), expected_revision=0)
    assert "nothing says what their evidence is like" in plan_training(store).obstacle
    store.add_annotation(an_annotation(posts[1], "I lie awake, night 1.", criterion=nights), expected_revision=0)
    plan = plan_training(store)
    assert plan.obstacle == ""
    assert plan.replay.startswith("none under Quick")
    store.add_annotation(an_annotation(posts[2]), expected_revision=0)
    assert plan_training(store).replay == "posts of the corpus that comes with the bundled model"
