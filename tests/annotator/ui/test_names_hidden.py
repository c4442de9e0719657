"""Where a project tells no names to who adjudicates: every answer that a page, the API or an export gives them, and what a lead is told."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator.exchange.exporting import export_file
from annotator.models.archives import VERSION_FILE, export_version
from annotator.models.serving import ModelService
from annotator.project import Project
from annotator.settings import Settings
from annotator.teams import adjudicating, discussing
from annotator.teams.naming import called_before, codes_of
from annotator.teams.rounds import RoundPlan, change_people, set_up
from storage.exports import Answers, ExportFilter
from storage.jobs import Jobs
from storage.records import Criterion, InvalidRecord, JobKind, ModelVersion, Reviewer, Role
from storage.store import Store, open_store
from tests.builders import MOOD, SLEEP, a_post, an_annotation

gr = pytest.importorskip("gradio")

from annotator.ui import (  # noqa: E402  # noqa: E402
    adjudicate,
    agreement,
    data_confirm,
    data_export,
    discussions,
    guidelines,
    mine,
    overview,
    people,
    posts,
    retrain_views,
    review,
    team,
    tour,
)
from annotator.ui.context import Context  # noqa: E402

READERS = ("Bastian Vold", "Quirina Ames", "Zoltan Rhys")
JUDGE, JUDGING_ADMIN = Reviewer("Jolanda Oxe", Role.ADJUDICATOR), Reviewer("Leopold Ike", Role.ADMIN)
LEAD = Reviewer("Ursula Day", Role.ADMIN)
EVERYBODY = (*READERS, JUDGE.name, JUDGING_ADMIN.name, LEAD.name)
P1, P2 = a_post(id="p1"), a_post("I cannot sleep. Another day.", id="p2")
ANSWERS = {
    **adjudicate.ANSWERS, **agreement.ANSWERS, **discussions.LISTED, **discussions.THREAD, **guidelines.ANSWERS, **mine.ANSWERS,
    **people.ANSWERS, **posts.ANSWERS, **review.ANSWERS, **team.ANSWERS, **tour.ANSWERS,
}  # fmt: skip
CASE = {"post_id": "p1", "criterion_id": SLEEP.id}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """Two readers disagree twice; a judge and an admin decide one each; a wording changes; people talk, and are spoken to."""
    store = open_store(tmp_path_factory.mktemp("names"))
    settings = Settings(data_dir=store.path.parent)
    for person in (*map(Reviewer, READERS), JUDGE, JUDGING_ADMIN, LEAD):
        store.add_reviewer(person.name, person.role, password_hash="kept")
    store.save_criteria([SLEEP, MOOD])
    store.add_posts([P1, P2])
    made = set_up(store, RoundPlan("main", READERS[:2], overlap={2: 1.0}), model_version=None, by=LEAD)
    change_people(store, made.id, READERS, expected_revision=1, by=LEAD)
    for post in (P1, P2):
        store.add_annotation(an_annotation(post, "cannot sleep", reviewer=READERS[0]), expected_revision=0)
        store.add_annotation(an_annotation(post, reviewer=READERS[1]), expected_revision=0)
        store.add_annotation(an_annotation(post, "sleep", criterion=MOOD, reviewer=READERS[1]), expected_revision=0)
        store.add_annotation(an_annotation(post, criterion=MOOD, reviewer=READERS[0]), expected_revision=0)
    decided = {"outcome": "no_evidence", "expected_revision": 0, "criterion_id": SLEEP.id, "reason": "Not now."}
    adjudicating.decide(store, JUDGE, {**decided, "post_id": "p1"})
    adjudicating.decide(store, JUDGING_ADMIN, {**decided, "post_id": "p2"})
    store.save_criteria([Criterion(SLEEP.id, SLEEP.name, SLEEP.text, "Not naps."), MOOD])
    store.update_reviewer(READERS[2], disabled=True)
    for writer, to in ((READERS[0], JUDGE.name), (JUDGE.name, codes_of(store)[READERS[1]])):
        discussing.say(store, Reviewer(writer), {"post_id": "p1", "text": f"Look, @{to}!", "what": "flagged"})
    store.add_model(ModelVersion("m1", "m1", created_by=READERS[0]))
    Jobs(store).enqueue(JobKind.TRAIN, {}, by=READERS[1])
    yield Context(Project(settings, store, Jobs(store)), ModelService(store, settings))
    store.close()


def asked(name: str, message: dict[str, Any] | None = None) -> Callable[[Context, Reviewer], Any]:
    return lambda context, me: ANSWERS[name](context, message or {}, me)


def called(name: str, **given: Any) -> Callable[[Context, Reviewer], Any]:
    return lambda context, me: context.api.call(name, me, given)


def by_code(name: str, key: str, message: dict[str, Any]) -> Callable[[Context, Reviewer], Any]:
    """With the first reader as `me` is told of them, in the message's `key`."""

    def ask(context: Context, me: Reviewer) -> Any:
        told = READERS[0] if me is LEAD else codes_of(context.store)[READERS[0]]
        return ANSWERS[name](
            context, {**message, key: {"state": "any", "reviewer": told} if key == "filter" else told}, me
        )

    return ask


def exported(format_name: str, answers: Answers) -> Callable[[Context, Reviewer], Any]:
    def export(context: Context, me: Reviewer) -> Any:
        folder: Path = context.settings.data_dir / f"{format_name}-{answers}-{me.role}-{me.name[0]}"
        chosen = ExportFilter(answers=answers, discussions=format_name == "jsonl", reader=me.name)
        manifest = export_file(context.store, format_name, folder / "out.zip", chosen) | {"output": ""}
        said = [json.dumps(manifest, ensure_ascii=False)]
        for path in folder.iterdir():
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as packed:
                    said += [packed.read(name).decode("utf-8", "replace") for name in packed.namelist()]
            said.append(path.read_bytes().decode("utf-8", "replace"))
        return said

    return export


def archived(context: Context, me: Reviewer) -> Any:
    directory = context.settings.models_dir / "m1"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text("{}", "utf-8")
    archive = export_version(context.store, context.settings, "m1", context.settings.data_dir / "m1.zip")
    with zipfile.ZipFile(archive) as packed:
        return [packed.read(name).decode() for name in ("config.json", VERSION_FILE)]


NEW_ROUND = {"plan": {"name": "more", "unread": False, "overlap": {"1": 1.0}}}
NAMED: dict[str, Callable[[Context, Reviewer], Any]] = {
    "posts_start": asked("posts_start"),
    "posts_find": asked("posts_find", {"filter": {"state": "any"}, "limit": 9}),
    "review_start": asked("review_start"),
    "review_find": asked("review_find", {"filter": {"state": "any"}}),
    "review_choices": asked("review_choices"),
    "review_item": asked("review_item", {"post_id": "p1"}),
    "review_history": asked("review_history", {"post_id": "p1"}),
    "agreement_report": asked("agreement_report"),
    "agreement_csv": asked("agreement_csv"),
    "agreement_older": asked("agreement_older"),
    "team_start": asked("team_start"),
    "team_round": asked("team_round", {"round": 1}),
    "thread_read": asked("thread_read", {"post_id": "p1"}),
    "thread_list": asked("thread_list", {"wanted": "open"}),
    "the API's posts": called("posts"),
    "the API's next": called("next", post_id="p1"),
    "the API's jobs": called("jobs"),
    "the API's models": called("models"),
    "the API's team": called("team"),
    "whose answers are exported": lambda context, me: data_export.reviewers_before(context, me),
    "who made which model": lambda context, me: retrain_views.models_value(
        context.store, context.jobs, called_before(context.store, me)
    ),
    **{
        f"{name}, {answers}": exported(name, answers)
        for name in ("jsonl", "csv", "parquet", "squad", "label-studio", "argilla", "xlsx", "hf")
        for answers in Answers
        if (name, answers) not in {("argilla", Answers.GOLD), ("squad", Answers.GOLD)}
    },
}
UNNAMED: dict[str, Callable[[Context, Reviewer], Any]] = {
    "adjudicate_queue": asked("adjudicate_queue", {"done": True}),
    "adjudicate_case": asked("adjudicate_case", CASE),
    "agreement_mixed_up": asked("agreement_mixed_up", {"one": SLEEP.id, "other": MOOD.id}),
    "agreement_methods": asked("agreement_methods"),
    "agreement_gamma": asked("agreement_gamma", {"criterion": SLEEP.id}),
    "guidelines_read": asked("guidelines_read"),
    "mine_read": asked("mine_read"),
    "review_neighbours": asked("review_neighbours", {"post_id": "p1"}),
    "posts_ids": by_code("posts_ids", "filter", {}),
    "posts_job": asked("posts_job"),
    "posts_assign": by_code("posts_assign", "to", {"post_ids": ["p1"]}),
    "posts_unassign": by_code("posts_unassign", "from", {"post_ids": ["p1"]}),
    "the overview": overview.overview,
    "a model's archive": archived,
    "what waits for its place": data_confirm.next_waiting,
}
OF_OTHERS = {
    "adjudicate_decide": "as adjudicate_case", "adjudicate_example": "a count", "guidelines_save": "a version",
    "guidelines_order": "ids", "guidelines_remove_example": "nothing", "guidelines_attributes": "the form",
    "review_opened": "nothing", "review_save": "others, as review_item", "review_skip": "nothing", "review_assign": "nothing",
    "review_restore": "a revision", "review_undo": "ids", "review_look_again": "nothing", "thread_say": "as thread_read",
    "posts_split": "a count", "posts_withdraw": "a count", "posts_predict": "a job", "posts_stop": "a job", "tour_anew": "nothing",
    **dict.fromkeys(("team_make", "team_people", "team_move", "team_fill", "team_deadline", "team_close"), "as team_round"),
    "team_preview": "tried by itself", "team_rules": "the rules", **dict.fromkeys(people.ANSWERS, "the accounts, for admins"),
}  # fmt: skip


@pytest.mark.parametrize("route", [*NAMED, *UNNAMED])
def test_who_adjudicates_is_told_no_name_anywhere_and_the_lead_is(context: Context, route: str) -> None:
    ask = {**NAMED, **UNNAMED}[route]
    for me in (JUDGE, JUDGING_ADMIN):
        body = json.dumps(ask(context, me), ensure_ascii=False, default=str)
        assert [name for name in EVERYBODY if name in body and name != me.name] == []
    told = json.dumps(ask(context, LEAD), ensure_ascii=False, default=str)
    assert any(name in told for name in EVERYBODY if name != LEAD.name) == (route in NAMED)


def test_every_answer_of_the_pages_is_looked_at_or_tells_of_nobody() -> None:
    assert {*NAMED, *UNNAMED, *OF_OTHERS} >= set(ANSWERS)
    assert not {*NAMED, *UNNAMED} & set(OF_OTHERS)


def test_a_round_is_planned_among_codes_and_a_name_is_nobody_there(context: Context) -> None:
    codes = codes_of(context.store)
    plan = {**NEW_ROUND["plan"], "people": [codes[READERS[0]]]}
    found = ANSWERS["team_preview"](context, {"plan": plan}, JUDGE)["preview"]
    assert [row["person"] for row in found["people"]] == [codes[READERS[0]]]
    for message, name in (
        ({"plan": {**plan, "people": [READERS[0]]}}, "team_preview"),
        ({"filter": {"reviewer": READERS[0]}}, "posts_ids"),
    ):
        with pytest.raises(InvalidRecord, match="nobody called 'Bastian Vold' here"):
            ANSWERS[name](context, message, JUDGE)


def test_what_is_said_to_a_code_reaches_who_has_it(context: Context) -> None:
    code = codes_of(context.store)[READERS[0]]
    ANSWERS["thread_say"](context, {"criterion_id": MOOD.id, "text": f"Why, @{code}?"}, JUDGE)
    thread = ANSWERS["thread_read"](context, {"criterion_id": MOOD.id}, LEAD)
    assert [(m["text"], m["mentions"]) for m in thread["messages"]] == [(f"Why, @{READERS[0]}?", [READERS[0]])]


def test_where_nobody_has_an_account_the_one_who_adjudicates_leads(store: Store) -> None:
    store.add_reviewer("me", Role.ADMIN)
    store.add_posts([P1])
    store.add_annotation(an_annotation(P1, reviewer="ana"), expected_revision=0)
    adjudicating.decide(store, Reviewer("me", Role.ADMIN), {**CASE, "outcome": "no_evidence", "expected_revision": 0})
    assert not store.hides_names("me")
    store.update_reviewer("me", password_hash="kept")
    assert store.hides_names("me")


def test_names_that_the_project_tells_are_told(context: Context) -> None:
    store: Store = context.store
    store.set_setting("adjudication", {"names": True})
    try:
        assert READERS[0] in json.dumps(NAMED["posts_start"](context, JUDGE))
    finally:
        store.set_setting("adjudication", {"names": False})


def test_a_filter_that_names_whom_nobody_is_told_of_keeps_no_one_out_of_review(context: Context) -> None:
    """It was kept by this browser before names were hidden, by somebody else, or for a code that is none any more."""
    for me, kept in (
        (JUDGE, {"state": "any", "reviewer": READERS[0]}),
        (LEAD, {"state": "any", "assigned_to": codes_of(context.store)[READERS[0]]}),
        (Reviewer(READERS[1]), {"state": "any", "assigned_to": READERS[0]}),
        (JUDGE, {"state": "any", "order": "loudest"}),
    ):
        begun = ANSWERS["review_start"](context, {"filter": kept}, me)
        assert (begun["filter"], begun["item"] is not None) == ({"state": "any"}, True)
        assert begun["unreadable"].count(".") >= 1
    assert ANSWERS["review_start"](context, {"filter": {"state": "any"}}, JUDGE)["unreadable"] == ""
