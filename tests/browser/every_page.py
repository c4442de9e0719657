"""Every page in every state: the projects they are seen in, how they are reached, and what axe finds there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.browser.every_project import PATIENCE_MS, TEXTS
from tests.browser.gestures import press

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
WIDTHS = {1280: 800, 640: 400, 390: 844, 320: 480}
SCHEMES: dict[str, dict[str, str]] = {
    "light": {"color_scheme": "light", "forced_colors": "none"},
    "dark": {"color_scheme": "dark", "forced_colors": "none"},
    "forced": {"color_scheme": "dark", "forced_colors": "active"},
}
RUN = """async () => (await axe.run('html', {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}))
  .violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.target.join(' ') + ' ' + (n.any[0]?.message ?? '')))"""
STILL = "*, *::before, *::after { transition: none !important; animation: none !important; }"
SETTLED = "window.evidenceOpened === true"
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


def _break(page: Any) -> None:
    """Somebody has read for a quarter of an hour, and wants to be told."""
    page.clock.install()
    page.reload()
    _keys("?", until=".ev-keys")(page)
    page.select_option("dialog select[name=break]", label="after 15 minutes")
    press(page, "Escape")
    page.wait_for_function("!document.querySelector('dialog[open]')")
    for _ in range(16):
        page.clock.fast_forward(60_000)
        press(page, "j")
    page.wait_for_selector("[data-part=break] p")


def _thread(page: Any) -> None:
    _keys("4", "r", until=".ev-discussion textarea")(page)
    page.fill(
        ".ev-discussion textarea", "@ben Is counting cars at night a problem with sleep, or one with restlessness?"
    )
    page.click(".ev-discussion button:has-text('Flag for the lead')")
    page.wait_for_selector(".ev-thread li")


def _conflict(page: Any) -> None:
    """The same criterion was answered in another window meanwhile."""
    _ready(page)
    other = page.context.new_page()
    other.goto(page.url)
    _keys("4", "a")(other)
    other.wait_for_function("!document.querySelector('[data-part=undo]')?.disabled")
    other.wait_for_function("document.querySelector('[data-part=saved]').dataset.saved === 'saved'")
    _keys("4", "0", until="[data-part=conflicts] [role=alert]")(page)
    other.close()


def _offline(page: Any) -> None:
    _ready(page)
    page.context.set_offline(True)
    _keys("4", "a", until="[data-part=saved][data-saved=offline]")(page)


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


def _import(rows: str, until: str) -> Callable[[Any], None]:
    """A file of these rows is taken in until the result says so."""

    def act(page: Any) -> None:
        page.wait_for_selector("#import-run")
        file = {"name": "week.csv", "mimeType": "text/csv", "buffer": rows.encode()}
        page.set_input_files("#import-file input[type=file]", file)
        page.wait_for_selector("#import-run:not([disabled])")
        page.click("#import-run")
        page.wait_for_function(
            "text => document.querySelector('#import-result textarea').value.includes(text)", arg=until
        )

    return act


def _long_import(page: Any) -> None:
    rows = "".join(f'm{n},"{TEXTS[n % 2]} {n}"\n' for n in range(100_000))
    _import("id,text\n" + rows, "Importing")(page)


def _cancelled_import(page: Any) -> None:
    """A large file waits for a worker that the app does not have."""
    _long_import(page)
    page.click("#import-cancel")
    page.wait_for_function("document.querySelector('#import-result textarea').value.includes('Nothing was imported')")


def _undo_asked(page: Any) -> None:
    _import(TABLE, "imported")(page)
    _section("Past imports")(page)
    page.click("#past-undo")
    page.wait_for_selector("#past-undo-yes")


def _delete_asked(page: Any) -> None:
    page.wait_for_selector("#retrain-models >> text=not better, not in use")
    page.click("#retrain-delete")
    page.wait_for_selector("#retrain-delete-yes")


def _note(page: Any) -> None:
    """Gradio's own note of something that cannot be done."""
    _section("Criteria")(page)
    page.click("text=Use this set")
    page.wait_for_selector(".toast-body")


def _broken_file(page: Any) -> None:
    page.wait_for_selector("#import-run")
    file = {"name": "scan.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\n\x00\x01\x02"}
    page.set_input_files("#import-file input[type=file]", file)
    page.wait_for_selector(".import-problem")


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
    page.fill("[name=name]", "the weekly report")
    page.click("button:has-text('Make a token')")
    page.wait_for_selector("td >> text=the weekly report")


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
    State("review-break", "site", "/?post=p0", _break),
    State("review-thread", "site", "/?post=p3", _thread),
    State("review-conflict", "site", "/?post=p4", _conflict),
    State("review-offline", "site", "/?post=p3", _offline),
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
    State("try-long", "demo", "/?tab=try", _try(TEXTS[0] * 1000, "text=Shorten it")),
    State("data", "site", "/?tab=data", _seen("#import-run")),
    State("data-file", "site", "/?tab=data", _file(check=False)),
    State("data-checked", "site", "/?tab=data", _file(check=True)),
    State("data-broken", "site", "/?tab=data", _broken_file),
    State("data-imported", "demo", "/?tab=data", _import(TABLE, "imported")),
    State("data-running", "demo", "/?tab=data", _long_import),
    State("data-cancelled", "site", "/?tab=data", _cancelled_import),
    State("data-undo", "demo", "/?tab=data", _undo_asked),
    State("data-note", "site", "/?tab=data", _note),
    State("data-uncertain", "site", "/?tab=data", _section("Uncertain evidence")),
    State("data-past", "site", "/?tab=data", _section("Past imports")),
    State("data-export", "site", "/?tab=data", _export),
    State("data-criteria", "site", "/?tab=data", _section("Criteria")),
    State("retrain-nothing", "empty", "/?tab=retrain", _seen("#retrain-plan .rt-cards")),
    State("retrain-plan", "reviewed", "/?tab=retrain", _seen("#retrain-plan .rt-details")),
    State("retrain-settings", "reviewed", "/?tab=retrain", _open_all),
    State("retrain-done", "trained", "/?tab=retrain", _seen("#retrain-result .rt-set")),
    State("retrain-aside", "aside", "/?tab=retrain", _seen("#retrain-models >> text=not better, not in use")),
    State("retrain-delete", "aside", "/?tab=retrain", _delete_asked),
    State("retrain-failed", "failed", "/?tab=retrain", _seen("#retrain-job .rt-badge.failed")),
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
