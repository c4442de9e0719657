"""Visitors of the public demo: each reviews in a store of their own, in memory, which is forgotten some time after they left.

Nothing that a visitor does reaches the project's database or its disk, and nobody sees another's. How many visits are kept and how
large each may grow is bounded, and one address gets a share of them. Who comes when all are taken gets the place of somebody who is
idle, or one of the address that has most; else they are asked to wait.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from annotator.people.throttle import network_of
from annotator.problems import Busy
from annotator.settings import Settings
from storage.records import Reviewer
from storage.store import Store
from storage.temporary import TemporaryStore

VISIT_BYTES = 8 * 2**20
POSTS = 100
IDLE_SECONDS = 600.0
SHARE_OF_ONE_ADDRESS = 4  # one address gets a quarter of the places,
LEAST_OF_ONE_ADDRESS = 10  # but so many at least: a class behind one
SWEEP_SECONDS = 60.0


@dataclass(slots=True)
class _Visit:
    """seen: when its visitor did something last. address: where they first came from. shown: the model and how many posts it
    had read when the store was filled."""

    seen: float
    address: str = ""
    store: TemporaryStore | None = None
    shown: tuple[str | None, int] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Visitors:
    """The visits of one project. Safe to share between threads. `clock` gives seconds that only grow."""

    def __init__(self, shared: Store, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._most = settings.demo_visitors
        self._most_of_one = max(LEAST_OF_ONE_ADDRESS, settings.demo_visitors // SHARE_OF_ONE_ADDRESS)
        self._keep_seconds = settings.demo_hours * 3600
        self._clock = clock
        self._lock = threading.Lock()
        self._visits: dict[str, _Visit] = {}
        self._closing = threading.Event()
        self._sweeper: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._visits)

    def store_of(self, visitor: Reviewer, model_version: str | None, address: str = "") -> Store:
        """The visitor's own store, begun with their first call and brought up to date with the model's predictions.

        Raises Busy if there are too many visitors, or too many from this address.
        """
        visit = self._visit(visitor.name, network_of(address))
        with visit.lock:
            if visit.store is None:
                visit.store = TemporaryStore(most_bytes=VISIT_BYTES)
                visit.store.ensure_reviewer(visitor.name, visitor.role)
            shown = (model_version, self._shared.count_predicted_posts(model_version or ""))
            if shown != visit.shown:
                visit.store.copy_public(self._shared, model_version=model_version, most_posts=POSTS)
                visit.shown = shown
            return visit.store

    def forget(self, name: str) -> None:
        """End a visit; the visitor's next call begins another."""
        with self._lock:
            visit = self._visits.pop(name, None)
        if visit is not None:
            _end(visit)

    def forget_expired(self) -> None:
        """End the visits whose visitors were not seen for as long as they are kept."""
        before = self._clock() - self._keep_seconds
        with self._lock:
            names = [name for name, visit in self._visits.items() if visit.seen <= before]
            expired = [self._visits.pop(name) for name in names]  # at once: one who comes back now gets a new visit
        for visit in expired:
            _end(visit)

    def close(self) -> None:
        """End every visit."""
        self._closing.set()
        for name in list(self._visits):
            self.forget(name)

    def _visit(self, name: str, address: str) -> _Visit:
        now = self._clock()
        self.forget_expired()
        with self._lock:
            visit = self._visits.pop(name, None)
            if visit is None:
                displaced = self._make_room(now, address)
                visit = _Visit(now, address)
            else:
                displaced = None
            visit.seen = now
            self._visits[name] = visit  # the last in the dictionary is the one who was seen last
            if self._sweeper is None:
                self._sweeper = threading.Thread(target=self._sweep, name="visitors", daemon=True)
                self._sweeper.start()
        if displaced is not None:
            _end(displaced)
        return visit

    def _make_room(self, now: float, address: str) -> _Visit | None:
        """The visit that has to go for another, None while there is room. Raises Busy if none may be taken away."""
        held = Counter(visit.address for visit in self._visits.values())
        if held[address] >= self._most_of_one:
            return self._take_oldest(now, {address}, held[address])
        if len(self._visits) < self._most:
            return None
        greediest, most = max(held.items(), key=lambda pair: pair[1])
        if most > held[address] + 1:
            return self._visits.pop(next(n for n, v in self._visits.items() if v.address == greediest))
        return self._take_oldest(now, set(held), 0)

    def _take_oldest(self, now: float, addresses: set[str], of_one: int) -> _Visit:
        """The visit of these addresses whose visitor has been idle for longest. Raises Busy if nobody is."""
        name = next(n for n, visit in self._visits.items() if visit.address in addresses)
        if now - self._visits[name].seen < IDLE_SECONDS:
            where = "from your network " if of_one else ""
            raise Busy(f"Many visitors {where}are taking the tour now. Try again in a few minutes.", retry_after=60.0)
        return self._visits.pop(name)

    def _sweep(self) -> None:
        while not self._closing.wait(SWEEP_SECONDS):
            self.forget_expired()


def _end(visit: _Visit) -> None:
    with visit.lock:
        if visit.store is not None:
            visit.store.close()
