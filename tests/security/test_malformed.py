"""Arguments of another form, from people who are signed in: one clear refusal, no trace, no post text in the log."""

from __future__ import annotations

import logging
import random

import pytest

from tests.security import fuzzing
from tests.security.people import Guarded

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
MESSAGES = 500
CALLS = 60
FOUND = ("accepted", "refused", "done", "error", "refused 400", "refused 403", "refused 422")


@pytest.fixture(autouse=True)
def prepared(site: Guarded) -> None:
    fuzzing.prepare(site)


def assert_quiet(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither our log nor what Gradio prints holds a trace or what was sent."""
    printed = "".join(capfd.readouterr())
    assert "Traceback" not in printed
    assert fuzzing.SECRET not in printed
    ours = [record for record in caplog.records if not record.name.startswith("httpx")]
    assert [record for record in ours if record.exc_info or record.levelno >= logging.ERROR] == []
    assert [record for record in ours if fuzzing.SECRET in record.getMessage()] == []


def test_every_question_of_a_page_is_known_here(site: Guarded) -> None:
    assert site.questions() == set(fuzzing.GOOD)


def test_a_message_of_the_right_form_is_answered(site: Guarded) -> None:
    fine = [
        "review_start",
        "review_item",
        "review_opened",
        "review_save",
        "review_find",
        "review_history",
        "posts_find",
        "posts_ids",
    ]
    with site.client("adam") as adam:
        for name in [*fine, "posts_assign", "posts_unassign", "posts_job", "adjudicate_queue", "guidelines_read"]:
            message = {} if name == "posts_job" else fuzzing.GOOD[name]
            answer = fuzzing.ask(adam, name, message).json()
            assert answer["ok"], (name, answer)


def test_a_message_of_another_form_is_refused_in_one_line(
    site: Guarded, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with site.client("adam") as adam:
        came = fuzzing.ask_wrongly(adam, random.Random(7), MESSAGES)
        told = fuzzing.ask(adam, "review_skip", {"post_id": [fuzzing.SECRET]}).json()["error"]
    assert set(came) <= set(FOUND), came
    assert came["refused"] > MESSAGES / 3
    assert told == "This cannot be read (post_id: Input should be a valid string.) Load the page again."
    assert_quiet(caplog, capfd)
    assert "review_skip was asked in another form than it takes: 'post_id' string_type" in caplog.messages


def test_a_call_that_gradio_cannot_read_is_refused_in_one_line(
    site: Guarded, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with site.client("adam") as adam:
        came = fuzzing.call_wrongly(site, adam, random.Random(7), CALLS)
    assert set(came) <= set(FOUND), came
    assert came["error"] > CALLS / 4
    assert_quiet(caplog, capfd)


def test_half_a_character_costs_no_decision(site: Guarded) -> None:
    """A note that was cut within an emoji is stored, with a sign in place of the half."""
    version = max(c.version for c in site.app.project.store.criterion_versions(fuzzing.CRITERION))
    decision = {**fuzzing.DECISION, "post_id": "p3", "criterion_version": version, "op_id": "half.0"}
    decision |= {"note": "so tired \ud83d"}
    with site.client("eva") as eva:
        result = fuzzing.ask(eva, "review_save", {"decisions": [decision]}).json()["results"][0]
    assert result["ok"], result
    assert site.app.project.store.annotations_of("p3", "eva")["SLEEP_ISSUES"].note == "so tired \ufffd"
