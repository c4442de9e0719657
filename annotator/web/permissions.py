"""Who may call which listener and which component of the pages: filled while the pages are built, asked before Gradio reads a call.

What a page's tab says about roles holds for every listener of that page, so that a call is refused before its arguments are looked
at. What a single button needs beyond that (an admin) its handler checks itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from storage.records import Reviewer, Role

Roles = tuple[Role, ...] | None
"""None: everybody who is let in. An admin may do everything."""


class Permissions:
    """Roles by listener (number and name) and by component."""

    def __init__(self) -> None:
        self.listeners: dict[int, Roles] = {}
        self.names: dict[str, Roles] = {}
        self.components: dict[int, Roles] = {}
        self.uploads: list[Roles] = []
        self.answers: dict[str, Roles] = {}

    @contextmanager
    def part(self, blocks: Any, roles: Roles) -> Iterator[None]:
        """Whatever is built inside belongs to these roles. blocks: the `gr.Blocks` under construction."""
        before, known, named = set(blocks.fns), set(blocks.blocks), set(self.answers)
        yield
        self.answers |= dict.fromkeys(set(self.answers) - named, roles)
        for number in set(blocks.fns) - before:
            listener = blocks.fns[number]
            self.note_listener(number, str(listener.api_name or ""), None if _opens_the_page(listener) else roles)
        for number in set(blocks.blocks) - known:
            self.components[number] = roles
            if type(blocks.blocks[number]).__name__ in ("File", "UploadButton"):
                self.uploads.append(roles)

    def note_listener(self, number: int, name: str, roles: Roles) -> None:
        self.listeners[number] = roles
        if name:
            self.names[name] = roles

    def may_call(self, person: Reviewer, *, number: Any = None, name: str | None = None) -> bool:
        """Whether the person may call the listener; both its number and its name count, if both are given."""
        if number is None and name is None:
            return False
        by_number = number is None or _may(person, self.listeners, number)
        return by_number and (name is None or _may(person, self.names, name))

    def may_ask(self, person: Reviewer, component: Any) -> bool:
        """Whether the person may ask the component's server functions."""
        return _may(person, self.components, component)

    def note_answers(self, names: Iterable[str]) -> None:
        """What the part that is being built can be asked by name; until the part is whole, by an admin."""
        self.answers |= dict.fromkeys(names, ())

    def may_ask_by_name(self, person: Reviewer, name: str) -> bool:
        """Whether the person may ask the app for this answer."""
        return _may(person, self.answers, name)

    def may_upload(self, person: Reviewer) -> bool:
        """Whether a page of this person takes files."""
        return any(has_role(person, roles) for roles in self.uploads)


def _opens_the_page(listener: Any) -> bool:
    """Whether it runs whenever anybody opens the page, and takes nothing: what it shows to whom it decides itself."""
    return bool(listener.targets) and all(event == "load" for _, event in listener.targets) and not listener.inputs


def _may(person: Reviewer, table: Any, key: Any) -> bool:
    return isinstance(key, int | str) and not isinstance(key, bool) and key in table and has_role(person, table[key])


def has_role(person: Reviewer, roles: Roles) -> bool:
    return roles is None or person.role is Role.ADMIN or person.role in roles
