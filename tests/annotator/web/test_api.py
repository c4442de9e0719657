"""The API's use cases and its plain HTTP, without a model and without a server: who may, what comes back, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from annotator.models.serving import ModelService
from annotator.problems import Busy, Problem, TooManyRequests, problem_of
from annotator.project import Project
from annotator.review import history
from annotator.settings import Settings
from annotator.web.api.endpoints import ENDPOINTS, MAX_CHARACTERS, Api
from annotator.web.api.limits import RateLimit, Slots
from annotator.web.api.routes import LARGEST_BODY_BYTES, api_routes
from annotator.web.gate import PERSON
from storage.attributes import Attributes, Scale
from storage.jobs import Jobs
from storage.records import EvidenceError, JobKind, ModelVersion, Reviewer, Role, SpanOrigin
from storage.store import Store
from tests.builders import MOOD, SLEEP, a_post, a_prediction
from tests.test_architecture import loaded_after

ANA, ADJUDICATOR, ADMIN = Reviewer("ana"), Reviewer("ada", Role.ADJUDICATOR), Reviewer("adam", Role.ADMIN)
PEOPLE: dict[str, Reviewer | None] = {"nobody": None, "reviewer": ANA, "adjudicator": ADJUDICATOR, "admin": ADMIN}
MODEL = ModelVersion("m1", "m1")


@pytest.fixture
def api(store: Store) -> Api:
    """An API over two posts, of which p1 has predictions of the model in service, which is not loaded."""
    post = a_post()
    store.add_posts([post, a_post("Nothing to see here. Really not.", id="p2")])
    store.add_predictions([a_prediction(post, "I cannot sleep."), a_prediction(post, criterion=MOOD)])
    store.add_model(MODEL)
    store.activate_model(MODEL.id, by=None)
    store.ensure_reviewer("ada", Role.ADJUDICATOR)
    store.ensure_reviewer("adam", Role.ADMIN)
    return an_api(store)


def an_api(store: Store, **settings: Any) -> Api:
    chosen = Settings(data_dir=store.path.parent, **settings)
    return Api(Project(chosen, store, Jobs(store)), ModelService(store, chosen))


def client_of(api: Api, person: Reviewer | None) -> TestClient:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await routes({**scope, PERSON: person}, receive, send)

    routes = Starlette(routes=api_routes(api))
    return TestClient(app, raise_server_exceptions=False)


def decision(**changes: Any) -> dict[str, Any]:
    given = {"post_id": "p1", "criterion": SLEEP.id, "verdict": "no_evidence", "expected_revision": 0}
    return {**given, **changes}


def error_of(answer: Any) -> tuple[int, str]:
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"]["message"]
    return answer.status_code, answer.json()["error"]["code"]


def problem_with(api: Api, name: str, given: dict[str, Any]) -> Problem:
    with pytest.raises(EvidenceError) as raised:
        api.call(name, ADMIN, given)
    return problem_of(raised.value)


# --- who may


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "posts": ("GET", {}),
    "next": ("GET", {}),
    "annotate": ("POST", decision()),
    "export": ("GET", {"format": "gold"}),
    "jobs": ("GET", {}),
    "models": ("GET", {}),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("who", PEOPLE)
def test_each_endpoint_is_for_whom_the_page_is(api: Api, name: str, who: str) -> None:
    method, given = CALLS[name]
    body = {"json": given} if method == "POST" else {"params": given}
    answer = client_of(api, PEOPLE[who]).request(method, f"/api/v1/{name}", **body)
    allowed = who != "nobody" and (name not in ("export", "jobs") or who != "reviewer")
    assert answer.status_code == (200 if allowed else 403)
    if not allowed:
        assert error_of(answer) == (403, "not_allowed")


def test_a_person_who_was_disabled_a_moment_ago_is_refused(api: Api, store: Store) -> None:
    store.update_reviewer("ana", disabled=True)
    for name, (method, given) in CALLS.items():
        body = {"json": given} if method == "POST" else {"params": given}
        assert error_of(client_of(api, ANA).request(method, f"/api/v1/{name}", **body)) == (403, "not_allowed")


def test_a_reviewer_sees_the_model_in_service_and_a_curator_all(api: Api, store: Store) -> None:
    store.add_model(ModelVersion("m2", "m2"))
    assert [m["id"] for m in client_of(api, ANA).get("/api/v1/models").json()["models"]] == ["m1"]
    assert [m["id"] for m in client_of(api, ADMIN).get("/api/v1/models").json()["models"]] == ["m2", "m1"]


def test_the_public_demo_has_predict_only(store: Store) -> None:
    client = client_of(an_api(store, demo=True), Reviewer("visitor-1"))
    assert [e["name"] for e in client.get("/api/v1").json()["endpoints"]] == ["predict"]
    for name, (method, given) in CALLS.items():
        body = {"json": given} if method == "POST" else {"params": given}
        assert error_of(client.request(method, f"/api/v1/{name}", **body)) == (404, "not_found")
    assert error_of(client.get("/api/v1/exports/aaaaaaaaaaaaaaaaaaaaaaaa")) == (403, "not_allowed")


# --- what comes back


def test_the_endpoints_describe_themselves(api: Api) -> None:
    described = client_of(api, ANA).get("/api/v1").json()["endpoints"]
    assert [e["name"] for e in described] == [e.name for e in ENDPOINTS]
    assert all(e["description"] and all(a["description"] for a in e["arguments"]) for e in described)
    assert next(e for e in described if e["name"] == "export")["roles"] == ["adjudicator", "admin"]


def test_posts_come_in_pages(api: Api) -> None:
    first = client_of(api, ANA).get("/api/v1/posts", params={"limit": 1}).json()
    second = client_of(api, ANA).get("/api/v1/posts", params={"limit": 1, "offset": 1}).json()
    assert (first["total"], first["limit"], second["offset"]) == (2, 1, 1)
    assert {first["posts"][0]["post_id"], second["posts"][0]["post_id"]} == {"p1", "p2"}
    assert client_of(api, ANA).get("/api/v1/posts", params={"query": "dog"}).json()["total"] == 1


def test_next_gives_text_criteria_and_what_the_model_proposes(api: Api) -> None:
    item = client_of(api, ANA).get("/api/v1/next", params={"order": "uncertain"}).json()["item"]
    assert item["post"]["text"] == "I cannot sleep. The dog is well."
    sleep = item["criteria"][0]
    assert (sleep["id"], sleep["revision"], sleep["verdict"]) == (SLEEP.id, 0, None)
    assert sleep["proposed"] == [{"start": 0, "end": 15, "text": "I cannot sleep.", "score": 0.8}]
    other = client_of(api, ANA).get("/api/v1/next", params={"exclude": "p1"}).json()
    assert other["item"]["post"]["id"] == "p2"
    assert client_of(api, ANA).get("/api/v1/next", params={"exclude": ["p1", "p2"]}).json()["item"] is None


@pytest.mark.parametrize(
    ("spans", "origin", "rejected"),
    [
        ([{"start": 0, "end": 15}], SpanOrigin.ACCEPTED, 0),
        ([{"start": 2, "end": 14}], SpanOrigin.ADJUSTED, 0),
        ([[16, 32]], SpanOrigin.ADDED, 1),
    ],
)
def test_a_decision_is_taken_against_what_the_model_proposed(
    api: Api, store: Store, spans: list[Any], origin: SpanOrigin, rejected: int
) -> None:
    answer = client_of(api, ANA).post("/api/v1/annotate", json=decision(verdict="evidence", spans=spans))
    assert (answer.status_code, answer.json()["revision"]) == (200, 1)
    stored = store.annotations_of("p1", "ana")[SLEEP.id]
    assert [s.origin for s in stored.spans] == [origin]
    assert (len(stored.rejected), stored.undecided, stored.model_version) == (rejected, (), "m1")


def test_no_evidence_rejects_what_was_proposed_and_unsure_leaves_it_open(api: Api, store: Store) -> None:
    client = client_of(api, ANA)
    client.post("/api/v1/annotate", json=decision(verdict="unsure"))
    assert len(store.annotations_of("p1", "ana")[SLEEP.id].undecided) == 1
    client.post("/api/v1/annotate", json=decision(expected_revision=1))
    assert len(store.annotations_of("p1", "ana")[SLEEP.id].rejected) == 1
    shown = client.get("/api/v1/next", params={"post_id": "p1"}).json()["item"]["criteria"][0]
    assert (shown["verdict"], shown["revision"], shown["proposed"]) == ("no_evidence", 2, [])


def test_a_decision_on_an_old_revision_is_a_conflict_that_shows_the_stored_answer(api: Api, store: Store) -> None:
    client = client_of(api, ANA)
    client.post("/api/v1/annotate", json=decision(note="first"))
    answer = client.post("/api/v1/annotate", json=decision(verdict="unsure"))
    assert error_of(answer) == (409, "conflict")
    assert answer.json()["error"]["current_revision"] == 1
    assert answer.json()["error"]["current"]["note"] == "first"
    assert len(store.history("p1", criterion_id=SLEEP.id)) == 1


def test_a_repeated_decision_is_stored_once_and_can_be_undone_on_the_page(api: Api, store: Store) -> None:
    client = client_of(api, ANA)
    answers = [client.post("/api/v1/annotate", json=decision(op_id="mine.1")).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(store.history("p1", criterion_id=SLEEP.id)) == 1
    assert client_of(api, ADMIN).post("/api/v1/annotate", json=decision(op_id="mine.1")).status_code == 200
    assert history.undo(store, ANA, "g1")["post_id"] == "p1"
    assert store.annotations_of("p1", "ana")[SLEEP.id].verdict is None


def test_others_answers_are_shown_after_ones_own_only(api: Api) -> None:
    client_of(api, ADMIN).post("/api/v1/annotate", json=decision())

    def others() -> list[Any]:
        item = client_of(api, ANA).get("/api/v1/next", params={"post_id": "p1"}).json()["item"]
        return [o["reviewer"] for o in item["criteria"][0]["others"]]

    assert others() == []
    client_of(api, ANA).post("/api/v1/annotate", json=decision())
    assert others() == ["adam"]


def test_an_export_is_a_file_and_leaves_nothing_behind(api: Api, store: Store) -> None:
    client_of(api, ANA).post("/api/v1/annotate", json=decision())
    answer = client_of(api, ADMIN).get("/api/v1/export", params={"format": "gold"})
    assert answer.headers["content-disposition"] == 'attachment; filename="evidence-gold.jsonl"'
    assert '"no_evidence"' in answer.text
    assert list((store.path.parent / "exports").iterdir()) == []


def test_a_prepared_export_names_no_place_on_the_machine(api: Api, store: Store) -> None:
    made = api.call("export", ADMIN, {"format": "gold", "unreviewed": True})
    assert str(store.path.parent) not in str(made)
    assert client_of(api, ADMIN).get("/" + made["url"]).text.count("\n") == 2
    assert error_of(client_of(api, ANA).get("/" + made["url"])) == (403, "not_allowed")
    assert error_of(client_of(api, ADMIN).get("/api/v1/exports/..%2f..%2fevidence.db")) == (404, "not_found")


def test_jobs_are_listed_and_one_is_shown_with_its_result(api: Api, store: Store) -> None:
    jobs = Jobs(store)
    for _ in range(3):
        jobs.enqueue(JobKind.EVALUATE, {}, by="adam")
    client = client_of(api, ADMIN)
    assert [j["id"] for j in client.get("/api/v1/jobs", params={"limit": 2, "offset": 1}).json()["jobs"]] == [2, 1]
    assert client.get("/api/v1/jobs", params={"status": "done"}).json()["jobs"] == []
    assert client.get("/api/v1/jobs", params={"job_id": 3}).json()["jobs"][0]["result"] is None
    assert error_of(client.get("/api/v1/jobs", params={"job_id": 99})) == (404, "not_found")


# --- what is refused


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("predict", {}),
        ("predict", {"text": " \n"}),
        ("predict", {"text": "x" * (MAX_CHARACTERS + 1)}),
        ("predict", {"text": "half \ud83d of a pair"}),
        ("predict", {"text": "a NUL \x00"}),
        ("predict", {"text": 7}),
        ("predict", {"text": "x", "threshold": 2}),
        ("predict", {"text": "x", "threshold": "high"}),
        ("predict", {"text": "x", "criteria": [1]}),
        ("predict", {"text": "x", "colour": "red"}),
        ("posts", {"limit": 0}),
        ("posts", {"limit": 101}),
        ("posts", {"limit": "many"}),
        ("posts", {"limit": True}),
        ("posts", {"offset": -1}),
        ("posts", {"offset": 10**12}),
        ("posts", {"order": "alphabetical"}),
        ("posts", {"state": "half"}),
        ("posts", {"query": "***"}),
        ("posts", {"min_score": "nan"}),
        ("annotate", {"post_id": "p1"}),
        ("annotate", decision(verdict="maybe")),
        ("annotate", decision(verdict="evidence")),
        ("annotate", decision(verdict="evidence", spans=[{"start": 5, "end": 5}])),
        ("annotate", decision(verdict="evidence", spans=[{"start": 0, "end": 9999}])),
        ("annotate", decision(verdict="evidence", spans=[{"start": "0", "end": 3}])),
        ("annotate", decision(verdict="evidence", spans=["0-3"])),
        ("annotate", decision(verdict="evidence", spans=[[n, n + 1] for n in range(501)])),
        ("annotate", decision(criterion_version=99)),
        ("annotate", decision(expected_revision=None)),
        ("annotate", decision(op_id="x" * 300)),
        ("export", {"format": "docx"}),
        ("export", {"answers": "best"}),
        ("jobs", {"kind": "bake"}),
        ("jobs", {"status": "late"}),
        ("models", {"limit": -1}),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line(api: Api, name: str, given: dict[str, Any]) -> None:
    problem = problem_with(api, name, given)
    assert (problem.status, problem.code) == (400, "bad_request")
    assert problem.message.endswith(".")
    assert "Traceback" not in problem.message


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("predict", {"text": "x", "criteria": ["NOPE"]}),
        ("next", {"post_id": "nope"}),
        ("annotate", decision(post_id="nope")),
        ("annotate", decision(criterion="NOPE")),
        ("delete", {}),
        ("_criteria", {}),
        ("call", {}),
    ],
)
def test_what_is_not_there_is_said(api: Api, name: str, given: dict[str, Any]) -> None:
    problem = problem_with(api, name, given)
    assert (problem.status, problem.code) == (404, "not_found")


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"method": "GET", "url": "/api/v1/annotate"}, 405, "method_not_allowed"),
        ({"method": "DELETE", "url": "/api/v1/posts"}, 405, "method_not_allowed"),
        ({"method": "GET", "url": "/api/v1/nothing"}, 404, "not_found"),
        ({"method": "GET", "url": "/api/v1/call"}, 404, "not_found"),
        ({"method": "GET", "url": "/api/export"}, 404, "not_found"),
        ({"method": "POST", "url": "/api/v1/predict", "data": {"text": "x"}}, 415, "unsupported_media_type"),
        ({"method": "POST", "url": "/api/v1/predict", "json": ["x"]}, 400, "bad_request"),
        ({"method": "POST", "url": "/api/v1/predict", "json": {"text": "x" * LARGEST_BODY_BYTES}}, 413, "too_large"),
        ({"method": "POST", "url": "/api/v1/predict", "json": {"text": "I cannot sleep."}}, 503, "model_not_ready"),
    ],
)
def test_plain_http_answers_with_the_status_that_fits(
    api: Api, monkeypatch: pytest.MonkeyPatch, request_: dict[str, Any], status: int, code: str
) -> None:
    monkeypatch.setattr("annotator.web.api.endpoints.MODEL_PATIENCE_SECONDS", 0.01)
    assert error_of(client_of(api, ADMIN).request(**request_)) == (status, code)


def test_a_body_that_is_no_json_is_said(api: Api) -> None:
    headers = {"content-type": "application/json"}
    for body in (b"{", b"[" * 100_000, b"\xff\xfe"):
        assert error_of(client_of(api, ADMIN).post("/api/v1/predict", content=body, headers=headers)) == (
            400,
            "bad_request",
        )


def test_what_nobody_foresaw_becomes_a_number_and_no_trace(
    api: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = " ".join(["what", "somebody", "wrote"])

    def breaks(*_: Any, **__: Any) -> None:
        raise KeyError(written)

    monkeypatch.setattr("annotator.web.api.endpoints.post_list.find_posts", breaks)
    answer = client_of(api, ADMIN).get("/api/v1/posts")
    assert error_of(answer) == (500, "internal")
    number = answer.json()["error"]["message"].rsplit(" ", 1)[1].rstrip(".")
    assert number in caplog.text
    assert written not in caplog.text + answer.text


# --- limits


def test_so_many_requests_a_minute_and_person_and_then_a_time_to_wait(store: Store) -> None:
    api = an_api(store, api_per_minute=2)
    mine, other = client_of(api, ANA), client_of(api, Reviewer("ben"))
    assert [mine.get("/api/v1/posts").status_code for _ in range(3)] == [200, 200, 429]
    answer = mine.get("/api/v1/posts")
    assert error_of(answer) == (429, "too_many_requests")
    assert 0 < int(answer.headers["retry-after"]) <= 61
    assert other.get("/api/v1/posts").status_code == 200


def test_visitors_of_the_demo_are_counted_by_their_address(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotator.web.api.endpoints.MODEL_PATIENCE_SECONDS", 0.01)
    api = an_api(store, demo=True, api_per_minute=4)
    statuses = [
        client_of(api, Reviewer(f"visitor-{n}")).post("/api/v1/predict", json={"text": "x"}).status_code
        for n in range(4)
    ]
    assert statuses == [503, 503, 429, 429]


def test_the_minute_moves_on() -> None:
    now = [0.0]
    limit = RateLimit(2, lambda: now[0])
    limit.take("a")
    now[0] = 30.0
    limit.take("a")
    with pytest.raises(TooManyRequests, match="30 seconds"):
        limit.take("a")
    now[0] = 60.0
    limit.take("a")


def test_who_waits_too_long_for_a_slot_is_told_that_it_is_busy() -> None:
    slots = Slots(1, patience=0.01)
    with slots.one(), pytest.raises(Busy, match="Too many others"), slots.one():
        pass
    with slots.one():
        pass


def test_api_and_its_limits_load_neither_torch_nor_gradio() -> None:
    assert not loaded_after("import annotator.web.api.endpoints, annotator.people.tokens, annotator.web.api.routes") & {
        "torch",
        "gradio",
    }


def test_every_endpoint_has_a_use_case_of_its_name() -> None:
    assert all(callable(getattr(Api, e.name)) for e in ENDPOINTS)


def test_programs_say_more_of_spans_and_label_posts_where_the_project_defines_it(store: Store, api: Api) -> None:
    store.replace_attributes(
        Attributes(severity=Scale("Severity", ("mild", "severe")), labels=(Scale("Risk", ("no", "yes")),))
    )
    client = client_of(api, ANA)
    said = {"severity": "severe"}
    spans = [{"start": 2, "end": 14, "attributes": said}]
    assert client.post("/api/v1/annotate", json=decision(verdict="evidence", spans=spans)).status_code == 200
    label = decision(criterion="@post", verdict="", labels=["Risk=yes"])
    assert client.post("/api/v1/annotate", json=label).status_code == 200
    item = client.get("/api/v1/next", params={"post_id": "p1"}).json()["item"]
    sleep = next(c for c in item["criteria"] if c["id"] == SLEEP.id)
    assert (sleep["spans"][0]["attributes"], item["labels"]) == (said, {"Risk": "yes"})
    beside = decision(verdict="evidence", expected_revision=1, spans=[{"start": 3, "end": 14, "severity": "mild"}])
    assert client.post("/api/v1/annotate", json=beside).status_code == 200  # as an export writes it
    (now,) = store.annotations_of("p1", ANA.name)[SLEEP.id].spans
    assert now.attributes.severity == "mild"
    bad = decision(verdict="evidence", expected_revision=2, spans=[{**spans[0], "attributes": {"severity": "worse"}}])
    assert "'worse' is no level of Severity" in client.post("/api/v1/annotate", json=bad).json()["error"]["message"]


def test_words_that_do_not_stand_at_a_spans_offsets_are_refused(store: Store, api: Api) -> None:
    """A program that counts UTF-16 units, or the end in, must not store what it did not mean."""
    text = "🙂 I cannot sleep."
    store.add_posts([a_post(text, id="p3")])
    spans = [{"start": 3, "end": 17, "text": "I cannot sleep"}]
    problem = problem_with(api, "annotate", decision(post_id="p3", verdict="evidence", spans=spans))
    assert problem.message == (
        'spans[0]: at 3:17 stands " cannot sleep.", which is not its text; start and end count code points. Its text stands at 2:16.'
    )
    assert store.annotations_of("p3", ANA.name) == {}
    right = decision(post_id="p3", verdict="evidence", spans=[{"start": 2, "end": 16, "text": "I cannot sleep"}])
    assert client_of(api, ANA).post("/api/v1/annotate", json=right).status_code == 200
