"""A cursor over one object of a file. Readers take keys from it; what they do not take is kept with the post or counted as left out.

That is what makes the ledger complete: a reader cannot drop a key, it can only forget to take it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from storage.formats.ledger import COLUMN, Key, Outcome
from storage.formats.values import is_empty, plain, plain_value
from storage.formats.vocabulary import OF_WHOLE_POSTS

NOT_READ = "not read"
PARTS = "its parts"
WHOLE_POST = "a label of the whole post, not read as an answer"


class Fields:
    """One object, or one row of a table. `account` grows with what is taken; `settle` books the rest."""

    __slots__ = ("_account", "_children", "_chosen", "_item", "_kept", "_open", "_path")

    def __init__(
        self,
        item: Mapping[str, Any],
        *,
        chosen: Mapping[str, str] | None = None,
        path: str = "",
        account: dict[Key, int] | None = None,
    ) -> None:
        """chosen: the key that stands for a name, by the name; '' if none does."""
        self._item, self._chosen, self._path = item, chosen or {}, path
        self._open = {key: None for key, value in item.items() if not is_empty(value)}
        self._children: list[Fields] = []
        self._kept: dict[str, Any] = {}
        self._account: dict[Key, int] = {} if account is None else account

    @property
    def item(self) -> Mapping[str, Any]:
        """The whole object; what is looked at here is not taken."""
        return self._item

    @property
    def account(self) -> dict[Key, int]:
        return self._account

    def chosen(self, name: str) -> str | None:
        """The key that was chosen for the name, if one was."""
        return self._chosen.get(name)

    def __contains__(self, name: str) -> bool:
        return self._key(name) in self._open

    def __iter__(self) -> Iterator[str]:
        """The keys that hold something and were not taken yet."""
        return iter(list(self._open))

    def item_keys(self) -> Iterator[str]:
        """All keys of the object, empty and taken ones too."""
        return iter(self._item)

    def peek(self, name: str) -> Any:
        """The value, which stays to be taken; None for an empty one."""
        value = self._item.get(self._key(name))
        return None if is_empty(value) else value

    def first(self, *names: str) -> str | None:
        """The first of the names that holds something."""
        return next((n for n in names if n in self), None)

    def take(self, name: str | None, to: str = "") -> Any:
        """The value of the key, which goes to `to` (the name itself by default). None for an empty one."""
        if name is None or (key := self._key(name)) not in self._open:
            return None
        self._book(key, Outcome.TAKEN, to or name)
        return self._item[key]

    def leave(self, name: str, why: str) -> Any:
        """Leave the key out, and say why."""
        if name not in self:
            return None
        self._book(self._key(name), Outcome.LEFT, why)
        return self._item[self._key(name)]

    def lose(self, name: str, why: str) -> None:
        """Count a name inside the object as left out."""
        self._count(self._path + name, Outcome.LEFT, why)

    def keep(self, name: str, why: str = "") -> Any:
        """The value, which goes to the post's meta. why: what is to be said of it."""
        if name not in self:
            return None
        key = self._key(name)
        self._kept[str(key)] = plain_value(self._item[key])
        self._book(key, Outcome.KEPT, why)
        return self._item[key]

    def inner(self, name: str) -> Fields | None:
        """The object under the key, for its own keys to be taken; None if there is none."""
        value = self.peek(name)
        if not isinstance(value, Mapping) or name not in self:
            return None
        self._book(self._key(name), Outcome.TAKEN, PARTS)
        return self.child(value, f"{self._key(name)}.")

    def each(self, name: str, to: str = PARTS) -> list[Fields]:
        """The objects of the list under the key; other items of it are counted as left out."""
        value = self.peek(name)
        if name not in self or not isinstance(value, Sequence) or isinstance(value, str):
            return []
        key = self._key(name)
        self._book(key, Outcome.TAKEN, to)
        found = []
        for item in value:
            if isinstance(item, Mapping):
                found.append(self.child(item, f"{key}[]."))
            else:
                self._count(f"{key}[]", Outcome.LEFT, "is no object")
        return found

    def child(self, value: Mapping[str, Any], path: str) -> Fields:
        """An object inside this one, wherever it came from, with its keys in the same account."""
        made = Fields(value, path=self._path + path, account=self._account)
        self._children.append(made)
        return made

    def rest(self, why: str = "") -> dict[str, Any]:
        """Everything that was not taken yet, for the post's meta."""
        found = {}
        for key in self:
            found[str(key)] = plain_value(self._item[key])
            self._book(key, Outcome.KEPT, why or (WHOLE_POST if plain(str(key)) in OF_WHOLE_POSTS else ""))
        return found

    def follow(self, other: Fields) -> None:
        """Book what another cursor over the same object took or kept, as far as it was not taken yet."""
        for what, name, outcome, detail in other._account:
            if what == COLUMN and name in self._open and outcome is Outcome.KEPT:
                self.keep(name, detail)
            elif what == COLUMN and name in self._open:
                self._book(name, outcome, detail)

    def settle(self) -> dict[str, Any]:
        """Book what was not taken; returns it, for the post's meta. Keys of inner objects are left out."""
        for inner in self._children:
            inner.leave_rest()
        return self._kept | self.rest()

    def leave_rest(self) -> None:
        """Book what was not taken of an inner object as left out."""
        for inner in self._children:
            inner.leave_rest()
        for key in self:
            self._book(key, Outcome.LEFT, NOT_READ)

    def _key(self, name: str) -> str:
        return self._chosen.get(name, name)

    def _book(self, key: str, outcome: Outcome, detail: str) -> None:
        self._open.pop(key, None)
        self._count(str(key), outcome, detail)

    def _count(self, name: str, outcome: Outcome, detail: str) -> None:
        found = (COLUMN, self._path + name, outcome, detail)
        self._account[found] = self._account.get(found, 0) + 1
