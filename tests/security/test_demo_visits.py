"""Two visitors of the public demo: whatever one of them does, nothing of it is in any answer to the other, nor in the database."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from annotator.server import App
from tests.annotator.running import running_app
from tests.security import fuzzing
from tests.security.fuzzing import SECRET

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
READ = (
    "/",
    "/config",
    "/api/v1",
    "/api/v1/posts",
    "/api/v1/next",
    "/api/v1/jobs",
    "/api/v1/models",
    "/status",
    "/healthz",
)
CLOSED = ("/api/v1/export", "/models/x.zip", "/imports/1/report", "/tokens", "/export/x")
ADMINS = ("guidelines_save", "guidelines_order", "posts_split", "posts_withdraw")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("demo"), demo=True, empty=False) as app:
        yield app


@pytest.fixture
def visitors(demo: App) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    with httpx.Client(base_url=demo.url, timeout=120) as one, httpx.Client(base_url=demo.url, timeout=120) as other:
        for client in (one, other):
            assert client.get("/").status_code == 200
        yield one, other


def decide(client: httpx.Client, post_id: str, criterion: str) -> None:
    """The visitor says that they are unsure, with a note."""
    item = fuzzing.ask(client, "review_item", {"post_id": post_id}).json()["item"]
    shown = next(c for c in item["criteria"] if c["id"] == criterion)
    decision = {
        **fuzzing.DECISION,
        **{
            "post_id": post_id,
            "criterion_id": criterion,
            "criterion_version": shown["version"],
            "op_id": f"{post_id}.0",
        },
        **{"verdict": "unsure", "spans": [], "rejected": shown["undecided"], "note": f"{SECRET} {post_id}"},
    }
    result = fuzzing.ask(client, "review_save", {"decisions": [decision]}).json()["results"][0]
    assert result["ok"], result


def test_nothing_of_a_visit_is_in_an_answer_to_another(demo: App, visitors: tuple[httpx.Client, httpx.Client]) -> None:
    one, other = visitors
    store = demo.project.store
    post_ids = [post.id for post in store.iter_posts()][:3]
    for post_id in post_ids:
        decide(one, post_id, store.criteria()[0].id)
    assert SECRET in fuzzing.ask(one, "review_history", {"post_id": post_ids[0]}).text
    seen = {}
    for name in sorted(demo.context.answers):
        for post_id in post_ids:
            message = {key: "mine" if value == SECRET else value for key, value in fuzzing.GOOD.get(name, {}).items()}
            message |= {key: post_id for key in ("post_id",) if key in message}
            seen[name, post_id] = fuzzing.ask(other, name, message)
    for path in READ:
        seen["GET", path] = other.get(path)
    assert [key for key, answer in seen.items() if SECRET in answer.text] == []
    assert [key for key, answer in seen.items() if answer.status_code >= 500] == []
    on_disk = b"".join(file.read_bytes() for file in demo.settings.data_dir.glob("evidence.db*"))
    assert SECRET.encode() not in on_disk


def test_a_visitor_reaches_nothing_that_belongs_to_the_project(
    demo: App, visitors: tuple[httpx.Client, httpx.Client]
) -> None:
    one, _ = visitors
    assert {
        path: one.get(path).status_code for path in CLOSED if one.get(path).status_code not in (401, 403, 404)
    } == {}
    for name in ADMINS:
        assert fuzzing.ask(one, name, fuzzing.GOOD[name]).json()["ok"] is False, name
    assert one.post("/gradio_api/upload", files={"files": ("x.csv", b"text\nx")}).status_code == 403
    before = [c.version for c in demo.project.store.criteria()]
    assert before == [1] * len(before)
