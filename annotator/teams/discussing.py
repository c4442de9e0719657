"""Discussions about posts and criteria: saying something, flagging a post for the lead, resolving, and the lists of what is open.

Plain text only. Who sees what of a post that is read blind is decided in `storage.visibility.VISIBLE_MESSAGE`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from annotator.people.accounts import CURATORS, NotAllowed
from annotator.teams.naming import Called, called_before
from storage.discussions import Message, Said, Thread, Wanted, message_object
from storage.records import InvalidRecord, NotFound, Reviewer, Role, StoreUnavailable, has_unpaired_surrogate
from storage.store import Store

Wire = dict[str, Any]
MOST_CHARACTERS = 4000
SHOWN = 300  # characters of the last message in a list
_PLAIN = "\u2060"  # no name begins behind it or reaches across it; unseen, and taken out of what is shown
_AT = re.compile(rf"(?<![\w@.{_PLAIN}])@")


def _mentions(text: str, names: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    """(start, end, name) of each @name, whatever the case; of names that begin alike the longest that stands there."""
    known = sorted(names, key=len, reverse=True)
    for at in _AT.finditer(text):
        rest = text[at.end() :]
        for name in known:
            after = rest[len(name) : len(name) + 1]
            if rest[: len(name)].casefold() == name.casefold() and not (after.isalnum() or after == "_"):
                yield at.end(), at.end() + len(name), name
                break


def readdressed(text: str, names: Mapping[str, str]) -> str:
    """The text with others' names, or codes, after each @."""
    for start, end, name in reversed(list(_mentions(text, names))):
        text = text[:start] + names[name] + text[end:]
    return text


def _decoded(text: str, called: Called) -> str:
    """What somebody who is told codes has written, with names for the codes. Everything else behind an @ stays plain text, as does
    what follows a code: a name that was guessed would come back as its code.
    """
    people = {code: name for name, code in called.shown.items()}
    spoken_to = {start: (end, people[code]) for start, end, code in _mentions(text, people)}
    for at in reversed(list(_AT.finditer(text))):
        end, name = spoken_to.get(at.end(), (at.end(), ""))
        text = text[: at.end()] + name + _PLAIN + text[end:]
    return text


def thread(store: Store, me: Reviewer, *, post_id: str | None = None, criterion_id: str | None = None) -> Wire:
    """The thread of a post, else of a criterion, as far as the person may see it; it counts as looked at.

    Raises NotFound for a post or criterion that is not there.
    """
    _check_subject(store, post_id, criterion_id)
    messages = store.messages(me.name, post_id=post_id, criterion_id=None if post_id else criterion_id)
    called = called_before(store, me)
    with contextlib.suppress(StoreUnavailable):  # what can be read is shown, also where nothing can be written
        store.see_messages(me.name, messages)
    return {
        "messages": [_wire(m, called) for m in messages],
        "names": store.criterion_names(),
        "resolved": bool(messages) and messages[-1].what is Said.RESOLVED,
        "flagged": _is_flagged(messages),
        "may_resolve": _may_resolve(store, me, messages),
        "partial": post_id is not None
        and store.is_sealed(post_id)
        and (me.role is Role.REVIEWER or _reads(store, me, post_id)),
    }


def say(store: Store, me: Reviewer, wire: Wire) -> Wire:
    """Append to a thread. wire: post_id or criterion_id (with a post: which criterion it is about), text, what, op_id.

    Returns the thread as `thread` does. Raises InvalidRecord for no words or too many, NotFound, NotAllowed for resolving what others
    talk about.
    """
    post_id, criterion_id = wire.get("post_id") or None, wire.get("criterion_id") or None
    _check_subject(store, post_id, criterion_id)
    called = called_before(store, me)
    what, text = _what(wire.get("what")), _text(wire.get("text"))
    text = _decoded(text, called) if called.shown else text
    if what is Said.SAID and not text:
        raise InvalidRecord("Write something first.")
    if what is Said.FLAGGED and post_id is None:
        raise InvalidRecord("Posts are flagged for the lead; about a criterion write a message.")
    seen = store.messages(me.name, post_id=post_id, criterion_id=None if post_id else criterion_id)
    if what in (Said.RESOLVED, Said.REOPENED) and not _may_resolve(store, me, seen):
        raise NotAllowed(
            "Who has written here resolves this, or an adjudicator or admin does; while a post is read blind only they do."
        )
    store.add_message(
        Message(
            me.name,
            text,
            post_id=post_id,
            criterion_id=criterion_id,
            what=what,
            mentions=mentioned(text, (r.name for r in store.reviewers() if r.disabled_at is None)),
            op_id=wire.get("op_id"),
        )
    )
    return thread(store, me, post_id=post_id, criterion_id=criterion_id)


def threads(store: Store, me: Reviewer, wanted: str | None) -> Wire:
    """The chosen threads, the last spoken in first, and how many there are of each kind. Without a choice: what is flagged, for those
    who lead, and what speaks to the person, for others.
    """
    called = called_before(store, me)
    chosen = Wanted(wanted) if wanted in set(Wanted) else Wanted.FLAGGED if me.role in _LEADS else Wanted.MINE
    return {
        "chosen": str(chosen),
        "counts": store.count_threads(me.name),
        "threads": [_line(t, called) for t in store.threads(me.name, chosen)],
        "names": store.criterion_names(),
    }


def mentioned(text: str, names: Iterable[str]) -> tuple[str, ...]:
    """Who of these people is spoken to as @name."""
    return tuple(dict.fromkeys(name for _, _, name in _mentions(text, names)))


_LEADS = (Role.ADMIN, *CURATORS)


def _is_flagged(messages: Sequence[Message]) -> bool:
    states = [m.what for m in messages if m.what in (Said.FLAGGED, Said.RESOLVED)]
    return bool(states) and states[-1] is Said.FLAGGED


def _may_resolve(store: Store, me: Reviewer, messages: Sequence[Message]) -> bool:
    """Of a post that is read blind only leads may: others would end what they cannot see."""
    if not messages or me.role in _LEADS:
        return bool(messages)
    post_id = messages[0].post_id
    return any(m.author == me.name for m in messages) and not (post_id is not None and store.is_sealed(post_id))


def _reads(store: Store, me: Reviewer, post_id: str) -> bool:
    return me.name in store.readers_of([post_id]).get(post_id, set())


def _check_subject(store: Store, post_id: str | None, criterion_id: str | None) -> None:
    if post_id and not store.known_post_ids([post_id]):
        raise NotFound(f"There is no post {post_id!r} (any more).")
    if criterion_id and not store.criterion_versions(criterion_id):
        raise NotFound(f"There is no criterion {criterion_id!r}.")
    if not post_id and not criterion_id:
        raise InvalidRecord("A message is about a post or a criterion.")


def _what(given: Any) -> Said:
    try:
        return Said(given or Said.SAID)
    except ValueError as error:
        raise InvalidRecord(f"{given!r} is none of {', '.join(Said)}.") from error


def _text(given: Any) -> str:
    text = str(given or "").strip()
    if len(text) > MOST_CHARACTERS:
        raise InvalidRecord(f"The message has {len(text):,} characters; write at most {MOST_CHARACTERS:,}.")
    if "\x00" in text or has_unpaired_surrogate(text):
        raise InvalidRecord("The message holds a character that cannot be stored.")
    return text


def message_before(message: Mapping[str, Any], called: Called) -> Wire:
    """A message as an export writes it, its people as they are called; what else its words say of people stays."""
    text = readdressed(message["text"], called.shown).replace(_PLAIN, "")
    return {**message, "author": called(message["author"]), "text": text}


def _wire(message: Message, called: Called) -> Wire:
    return {
        **message_before(message_object(message), called),
        "mentions": called.all(message.mentions),
        "id": message.id,
    }


def _line(found: Thread, called: Called) -> Wire:
    return {
        "post_id": found.post_id,
        "criterion_id": found.criterion_id,
        "messages": found.messages,
        "last": {**(last := _wire(found.last, called)), "text": last["text"][:SHOWN]},
        "flagged": found.flagged,
        "resolved": found.resolved,
        "new": found.new,
    }
