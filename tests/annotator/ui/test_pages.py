"""What stands behind the frame of the pages, Try it, Overview and the step to a project of one's own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator.models.serving import ModelService
from annotator.project import demo_posts, open_project, replace_criteria
from annotator.settings import Settings
from annotator.web.gate import PERSON
from encoder.errors import ModelUnusable
from storage.attributes import CriteriaSet
from storage.records import About, Criterion, EvidenceError, InvalidRecord, Reviewer, Role
from storage.rounds import Assigned, RoundPost
from storage.team_records import Round, RoundKind, Suggestions
from tests.builders import an_annotation

gr = pytest.importorskip("gradio")

from annotator.ui.context import Context, friendly  # noqa: E402
from annotator.ui.layout import page_asked_for, pages_of  # noqa: E402
from annotator.ui.overview import overview  # noqa: E402
from annotator.ui.start import start_own_project  # noqa: E402
from annotator.ui.try_it import MAX_CHARACTERS, predict_text  # noqa: E402


class Asked:
    """As much of a request as the pages look at."""

    def __init__(self, person: Reviewer | None) -> None:
        self.scope = {PERSON: person}


def a_context(folder: Path, **changes: Any) -> Context:
    project = open_project(Settings(data_dir=folder, **changes))
    return Context(project, ModelService(project.store, project.settings))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return a_context(tmp_path)


def test_a_person_without_the_role_gets_a_clear_line(context: Context) -> None:
    with pytest.raises(gr.Error, match="This is for adjudicator or admin; you are signed in as eva"):
        context.require(Asked(Reviewer("eva", Role.REVIEWER)), Role.ADJUDICATOR)
    with pytest.raises(gr.Error, match="Sign in first"):
        context.require(Asked(None))
    assert context.require(Asked(Reviewer("adam", Role.ADMIN)), Role.ADJUDICATOR).name == "adam"


def test_an_error_that_a_user_can_cure_reaches_the_page_as_it_is() -> None:
    @friendly
    def handler() -> None:
        raise InvalidRecord("Post p1 has no text.")

    with pytest.raises(gr.Error, match=r"Post p1 has no text\."):
        handler()


def test_any_other_error_reaches_the_page_as_a_number_and_the_log_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    written = " ".join(["what", "somebody", "wrote"])  # put together here: a trace shows lines of code

    @friendly
    def handler() -> None:
        raise KeyError(written)

    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as shown:
        handler()
    number = str(shown.value.message).rsplit(" ", 1)[1].rstrip(".")
    assert number in caplog.text
    assert "KeyError" in caplog.text
    assert "somebody wrote" not in caplog.text + str(shown.value.message)


def test_a_handler_that_yields_is_guarded_too() -> None:
    @friendly
    def handler() -> Iterator[int]:
        yield 1
        raise EvidenceError("Stopped in the middle.")

    steps = handler()
    assert next(steps) == 1
    with pytest.raises(gr.Error, match="Stopped in the middle"):
        next(steps)


@pytest.mark.parametrize(
    ("query", "page"),
    [({}, "review"), ({"tab": "data"}, "data"), ({"tab": "nonsense"}, "review"), ({"post": "p1"}, "review")],
)
def test_an_address_opens_its_page(context: Context, query: dict[str, str], page: str) -> None:
    assert page_asked_for(query, pages_of(context)) == page


def test_the_demo_begins_with_try_it_unless_a_post_is_asked_for(tmp_path: Path) -> None:
    pages = pages_of(a_context(tmp_path, demo=True))
    assert [p.id for p in pages] == ["try", "review", "posts", "overview", "guidelines"]
    assert page_asked_for({}, pages) == "try"
    assert page_asked_for({"post": "demo-01"}, pages) == "review"


def test_overview_counts_what_was_decided(context: Context) -> None:
    me = context.store.reviewer("local")
    post = context.store.post(demo_posts()[0].id)
    words = post.text.split(".")[0]
    criterion = context.store.criteria()[0]
    context.store.add_annotation(an_annotation(post, words, criterion=criterion, reviewer="local"), expected_revision=0)
    shown = overview(context, me)
    assert shown["progress"] == {
        "posts": len(demo_posts()),
        "reviewed_by_me": 0,
        "started_by_me": 1,
        "decisions": 1,
        "reviewers": 1,
        "to_adjudicate": 0,
    }
    row = shown["criteria"][0]
    assert row["verdicts"] == {"evidence": 1, "no_evidence": 0, "unsure": 0}
    assert row["spans"] == {"accepted": 0, "adjusted": 0, "rejected": 0, "added": 1}
    assert shown["model"]["id"] == "bundled"
    assert shown["own"] is False


def test_who_reads_blind_is_told_that_the_overview_counts_their_own(context: Context) -> None:
    context.store.ensure_reviewer("ana", Role.REVIEWER)
    post_id = demo_posts()[0].id
    blind = Round(0, "main", RoundKind.MAIN, True, Suggestions.SHOWN, ("ana",), {1: 1.0}, seed=1)
    context.store.add_round(blind, [RoundPost(post_id, 1)], [Assigned(post_id, "ana", None)])
    shown = overview(context, Reviewer("ana", Role.REVIEWER))
    assert (shown["own"], shown["progress"]["to_adjudicate"]) == (True, None)


def test_overview_claims_no_quality_for_criteria_that_were_not_measured(context: Context) -> None:
    figures = {"f1": 0.8, "precision": 0.8, "recall": 0.8}
    measured = {"posts": 9, "pairs": 9, "macro": figures, "micro": figures, "criteria": {"SLEEP_ISSUES": figures}}
    context.store.update_model("bundled", metrics={"test": measured})
    shown = overview(context, context.store.reviewer("local"))["model"]
    assert len(shown["rows"]) == 1
    assert "Depressed mood" in shown["without"]
    assert "Sleep problems" not in shown["without"]
    anger = CriteriaSet([Criterion("ANGER", "Anger", "The writer is angry.")], About())
    replace_criteria(context.store, anger, by=None)
    shown = overview(context, context.store.reviewer("local"))["model"]
    assert (shown["rows"], shown["without"]) == ([], ["Anger"])


def test_overview_shows_the_model_beside_the_baselines(context: Context) -> None:
    def scores(f1: float) -> dict[str, Any]:
        return {"f1": f1, "precision": f1, "recall": f1, "f1_interval": {"low": f1 - 0.1, "high": f1 + 0.1}}

    def evaluation(f1: float) -> dict[str, Any]:
        bins = [{"low": 0, "high": 1, "count": 3, "mean_score": 0.5, "share_positive": 0.4}]
        return {
            "posts": 9, "pairs": 81, "macro": scores(f1), "micro": scores(f1), "span_overlap": scores(f1),
            "no_evidence_accuracy": 0.9, "criteria": {}, "sentence_calibration": {"ece": 0.02, "bins": bins},
        }  # fmt: skip

    metrics = {"test": evaluation(0.8), "beside": {"keywords": {"test": evaluation(0.4)}}}
    context.store.update_model("bundled", metrics=metrics)
    model = overview(context, context.store.reviewer("local"))["model"]
    assert [(row["name"], row["macro_f1"]) for row in model["rows"]] == [
        ("This model (bundled)", 0.8),
        ("Keyword list", 0.4),
    ]
    assert (model["set"], model["posts"], len(model["bins"])) == ("test", 9, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "Paste some text"), (" \n\t", "Paste some text"), ("x" * (MAX_CHARACTERS + 1), "20,001 characters")],
)
def test_text_that_cannot_be_tried_is_refused_before_the_model_is_asked(
    context: Context, text: str, words: str
) -> None:
    with pytest.raises(InvalidRecord, match=words):
        predict_text(context, text)


def test_trying_without_a_model_says_so(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotator.ui.try_it.MODEL_PATIENCE_SECONDS", 0.01)
    with pytest.raises(ModelUnusable, match="still loading"):
        predict_text(context, "I cannot sleep.")


@pytest.mark.slow
def test_a_text_is_highlighted_and_nothing_of_it_is_stored(context: Context) -> None:
    context.models.start()
    try:
        context.models.wait_until_settled(300)
        shown = predict_text(context, "I have not slept for weeks 😞.\r\nThe dog is well.")
    finally:
        context.models.stop()
    assert "".join(piece for piece, _ in shown["pieces"]) == "I have not slept for weeks 😞.\r\nThe dog is well."
    assert len(shown["criteria"]) == 9
    with context.store.read() as db:
        assert db.execute("SELECT count(*) FROM post WHERE text LIKE '%slept for weeks%'").fetchone()[0] == 0


def test_ones_own_project_begins_only_when_agreed(context: Context) -> None:
    with pytest.raises(InvalidRecord, match="Tick the box"):
        start_own_project(context, None, agreed=False, by="local")
    assert context.store.count_posts() > 0


def test_ones_own_project_has_ones_own_criteria_and_no_demo_posts(context: Context, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("- {id: HOPE, text: The writer hopes.}\n")
    start_own_project(context, own, agreed=True, by="local")
    assert context.store.count_posts() == 0
    assert [c.id for c in context.store.criteria()] == ["HOPE"]
    assert context.store.active_model() is not None


def test_a_bad_criteria_file_leaves_the_demo_project_as_it_was(context: Context, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("nothing of use")
    with pytest.raises(EvidenceError, match="no list of criteria"):
        start_own_project(context, own, agreed=True, by="local")
    assert context.store.count_posts() == len(demo_posts())
