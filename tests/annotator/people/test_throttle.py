"""Guessing is slowed, strangers lock nobody out, and neither a restart nor the clock forgives or punishes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import pytest

from annotator.people.throttle import (
    ADDRESS_BRAKE,
    FREE_ATTEMPTS,
    NAME_BRAKE,
    Throttle,
    TooManyAttempts,
    network_of,
)
from storage.store import Store
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(store: Store, clock: Clock) -> Throttle:
    return Throttle(store, clock=clock)


def fail(throttle: Throttle, name: str = "eva", address: str = "10.0.0.1", *, times: int = 1) -> None:
    for _ in range(times):
        throttle.take(name, address=address)


def wait_of(attempt: Callable[[], object]) -> float:
    with pytest.raises(TooManyAttempts) as refused:
        attempt()
    return refused.value.retry_after


def test_after_five_failures_each_further_one_doubles_the_wait_up_to_a_quarter_of_an_hour(
    throttle: Throttle, clock: Clock
) -> None:
    fail(throttle, times=FREE_ATTEMPTS)
    waits = []
    for _ in range(8):
        waits.append(wait_of(lambda: fail(throttle)))
        clock.now += waits[-1]
        fail(throttle)
    assert waits == [30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0]


def test_a_refused_attempt_does_not_count(throttle: Throttle, clock: Clock) -> None:
    fail(throttle, times=FREE_ATTEMPTS)
    for _ in range(50):
        wait_of(lambda: fail(throttle))
    clock.now += 30
    fail(throttle)


def test_a_restart_forgives_nobody(store: Store, throttle: Throttle, clock: Clock) -> None:
    fail(throttle, times=FREE_ATTEMPTS)
    assert wait_of(lambda: fail(Throttle(Store(store.path), clock=clock))) == 30.0


def test_a_stranger_elsewhere_does_not_lock_a_person_out(throttle: Throttle) -> None:
    fail(throttle, address="203.0.113.9", times=FREE_ATTEMPTS)
    wait_of(lambda: fail(throttle, address="203.0.113.9"))
    throttle.give_back(throttle.take("eva", address="10.0.0.1"))


def test_a_browser_that_signed_the_person_in_before_is_never_held_up_by_strangers(throttle: Throttle) -> None:
    device = throttle.device_token("eva")
    for n in range(60):  # many strangers, also behind the same address
        for address in (f"203.0.113.{n}", "10.0.0.1"):
            with contextlib.suppress(TooManyAttempts):
                throttle.take("eva", address=address)
    wait_of(lambda: throttle.take("eva", address="10.0.0.77"))  # one name from everywhere is slowed
    throttle.give_back(throttle.take("eva", address="10.0.0.1", device=device))


def test_such_a_browser_cannot_guess_without_end_either(throttle: Throttle) -> None:
    device = throttle.device_token("eva")
    for n in range(FREE_ATTEMPTS):
        throttle.take("eva", address=f"10.0.0.{n}", device=device)
    wait_of(lambda: throttle.take("eva", address="10.0.0.99", device=device))


@pytest.mark.parametrize(
    "forged", ["", ".", "0123456789abcdef.00", "0123456789abcdef." + "0" * 64, "x" * 5000, "\u00e9.\u00e9"]
)
def test_a_made_up_device_is_none(throttle: Throttle, forged: str) -> None:
    assert not throttle.is_device(forged, "eva")


def test_a_device_of_one_person_is_none_of_another(throttle: Throttle) -> None:
    token = throttle.device_token("eva")
    assert throttle.is_device(token, "Eva")
    assert not throttle.is_device(token, "adam")


def test_many_names_from_one_address_are_slowed_and_not_locked(throttle: Throttle, clock: Clock) -> None:
    for n in range(int(ADDRESS_BRAKE.most)):
        fail(throttle, f"name {n}")
    assert wait_of(lambda: fail(throttle, "another")) == ADDRESS_BRAKE.seconds
    clock.now += ADDRESS_BRAKE.seconds
    throttle.give_back(throttle.take("somebody who knows", address="10.0.0.1"))
    fail(throttle, "another", "10.0.0.2")


def test_one_name_from_many_addresses_is_slowed(throttle: Throttle, clock: Clock) -> None:
    for n in range(int(NAME_BRAKE.most)):
        fail(throttle, address=f"203.0.{n}.1")
    assert wait_of(lambda: fail(throttle, address="198.51.100.1")) == NAME_BRAKE.seconds
    clock.now += NAME_BRAKE.seconds
    fail(throttle, address="198.51.100.1")


def test_a_success_forgives_the_failures_before_it(throttle: Throttle) -> None:
    for _ in range(4):
        fail(throttle, times=FREE_ATTEMPTS - 1)
        throttle.give_back(throttle.take("eva", address="10.0.0.1"))


def test_an_admin_can_unlock_a_name(throttle: Throttle) -> None:
    fail(throttle, times=FREE_ATTEMPTS)
    wait_of(lambda: fail(throttle))
    assert throttle.unlock("eva") == 2
    fail(throttle)
    assert throttle.unlock("nobody") == 0


def test_ten_attempts_at_once_are_ten(store: Store, clock: Clock) -> None:
    ready, taken = threading.Barrier(10), []

    def guess() -> None:
        own = Throttle(Store(store.path), clock=clock)
        ready.wait()
        with contextlib.suppress(TooManyAttempts):
            taken.append(own.take("eva", address="10.0.0.1"))

    threads = [threading.Thread(target=guess) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == FREE_ATTEMPTS


@pytest.mark.parametrize("hours", [-20.0, -1.0, 0.5])
def test_a_clock_that_is_set_makes_nobody_wait_longer_than_the_rule_says(
    throttle: Throttle, clock: Clock, hours: float
) -> None:
    fail(throttle, times=FREE_ATTEMPTS)
    clock.now += hours * 3600
    if hours < 0:
        assert wait_of(lambda: fail(throttle)) <= 30.0
    else:
        fail(throttle)


def test_the_store_keeps_no_name_that_was_typed(store: Store, throttle: Throttle) -> None:
    fail(throttle, "my secret password")
    with store.read() as db:
        rows = [tuple(row.values()) for row in db.query("SELECT * FROM sign_in_attempt")]
    assert len(rows) == 3
    assert "my secret" not in repr(rows)


def test_old_failures_leave_the_store(store: Store, throttle: Throttle, clock: Clock) -> None:
    fail(throttle, "eva")
    clock.now += 2 * 86_400
    fail(throttle, "adam", "10.0.0.2")
    with store.read() as db:
        assert {row["place"] for row in db.query("SELECT place FROM sign_in_attempt")} == {"10.0.0.2", ""}
        assert db.execute("SELECT count(*) FROM sign_in_attempt").fetchone()[0] == 3


def test_of_ipv6_the_network_of_one_customer_counts_together() -> None:
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert network_of("::ffff:10.0.0.1") == network_of("10.0.0.1") == "10.0.0.1"
    assert network_of("unknown") == "unknown"
