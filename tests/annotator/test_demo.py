"""The public demo over HTTP: each visitor alone with what they type and decide, and nothing of it kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from annotator.project import demo_posts
from annotator.server import App
from benchmarks.space_load import visit_all
from tests.annotator.running import running_app
from tests.annotator.visiting import Visit
from tests.threads import in_a_thread

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
LOAD_SECONDS = 300


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("demo"), demo=True, empty=False) as app:
        app.models.wait_until_settled(LOAD_SECONDS)
        yield app


@contextlib.contextmanager
def visiting(app: App) -> Iterator[Visit]:
    visit = Visit(app.url)
    with contextlib.closing(visit.client):
        yield visit


def decision(item: dict[str, Any], note: str) -> dict[str, Any]:
    criterion = item["criteria"][0]
    return {
        "post_id": item["post"]["id"],
        "criterion_id": criterion["id"],
        "criterion_version": criterion["version"],
        "verdict": "no_evidence",
        "spans": [],
        "rejected": [],
        "undecided": [],
        "note": note,
        "expected_revision": criterion["revision"],
        "op_id": note.replace(" ", "-"),
    }


def test_the_tour_is_each_visitors_own_and_can_begin_anew(demo: App) -> None:
    post_id = demo_posts()[0].id
    with visiting(demo) as one, visiting(demo) as other:
        begun = one.ask("review_start", {"post_id": post_id})
        saved = one.ask("review_save", {"decisions": [decision(begun["item"], "seen by one person only")]})
        assert saved["results"][0]["ok"] is True
        assert "seen by one person only" in str(one.ask("review_history", {"post_id": post_id}))

        start = other.ask("review_start", {"post_id": post_id})
        seen = [start, other.ask("review_history", {"post_id": post_id}), other.ask("posts_start")]
        assert "seen by one person only" not in str(seen)
        assert begun["me"]["name"] not in str(seen)
        number = one.ask("review_history", {"post_id": post_id})["history"][0]["id"]
        taken = other.ask("review_restore", {"annotation_id": number, "expected_revision": 0, "op_id": "x"})
        assert (taken["ok"], "no revision" in taken["error"]) == (False, True)

        assert one.ask("tour_anew")["ok"] is True
        assert one.ask("review_history", {"post_id": post_id})["history"] == []
    store = demo.project.store
    assert list(store.iter_annotations()) == []
    assert [r.name for r in store.reviewers()] == [demo.settings.local_reviewer]


def test_a_page_that_opens_shows_an_example_that_is_highlighted_already(demo: App) -> None:
    with visiting(demo) as visit:
        loads = [d for d in visit.config["dependencies"] if any(t[1] == "load" for t in d["targets"])]
        answers = []
        for event in loads:
            if event["backend_fn"]:
                sent = {"data": [], "fn_index": event["id"], "session_hash": visit.session}
                answers.append(visit.client.post("/gradio_api/run/predict", json=sent).raise_for_status().text)
    assert any("There is no alarm" in answer and '"pieces"' in answer for answer in answers)


def test_many_visitors_at_once_each_get_their_own_text_back(demo: App) -> None:
    load = in_a_thread(lambda: asyncio.run(visit_all(demo.url, visitors=15, requests=2)))
    assert load.errors == []
    assert (len(load.texts), load.mixed_up) == (30, 0)
    with demo.project.store.read() as db:
        assert db.execute("SELECT count(*) FROM post WHERE text LIKE 'Visitor %'").fetchone()[0] == 0


def test_when_too_many_wait_the_next_is_told_that_the_app_is_busy(demo: App) -> None:
    queue = demo.blocks._queue  # noqa: SLF001 - the demo is shared: its limit is lowered for this one call
    with visiting(demo) as visit:
        most, queue.max_size = queue.max_size, 0
        try:
            sent = {"data": ["x"], "fn_index": visit.event_of(label="Highlight"), "session_hash": visit.session}
            refused = visit.client.post("/gradio_api/queue/join", json=sent)
        finally:
            queue.max_size = most
    assert most is not None
    assert refused.status_code == 503
    assert "full" in refused.text.lower()


def test_the_model_can_be_read_about(demo: App) -> None:
    from annotator.ui.try_it import model_card

    card = model_card(demo.context)
    assert card.lstrip().startswith("# Bundled demo model")
    assert "not a medical device" in card
