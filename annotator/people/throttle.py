"""How often somebody may guess: failures are counted in the store, per name and place, so that strangers lock nobody out.

- For one name from one place FREE_ATTEMPTS failures are free; each further one doubles the wait.
- Many names from one address, and one name from many addresses, are only slowed: so many failures, then one every few seconds.
- A browser in which a person has signed in before (it holds a signed cookie) is a place of its own for that person, and is not
  held up by what strangers do.

An attempt counts before its password is looked at, and is taken back when it was right: ten at once are ten.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from storage.attempts import Attempts, Place
from storage.records import EvidenceError
from storage.store import Store

FREE_ATTEMPTS = 5
FIRST_WAIT_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 900.0
FORGET_AFTER_SECONDS = 3600.0
SECRET = "sign_in_secret"  # noqa: S105 - the name of a setting
_NONE = Attempts(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Brake:
    """So many failures at once, and one more every so many seconds."""

    most: float
    seconds: float


ADDRESS_BRAKE = Brake(30, 10.0)
NAME_BRAKE = Brake(50, 60.0)


class TooManyAttempts(EvidenceError):
    """Too many failed attempts from one place or for one name; wait `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"Too many failed attempts. Try again in {max(1.0, retry_after):.0f} seconds.")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Ticket:
    """An attempt that was counted: the places, of which the first is that of this name at this place."""

    places: tuple[Place, ...]


class Throttle:
    """Counts the attempts of one project. `clock` gives Unix seconds; one that is set back makes nobody wait longer."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._secret: bytes | None = None

    def take(self, name: str, *, address: str, device: str | None = None) -> Ticket:
        """Count an attempt as failed. Raises TooManyAttempts; that does not count.

        device: what `device_token` once gave to this browser.
        """
        key = self.key_of(name)
        if device is not None and self.is_device(device, name):
            places: tuple[Place, ...] = ((key, "device " + device.partition(".")[0]),)
        else:
            network = network_of(address)
            places = ((key, network), ("", network), (key, ""))
        now = self._clock()
        with self._store.write():
            known = self._store.sign_in_attempts(places)
            faded = [_faded(known.get(place, _NONE), place, now) for place in places]
            wait = max(_wait(attempts, place, now) for attempts, place in zip(faded, places, strict=True))
            if wait > 0:
                raise TooManyAttempts(wait)
            counted = {place: Attempts(a.failed + 1, now) for place, a in zip(places, faded, strict=True)}
            self._store.note_attempts(counted, now=now)
        return Ticket(places)

    def give_back(self, ticket: Ticket) -> None:
        """The attempt was right: it counts nowhere, and earlier ones of this name at this place are forgiven."""
        with self._store.write():
            self._store.forget_attempts(*ticket.places[0])
            others = self._store.sign_in_attempts(ticket.places[1:])
            lower = {place: Attempts(max(0.0, a.failed - 1), a.last_at) for place, a in others.items()}
            self._store.note_attempts(lower, now=self._clock())

    def unlock(self, name: str) -> int:
        """Forget all failures for the name. Returns how many counts there were."""
        return self._store.forget_attempts(self.key_of(name))

    def device_token(self, name: str) -> str:
        """For a cookie: this browser has signed this person in."""
        nonce = secrets.token_hex(8)
        return f"{nonce}.{self._sign(f'device {nonce} {name.casefold()}')}"

    def is_device(self, token: str, name: str) -> bool:
        """Whether the token was given to a browser of this person."""
        nonce, _, signature = token.partition(".")
        wanted = self._sign(f"device {nonce} {name.casefold()}")
        return len(nonce) == 16 and hmac.compare_digest(signature.encode(), wanted.encode())

    def key_of(self, name: str) -> str:
        """What the store keeps of a name: people type their password there, too."""
        return self._sign(f"name {name.casefold()[:200]}")[:32]

    def _sign(self, text: str) -> str:
        if self._secret is None:
            with self._store.write():
                found = self._store.setting(SECRET)
                if found is None:
                    found = secrets.token_hex(32)
                    self._store.set_setting(SECRET, found)
            self._secret = bytes.fromhex(found)
        return hmac.new(self._secret, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def network_of(address: str) -> str:
    """The address as it is counted: of IPv6 the /64, which one person has whole."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _brake(place: Place) -> Brake | None:
    """The brake of an address or a name alone, None for a name at a place."""
    if place[0] and place[1]:
        return None
    return NAME_BRAKE if place[0] else ADDRESS_BRAKE


def _faded(attempts: Attempts, place: Place, now: float) -> Attempts:
    passed, brake = max(0.0, now - attempts.last_at), _brake(place)
    if brake is None:
        return Attempts(0.0 if passed > FORGET_AFTER_SECONDS else attempts.failed, attempts.last_at)
    return Attempts(max(0.0, attempts.failed - passed / brake.seconds), attempts.last_at)


def _wait(attempts: Attempts, place: Place, now: float) -> float:
    brake = _brake(place)
    if brake is not None:
        return max(0.0, (attempts.failed + 1 - brake.most) * brake.seconds)
    if attempts.failed < FREE_ATTEMPTS:
        return 0.0
    doubled = min(FIRST_WAIT_SECONDS * 2.0 ** min(attempts.failed - FREE_ATTEMPTS, 10), LONGEST_WAIT_SECONDS)
    return max(0.0, min(doubled, attempts.last_at + doubled - now))
