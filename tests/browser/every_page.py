"""Every page in every state: the projects they are seen in, how they are reached, and what axe finds there."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotator.people import invitations
from annotator.people.accounts import Accounts
from annotator.project import STARTED, default_criteria
from annotator.review.about import save_about
from annotator.teams import rounds
from annotator.teams.rounds import RoundPlan
from annotator.training.promotion import PromotionRule
from annotator.training.run import TrainingWish, enqueue_training
from storage.criteria_file import criteria_set_of_text
from storage.jobs import Jobs
from storage.records import (
    AnnotatedSpan,
    Annotation,
    JobKind,
    JobStatus,
    ModelVersion,
    Post,
    Prediction,
    Role,
    Span,
    Split,
    Verdict,
)
from storage.store import Store, open_store
from tests.annotator.reviewed_project import QUICK, a_reviewed_project
from tests.browser.conftest import running_app
from tests.browser.gestures import press

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
WIDTHS = {1280: 800, 640: 400, 390: 844, 320: 480}
SCHEMES: dict[str, dict[str, str]] = {
    "light": {"color_scheme": "light", "forced_colors": "none"},
    "dark": {"color_scheme": "dark", "forced_colors": "none"},
    "forced": {"color_scheme": "dark", "forced_colors": "active"},
}
PATIENCE_MS = 120_000
RUN = """async () => (await axe.run('html', {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}))
  .violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.target.join(' ') + ' ' + (n.any[0]?.message ?? '')))"""
STILL = "*, *::before, *::after { transition: none !important; animation: none !important; }"
SETTLED = "window.evidenceOpened === true"
TEXTS = (
    "I have not slept more than three hours since the move. Nothing tastes of anything. My sister asked what I was looking"
    " forward to and I could not name one thing. Work is fine, people are kind. Still I lie there and count the cars.",
    "The bees are quiet in winter. I cannot sleep at night and in the morning everything feels grey and empty.",
    "Ich kann seit Wochen nicht mehr schlafen und alles ist grau. Morgens komme ich nicht aus dem Bett und weiss nicht, wozu.",
)
MARKS = {
    "SLEEP_ISSUES": ("I have not slept more than three hours since the move.", "I cannot sleep at night"),
    "APPETITE_CHANGE": ("Nothing tastes of anything.",),
    "ANHEDONIA": ("My sister asked what I was looking forward to and I could not name one thing.",),
    "DEPRESSED_MOOD": ("everything feels grey and empty.",),
}
ADVERTS = (
    "We are looking for a nurse with three years on a ward. You speak Dutch. Shifts are planned a month ahead.",
    "Our bakery needs somebody who likes early mornings. No experience needed; we teach you. Driving licence welcome.",
)
JOBS = """
about:
  subject: requirements in job advertisements
  language: en
  notice: Mark what an applicant must bring.
  reminder: It reads advertisements. It does not judge people.
criteria:
  - {id: EXPERIENCE, name: Experience, text: The advertisement asks for experience., guideline: Mark what is asked for.,
     examples: [two years in a kitchen], counterexamples: [we have been in business for two years]}
  - {id: LANGUAGE, name: Language, text: The advertisement asks for a language., guideline: Mark the language and its level.}
  - {id: LICENCE, name: Licence or certificate to be shown before the first day, text: A licence is asked for., guideline: Mark it.}
"""
TABLE = "nr,body,where_from\nw1,I cannot sleep and the nights are long.,forum\nw2,The dog is well.,clinic\n"


@dataclass(frozen=True, slots=True)
class State:
    """A page as somebody may meet it. project: the key of the app that it is seen in. prepare: what brings it there."""

    name: str
    project: str
    path: str
    prepare: Callable[[Any], None] = lambda page: None
    begun: bool = True


def _ready(page: Any) -> None:
    page.wait_for_selector('.ev[data-state="ready"]')


def _keys(*keys: str, until: str = "") -> Callable[[Any], None]:
    def act(page: Any) -> None:
        _ready(page)
        page.evaluate("document.querySelector('.ev').focus()")
        press(page, *keys)
        if until:
            page.wait_for_selector(until)

    return act


def _seen(selector: str) -> Callable[[Any], None]:
    return lambda page: page.wait_for_selector(selector)


def _try(text: str, until: str) -> Callable[[Any], None]:
    def act(page: Any) -> None:
        page.fill("#try-text textarea", text)
        page.click("#page-try button:has-text('Highlight')")
        page.wait_for_selector(until)

    return act


def _section(name: str) -> Callable[[Any], None]:
    def act(page: Any) -> None:
        page.wait_for_selector("#import-run", state="attached")
        page.get_by_role("tab", name=name, exact=True).click()

    return act


def _file(check: bool) -> Callable[[Any], None]:
    def act(page: Any) -> None:
        page.wait_for_selector("#import-run")
        file = {"name": "week.csv", "mimeType": "text/csv", "buffer": TABLE.encode()}
        page.set_input_files("#import-file input[type=file]", file)
        page.locator("#import-preview >> text=I cannot sleep").first.wait_for()
        if check:
            page.click("text=Check the whole file")
            page.wait_for_function(
                "document.querySelector('#import-result textarea').value.includes('would be imported')"
            )

    return act


def _export(page: Any) -> None:
    _section("Export")(page)
    page.click("#export-run")
    page.wait_for_selector("#export-download")


def _open_all(page: Any) -> None:
    page.wait_for_selector("#retrain-models table")
    for name in ("All settings", "Automatic learning and clearing up"):
        page.get_by_text(name, exact=True).click()


def _wrong_password(page: Any) -> None:
    page.fill("[name=name]", "ana")
    page.fill("[name=password]", "wrong")
    page.click("button")
    page.wait_for_selector("p.note")


def _sign_in(page: Any) -> None:
    page.fill("[name=name]", "ana")
    page.fill("[name=password]", "correct horse battery")
    page.click("button")
    page.wait_for_function(SETTLED)


def _tokens(page: Any) -> None:
    _sign_in(page)
    page.goto(page.url.split("?")[0] + "tokens")
    page.wait_for_selector("main.wide")


def _lead(tab: str, act: Callable[[Any], None]) -> Callable[[Any], None]:
    """The page of somebody who is signed in."""

    def reach(page: Any) -> None:
        _sign_in(page)
        page.goto(page.url.split("?")[0] + "?tab=" + tab)
        page.wait_for_function(SETTLED)
        act(page)

    return reach


def _new_round(page: Any) -> None:
    page.click("#team button:has-text('New round')")
    page.fill("#team .ev-new [name=name]", "second reading")
    page.check("#team .ev-new [name=people] >> nth=0")
    page.check("#team .ev-new [name=people] >> nth=1")
    page.click("#team button:has-text('Show who gets what')")
    page.wait_for_selector("#team .ev-outcome table")


def _round(page: Any) -> None:
    page.click("#team button[aria-label='More about first reading']")
    page.wait_for_selector("#team .ev-round-body")


def _link(page: Any) -> None:
    page.fill("#people [name=name]", "dora")
    page.click("#people button:has-text('Make a link')")
    page.wait_for_selector("#people [data-part=link]:not([hidden]) input")


STATES = (
    State("review", "site", "/?post=p0", _keys("4", "a", "o")),
    State("review-notice", "site", "/?post=p0", _seen("text=Before you begin"), begun=False),
    State("review-one-criterion", "site", "/?post=p0", _keys("3")),
    State("review-edges", "site", "/?post=p0", _keys("4", "j", "e")),
    State("review-caret", "site", "/?post=p0", _keys("c", "ArrowDown", "Shift+ArrowDown")),
    State("review-whole", "site", "/?post=p0", _keys("v")),
    State("review-summary", "site", "/?post=p0", _keys("Shift+Enter", until="dialog[open]")),
    State("review-help", "site", "/?post=p0", _keys("?", until=".ev-keys")),
    State("review-queue", "site", "/?post=p0", _keys("/", until="dialog[open]")),
    State("review-history", "site", "/?post=p1", _keys("4", "a", "h", until=".ev-history")),
    State("review-language", "site", "/?post=p2", _ready),
    State("review-nothing-left", "empty", "/", _seen(".ev-empty:not(:empty)")),
    State("posts", "site", "/?tab=posts", _seen("#posts-list tbody tr")),
    State("posts-empty", "empty", "/?tab=posts", _seen("#posts-list")),
    State(
        "adjudicate",
        "site",
        "/?tab=adjudicate",
        _seen("#adjudicate .ev-lanes"),
    ),
    State("agreement", "site", "/?tab=agreement", _seen("[data-part=report] table")),
    State("try", "demo", "/?tab=try", _seen("#try-text textarea")),
    State("try-result", "demo", "/?tab=try", _try(TEXTS[0], ".try-post mark")),
    State("try-language", "demo", "/?tab=try", _try(TEXTS[2], ".try-language:not([hidden])")),
    State("data", "site", "/?tab=data", _seen("#import-run")),
    State("data-file", "site", "/?tab=data", _file(check=False)),
    State("data-checked", "site", "/?tab=data", _file(check=True)),
    State("data-uncertain", "site", "/?tab=data", _section("Uncertain evidence")),
    State("data-past", "site", "/?tab=data", _section("Past imports")),
    State("data-export", "site", "/?tab=data", _export),
    State("data-criteria", "site", "/?tab=data", _section("Criteria")),
    State("retrain-nothing", "empty", "/?tab=retrain", _seen("#retrain-plan .rt-cards")),
    State("retrain-plan", "reviewed", "/?tab=retrain", _seen("#retrain-plan .rt-details")),
    State("retrain-settings", "reviewed", "/?tab=retrain", _open_all),
    State("retrain-done", "trained", "/?tab=retrain", _seen("#retrain-result .rt-set")),
    State("retrain-aside", "aside", "/?tab=retrain", _seen("#retrain-models >> text=not better, not in use")),
    State("retrain-running", "running", "/?tab=retrain", _seen("#retrain-job [role=progressbar]")),
    State("overview", "demo", "/?tab=overview", _seen(".ov-cards div")),
    State("overview-empty", "empty", "/?tab=overview", _seen("#overview")),
    State("guidelines", "site", "/?tab=guidelines", _seen("#guidelines .ev-card")),
    State("login", "signed", "/login"),
    State("login-wrong", "signed", "/login", _wrong_password),
    State("signed-in", "signed", "/login", _sign_in),
    State("tokens", "signed", "/login", _tokens),
    State("jobs-review", "jobs", "/login", _lead("review", _keys("1"))),
    State("jobs-posts", "jobs", "/login", _lead("posts", _seen("#posts-list tbody tr"))),
    State("jobs-adjudicate", "jobs", "/login", _lead("adjudicate", _seen("#adjudicate .ev-lanes"))),
    State("jobs-agreement", "jobs", "/login", _lead("agreement", _seen("[data-part=report] table"))),
    State("jobs-try", "jobs", "/login", _lead("try", _seen("#try-text textarea"))),
    State("jobs-data", "jobs", "/login", _lead("data", _seen("#import-run"))),
    State("jobs-retrain", "jobs", "/login", _lead("retrain", _seen("#retrain-plan .rt-cards"))),
    State("jobs-overview", "jobs", "/login", _lead("overview", _seen(".ov-cards div"))),
    State("jobs-guidelines", "jobs", "/login", _lead("guidelines", _seen("#guidelines .ev-card"))),
    State("team", "jobs", "/login", _lead("team", _seen("#team .ev-round"))),
    State("team-new", "jobs", "/login", _lead("team", _new_round)),
    State("team-round", "jobs", "/login", _lead("team", _round)),
    State("people", "jobs", "/login", _lead("people", _seen("#people tbody tr"))),
    State("people-link", "jobs", "/login", _lead("people", _link)),
)


# --- projects


def _site(folder: Path, *, posts: bool) -> None:
    """A project whose predictions were written here, or one without anything."""
    store = open_store(folder)
    store.save_criteria(default_criteria())
    store.set_setting(STARTED, True)
    if posts:
        store.add_model(ModelVersion(id="m1", path="kept-here"))
        store.activate_model("m1", by=None)
        for number, text in enumerate(TEXTS * 4):
            post = Post(id=f"p{number}", text=text, split=Split.TRAIN)
            store.add_posts([post])
            store.add_predictions(_predictions(store.criteria(), post))
        _read_by_two(store)
    store.close()


def _read_by_two(store: Store) -> None:
    """Two people have read a few posts and do not agree on one criterion."""
    for person in ("ben", "cleo"):
        store.ensure_reviewer(person, Role.REVIEWER)
        for number in (6, 7, 9, 10):
            post = store.post(f"p{number}")
            for criterion, quotes in MARKS.items():
                found = [q for q in quotes if q in post.text and (person, criterion) != ("cleo", "SLEEP_ISSUES")]
                spans = tuple(AnnotatedSpan(at := post.text.index(q), at + len(q)) for q in found)
                verdict = Verdict.EVIDENCE if spans else Verdict.NO_EVIDENCE
                store.add_annotation(Annotation(post.id, criterion, person, verdict, spans), expected_revision=0)


def _predictions(criteria: Any, post: Post) -> list[Prediction]:
    found = []
    for c in criteria:
        quotes = [q for q in MARKS.get(c.id, ()) if q in post.text]
        spans = tuple(Span(at := post.text.index(q), at + len(q), 0.87) for q in quotes)
        found.append(Prediction(post.id, c.id, "m1", spans, no_evidence_score=0.1 if spans else 0.9))
    return found


def _trained(folder: Path, *, steps: int | None, times: int = 1) -> None:
    """A reviewed project with trainings that wait for the worker: quick ones, or one that takes long. The second has nothing to better."""
    a_reviewed_project(folder)
    store = open_store(folder)
    config = QUICK if steps is None else dataclasses.replace(QUICK, max_steps=steps)
    wish = TrainingWish(config, base="base", rule=PromotionRule(margin=1.0, min_posts=1))
    for _ in range(times):
        enqueue_training(Jobs(store), wish, by="ana")
    store.close()


def _signed(folder: Path) -> None:
    _site(folder, posts=True)
    store = open_store(folder)
    Accounts(store).add("ana", Role.ADMIN, "correct horse battery")
    store.close()


def _jobs(folder: Path) -> None:
    """A team that reads job advertisements: another domain than that of the default criteria, and a name that is long."""
    store = open_store(folder)
    chosen = criteria_set_of_text(JOBS, "jobs.yaml")
    store.save_criteria(chosen.criteria)
    save_about(store, chosen.about)
    store.set_setting(STARTED, True)
    Accounts(store).add("ana", Role.ADMIN, "correct horse battery")
    ana = store.reviewer("ana")
    store.add_posts(
        [Post(f"ad-{n}", ADVERTS[n % len(ADVERTS)] + f" Reference {n}.", split=Split.TRAIN) for n in range(12)]
    )
    people = ("ana", "ben", "Maximiliane-Theodora_von_Hohenlohe-Waldenburg-Schillingsfuerst")
    for name in people[1:]:
        store.ensure_reviewer(name, Role.REVIEWER)
    rounds.set_up(
        store, RoundPlan("first reading", people, posts=4, blind=False, overlap={2: 1.0}), model_version=None, by=ana
    )
    for assigned in store.assigned():
        text = store.post(assigned.post_id).text
        spans = (AnnotatedSpan(0, len(text) // 2),) if assigned.reviewer != "ben" else ()
        verdict = Verdict.EVIDENCE if spans else Verdict.NO_EVIDENCE
        answer = Annotation(assigned.post_id, "EXPERIENCE", assigned.reviewer, verdict, spans)
        store.add_annotation(answer, expected_revision=0)
    invitations.invite(store, "cleo", Role.ADJUDICATOR, by=ana)
    store.close()


PROJECTS: dict[str, tuple[Callable[[Path], Any], bool]] = {  # what makes it, and whether it has a worker
    "site": (lambda folder: _site(folder, posts=True), False),
    "empty": (lambda folder: _site(folder, posts=False), False),
    "demo": (lambda folder: None, False),
    "reviewed": (a_reviewed_project, False),
    "trained": (lambda folder: _trained(folder, steps=None), True),
    "aside": (lambda folder: _trained(folder, steps=None, times=2), True),
    "running": (lambda folder: _trained(folder, steps=100_000), True),
    "signed": (_signed, False),
    "jobs": (_jobs, False),
}


@contextmanager
def project(name: str) -> Iterator[str]:
    """The address of the app on a project of that name."""
    make, worker = PROJECTS[name]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "data"
        folder.mkdir()
        make(folder)
        with running_app(folder, worker=worker) as url:
            if name in ("trained", "aside"):
                _wait_for_training(folder)
            yield url


def _wait_for_training(folder: Path) -> None:
    store = open_store(folder)
    jobs, end = Jobs(store), time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < end:
        [job] = jobs.jobs(kind=JobKind.TRAIN, limit=1)
        if job.status not in (JobStatus.QUEUED, JobStatus.RUNNING):
            break
        time.sleep(0.2)
    store.close()


# --- looking


@contextmanager
def opened(browser: Any, url: str, state: State) -> Iterator[Any]:
    """A window of its own in which the page is in the state."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce", bypass_csp=True)
    if state.begun:
        context.add_init_script("for (const k of ['notice', 'guide']) localStorage.setItem('evidence.' + k, 'true')")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url + state.path)
    if state.path != "/login":
        page.wait_for_function(SETTLED)
    state.prepare(page)
    page.add_style_tag(content=STILL)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    yield page
    context.close()


def looks(
    page: Any, widths: Any = tuple(WIDTHS), schemes: Any = tuple(SCHEMES)
) -> Iterator[tuple[str, int, list[str]]]:
    """The page in each scheme and width: (scheme, width, what is wrong there)."""
    for scheme in schemes:
        page.emulate_media(**SCHEMES[scheme])
        for width in widths:
            page.set_viewport_size({"width": width, "height": WIDTHS[width]})
            page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 120)))")
            found = list(page.evaluate(RUN))
            sticks_out = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            yield scheme, width, found + ([f"{sticks_out} px stick out"] if sticks_out > 0 else [])
