"""Calls whose arguments are of another form than they should be, made from good ones; and what must not be seen of them."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx

from tests.builders import a_post
from tests.security.people import Guarded, page_of

SECRET = "Nightingale"
"""Stands in every post and in many arguments; no log may hold it."""
POST = f"I cannot sleep. {SECRET} sings."
CRITERION = "SLEEP_ISSUES"
JSON = {"content-type": "application/json"}
UNWANTED = ("Traceback", "Something went wrong", ".py", "sqlite", "status 5")
ABROAD = ("pull", "push", "fetch", "hub", "import_model")
"""Listeners that ask the Hub, and wait for it."""
BAD: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**70, 1.5, "", "\ud800", "\x00", [], [[]], {}, [None], ["\ud800"], {"a": 1}),
    *(
        SECRET,
        "../../etc/passwd",
        "9" * 400,
        "x" * 30_000,
        [SECRET] * 3,
        {"order": []},
        {"query": {}},
        {SECRET: SECRET},
    ),
    *(
        {"min_score": "nan"},
        {"query": '" OR 1=1 --'},
        {"state": "x"},
        [[0, 1, 2]],
        [[0, 2**70]],
        "[" * 2_000,
        "[0, 1e999, 2]",
    ),
)
FILTER = {"order": "uncertain", "state": "todo", "query": "sleep", "min_score": 0.1, "criterion": CRITERION}
DECISION = {
    "post_id": "p1",
    "criterion_id": CRITERION,
    "criterion_version": 1,
    "verdict": "evidence",
    "spans": [[0, 15, "adjusted", [0, 14, 0.9, 2, 14]]],
    "rejected": [[16, 27, 0.5]],
    "undecided": [],
    "model_version": None,
    "note": SECRET,
    "seconds": 1.5,
    "bulk": False,
    "undoes": None,
    "op_id": "a.0",
    "expected_revision": 0,
}
CASE = {"post_id": "p1", "criterion_id": CRITERION}
CHOSEN = {"post_ids": ["p1", "p2"]}
CHANGE = {"round": 1, "revision": 1}
PLAN = {
    **{
        "name": "pilot",
        "kind": "main",
        "people": ["eva", "jon"],
        "blind": True,
        "suggestions": "shown",
        "posts": 2,
        "source": "",
    },
    **{
        "overlap": {"1": 0.5, "2": 0.5},
        "split": None,
        "query": "sleep",
        "expects": "",
        "unread": False,
        "strata": ["source"],
    },
    **{"order": "lot", "gold_posts": 0, "deadline": "2030-12-31", "seed": 1},
}
RULES = {
    "gold": {"iou": 0.5, "spans": "latest"},
    "adjudication": {"names": False, "own": False, "error_kinds": [SECRET]},
    "reserved_minutes": 60,
}
GOOD: dict[str, dict[str, Any]] = {
    "review_start": {"filter": FILTER, "post_id": "p1"},
    "review_item": {"filter": FILTER, "post_id": "p1", "next": True, "exclude": ["p2"], "opened": "p1"},
    "review_opened": {"post_id": "p1"},
    "review_save": {"decisions": [DECISION]},
    "review_skip": {"post_id": "p2"},
    "review_assign": {"post_id": "p1"},
    "review_find": {"filter": FILTER, "limit": 30},
    "review_choices": {},
    "review_history": {"post_id": "p1"},
    "review_restore": {"annotation_id": 1, "expected_revision": 1, "op_id": "b.0"},
    "review_look_again": {"post_id": "p1", "answer": 1, "look": "kept"},
    "review_undo": {"gesture": "c", "redo": False},
    "review_neighbours": {"post_id": "p1"},
    "posts_start": {},
    "guidelines_attributes": {
        **{
            "rationale": "Why?",
            "severity": "Severity: mild, severe",
            "flags": "past, negated",
            "labels": "Risk: none, low",
        },
        "before": {"rationale": "", "severity": "", "flags": "", "labels": ""},
    },
    "posts_find": {"filter": FILTER, "limit": 50, "after": ""},
    "posts_ids": {"filter": FILTER},
    "posts_assign": {**CHOSEN, "to": "eva"},
    "posts_unassign": {**CHOSEN, "from": "eva"},
    "posts_split": {**CHOSEN, "split": "dev"},
    "posts_withdraw": {"post_ids": ["nobody-has-this-post"]},
    "posts_predict": CHOSEN,
    "posts_job": {"job": 1},
    "posts_stop": {"job": 1},
    "adjudicate_queue": {"criterion": CRITERION, "done": "1"},
    "adjudicate_case": CASE,
    "adjudicate_decide": {
        **CASE,
        **{"outcome": "evidence", "spans": [[0, 5]], "expected_revision": 0, "reason": SECRET, "error_kind": ""},
        **{"seconds": 2.5, "op_id": "d"},
    },
    "adjudicate_example": CASE,
    "thread_read": {"post_id": "p1"},
    "thread_say": {"post_id": "p1", "criterion_id": CRITERION, "text": SECRET, "what": "flagged", "op_id": "e"},
    "thread_list": {"wanted": "open"},
    "guidelines_remove_example": {"criterion_id": CRITERION, "post_id": "p1", "start": 0, "end": 5},
    "agreement_mixed_up": {"one": CRITERION, "other": CRITERION, "round": "", "csv": True},
    "agreement_report": {"round": "", "model": ""},
    "agreement_gamma": {"round": "", "criterion": CRITERION},
    "agreement_older": {"criterion": CRITERION, "person": "eva"},
    "agreement_csv": {"round": None},
    "agreement_methods": {"html": True},
    "guidelines_read": {},
    "guidelines_save": {
        "id": CRITERION,
        "name": "Sleep",
        "text": "Sleeps.",
        "guideline": "",
        "examples": "I lie awake.",
        "counterexamples": ["I slept."],
        "active": True,
        "version": 1,
    },
    "guidelines_order": {"ids": [CRITERION]},
    "mine_read": {},
    "people_list": {},
    "people_invite": {"name": "zoe", "role": "reviewer", "days": 7},
    "people_reset": {"name": "zoe"},
    "people_withdraw": {"name": "zoe"},
    "people_role": {"name": "zoe", "role": "reviewer"},
    "people_enable": {"name": "zoe", "enabled": True},
    "people_end_sessions": {"name": "zoe"},
    "team_start": {},
    "team_round": {"round": 1},
    "team_preview": {"plan": PLAN},
    "team_make": {"plan": PLAN},
    "team_people": {**CHANGE, "people": ["eva"]},
    "team_move": {**CHANGE, "from": "eva", "to": "jon", "posts": 1},
    "team_fill": CHANGE,
    "team_deadline": {**CHANGE, "deadline": "2030-12-31"},
    "team_close": {**CHANGE, "closed": True},
    "team_rules": {"rules": RULES, "shown": RULES},
}
"""A message of the right form for everything that pages ask for by name."""


def mutations(message: Any) -> Iterator[Any]:
    """The message with one thing in it, at any depth, replaced by each bad value or left out."""
    if isinstance(message, dict | list):
        for key in list(message) if isinstance(message, dict) else range(len(message)):
            without = copy.copy(message)
            del without[key]
            yield without
            for inside in [*BAD, *mutations(message[key])]:
                changed = copy.copy(message)
                changed[key] = inside
                yield changed


def prepare(site: Guarded) -> None:
    """The posts that the messages name."""
    from annotator.project import default_criteria

    store = site.app.project.store
    if not store.criteria():
        store.save_criteria(default_criteria())
    store.add_posts(a_post(POST, id=f"p{number}") for number in range(1, 4))


def ask(client: httpx.Client, name: str, message: Any) -> httpx.Response:
    body = json.dumps(message).encode()  # half characters travel as escapes, as browsers send them
    return client.post(f"/ask/{name}", content=body, headers=JSON)


def what_is_wrong(answer: httpx.Response) -> str:
    """Why this is no way to answer a call of another form; '' if it is."""
    if answer.status_code >= 500:
        return f"status {answer.status_code}"
    return next((f"{seen} in {answer.text[:200]}" for seen in UNWANTED if seen in answer.text), "")


def ask_wrongly(client: httpx.Client, chance: random.Random, count: int) -> Counter[str]:
    """What came of so many messages of another form: accepted, refused, or a fault in words."""
    messages = [(name, wrong) for name, good in GOOD.items() for wrong in mutations(good)]
    came: Counter[str] = Counter()
    for name, message in chance.sample(messages, min(count, len(messages))):
        answer = ask(client, name, message)
        fault = what_is_wrong(answer)
        came[f"{name}: {fault}" if fault else "accepted" if answer.json().get("ok") else "refused"] += 1
    return came


def call_wrongly(site: Guarded, client: httpx.Client, chance: random.Random, count: int) -> Counter[str]:
    """What came of so many calls of listeners with random arguments."""
    came: Counter[str] = Counter()
    numbers = [n for n, fn in site.blocks.fns.items() if not any(word in str(fn.api_name) for word in ABROAD)]
    for _ in range(count):
        number = chance.choice(numbers)
        told = outcome(client, _listener_call(site, number, client, chance))
        fault = next((seen for seen in UNWANTED if seen in told), "")
        came[
            f"listener {number} {site.blocks.fns[number].api_name}: {told[:200]}" if fault else told.split(":")[0]
        ] += 1
    return came


def _listener_call(site: Guarded, number: int, client: httpx.Client, chance: random.Random) -> dict[str, Any]:
    inputs = site.blocks.fns[number].inputs
    count = max(0, len(inputs) + chance.choice((0, 0, 0, 0, -1, 1)))
    data = chance.choice((None, "x", {})) if chance.random() < 0.03 else [chance.choice(BAD) for _ in range(count)]
    call = {"data": data, "fn_index": number, "session_hash": page_of(client)}
    if chance.random() < 0.2:
        call |= {"event_data": chance.choice(BAD), "trigger_id": chance.choice(BAD)}
    return call


def outcome(client: httpx.Client, call: dict[str, Any]) -> str:
    """What comes of a call: the refusal, or what the page is told at the end."""
    joined = client.post("/gradio_api/queue/join", content=json.dumps(call).encode(), headers=JSON)
    if joined.status_code != 200:
        return what_is_wrong(joined) or f"refused {joined.status_code}"
    event = joined.json()["event_id"]
    with client.stream("GET", f"/gradio_api/queue/data?session_hash={page_of(client)}") as events:
        for line in events.iter_lines():
            told = json.loads(line[6:]) if line.startswith("data: ") else {}
            if told.get("event_id") == event and told["msg"] == "process_completed":
                return "done" if told["success"] else f"error: {(told.get('output') or {}).get('error')}"
    return "Something went wrong: nothing came"
