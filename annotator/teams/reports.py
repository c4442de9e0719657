"""The report of a team, kept: worked out anew when something changed, and shown with its age while that takes long.

A page that is asked for must answer at once, also over 300,000 answers, which take seconds to go through. So what was worked out last
is kept in the database with what it rests on. If nothing has changed since, it is current; if working it out was quick, it is done
again on the spot; else the kept one is shown, with its age, and a thread makes the next.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from annotator.problems import unexpected
from annotator.teams import measuring, people_figures
from annotator.teams.naming import Called, called_before
from storage.records import Reviewer, StoreUnavailable, utc_now
from storage.store import Store
from storage.team_figures import Kept
from storage.team_records import Standing, label_question

Wire = dict[str, Any]
AT_ONCE_SECONDS = 0.4  # a report that took longer than this is made beside the page
AT_ONCE_ANSWERS = 2_000  # and the very first one, if there are more answers than this
LEAST_PAUSE = 20  # times the working time: how long a thread rests between two reports
PAUSE_AFTER_FAILURE = 60.0  # seconds


class Reports:
    """The reports of one store, safe to share between threads. One thread at a time works them out."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._working: dict[str, threading.Thread] = {}
        self._rests_until: dict[str, float] = {}
        self._failed: dict[str, str] = {}
        self._last: dict[str, Kept] = {}

    def report(self, *, round_id: int | None = None, models: Sequence[str] = ()) -> Wire:
        """The report with `made_at`, `current` (whether nothing has changed since) and `working`; without figures if there is none yet.

        Raises NotFound if there is no such round or model version, StoreUnavailable if it could not be worked out.
        """
        if round_id is not None:
            self._store.round(round_id)
        for version in models:
            self._store.model(version)
        name = f"round {round_id or 'all'}" + "".join(f" with {m}" for m in sorted(models))
        basis = self._store.report_basis()
        kept = self._last.get(name) or self._store.kept_report(name)
        if kept is None or kept.basis != basis:
            if kept.seconds < AT_ONCE_SECONDS if kept else self._few():
                kept = self._made(name, round_id, models)
            else:
                self._start(name, functools.partial(self._made, name, round_id, models))
        if name in self._failed:
            raise StoreUnavailable(self._failed[name])
        if kept is None:
            return {"working": True}
        working = name in self._working
        return {**kept.value, "made_at": kept.made_at, "current": kept.basis == basis, "working": working}

    def finish(self) -> None:
        """Wait for what is being worked out."""
        for thread in list(self._working.values()):
            thread.join()

    def _few(self) -> bool:
        return self._store.last_annotation_id() <= AT_ONCE_ANSWERS

    def _start(self, name: str, make: Callable[[], Kept]) -> None:
        with self._lock:
            if self._working or time.monotonic() < self._rests_until.get(name, 0.0):
                return

            def work() -> None:
                try:
                    made = make()
                    self._rests_until[name] = time.monotonic() + LEAST_PAUSE * made.seconds
                    self._failed.pop(name, None)
                except Exception as error:
                    self._failed[name] = unexpected(error, "the team's report")
                    self._rests_until[name] = time.monotonic() + PAUSE_AFTER_FAILURE
                finally:
                    self._working.pop(name, None)
                    self._store.close()

            self._working[name] = threading.Thread(target=work, name="team report", daemon=True)
            self._working[name].start()

    def _made(self, name: str, round_id: int | None, models: Sequence[str]) -> Kept:
        began = time.monotonic()
        basis = (
            self._store.report_basis()
        )  # before the rows: what comes in between makes it out of date, not the reverse
        value = work_out(self._store, round_id=round_id, models=models)
        kept = Kept(basis, value, utc_now(), round(time.monotonic() - began, 3))
        self._store.keep_report(name, kept)
        self._last[name] = kept
        return kept


def _with_open(row: Wire, standing: Mapping[str, Mapping[str, int]]) -> Wire:
    """The row of a label of posts with how many of them are open, and decided."""
    if row["what"] != "label":
        return row
    states = standing.get(label_question(row["name"]), {})
    decided = states.get(Standing.ADJUDICATED, 0) + states.get(Standing.UNDECIDABLE, 0)
    return {**row, "open": states.get(Standing.OPEN, 0), "adjudicated": decided}


def work_out(store: Store, *, round_id: int | None = None, models: Sequence[str] = (), seed: int = 0) -> Wire:
    """Agreement, people and criteria as JSON values. Raises NotFound if there is no such round."""
    standing = store.standing_counts(round_id=round_id)
    with store.read():  # one moment for all figures
        tables = measuring.report(store, round_id=round_id, models=models, seed=seed)
        decisions = store.latest_decisions(round_id=round_id)
        judged = store.judged(round_id=round_id)
        tables["attributes"] = [_with_open(row, standing) for row in tables["attributes"]]
        by_criterion = {row["name"]: row for row in tables["criteria"]}
        return {
            "answers": len(decisions),
            "round": round_id,
            "models": sorted(models),
            "agreement": tables,
            "people": people_figures.of_people(
                decisions,
                store.given(round_id=round_id),
                judged,
                {row["person"]: row for row in tables["people"]},
            ),
            "arms": people_figures.of_arms(decisions, judged),
            "criteria": people_figures.of_criteria(
                store.criteria(with_inactive=True), decisions, standing, by_criterion
            ),
        }


def report_before(store: Store, me: Reviewer, report: Wire) -> Wire:
    """The report, people in it as they are called before `me`. It is kept with their names."""
    called = called_before(store, me)
    if not called.shown or "people" not in report:
        return report
    agreement = report["agreement"]
    return {
        **report,
        "people": _people_called(
            [p | {"others": p["others"] and _person_called(p["others"], called)} for p in report["people"]], called
        ),
        "criteria": [c | {"older_by_person": _keys_called(c["older_by_person"], called)} for c in report["criteria"]],
        "agreement": {
            **agreement,
            "people": _people_called(agreement["people"], called),
            "pairs": sorted(
                (_pair_called(p, called) for p in agreement["pairs"]), key=lambda p: (p["one"], p["other"])
            ),
        },
    }


def _people_called(rows: Sequence[Wire], called: Called) -> list[Wire]:
    return sorted((_person_called(row, called) for row in rows), key=lambda row: row["person"])


def _person_called(row: Wire, called: Called) -> Wire:
    return {**row, "person": called(row["person"])}


def _keys_called(counts: Mapping[str, int], called: Called) -> dict[str, int]:
    return dict(sorted((called(name), count) for name, count in counts.items()))


def _pair_called(pair: Wire, called: Called) -> Wire:
    """The pair in the order of what they are called; what the one said against the other turns with it."""
    one, other = called(pair["one"]), called(pair["other"])
    if one <= other:
        return {**pair, "one": one, "other": other}
    return {
        **pair,
        "one": other,
        "other": one,
        "confusion": [list(row) for row in zip(*pair["confusion"], strict=True)],
    }
