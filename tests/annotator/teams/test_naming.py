"""What people are called where their names are not told."""

from __future__ import annotations

import itertools
import re

import pytest

from annotator.teams.naming import codes_of
from storage.records import Role
from storage.store import Store

NAMES = [f"reader {n:03d}" for n in range(300)]


def test_a_code_is_given_once_and_stays_with_who_has_it(store: Store) -> None:
    for name in ("ana", "ben"):
        store.ensure_reviewer(name)
    first = codes_of(store)
    store.add_reviewer("aaron", Role.ADMIN)
    store.update_reviewer("ana", role=Role.ADJUDICATOR)
    store.update_reviewer("ben", disabled=True)
    assert {name: code for name, code in codes_of(store).items() if name != "aaron"} == first
    with store.write() as db:  # as undoing an import does
        db.conn.execute("DELETE FROM main.reviewer WHERE name = 'ben'")
    assert codes_of(store)["ben"] == first["ben"]
    store.ensure_reviewer("ben")
    assert codes_of(store)["ben"] == first["ben"]


@pytest.mark.parametrize("order", [NAMES, NAMES[::-1]])
def test_codes_are_all_different_and_follow_neither_names_nor_arrival(store: Store, order: list[str]) -> None:
    with store.write():
        for name in order:
            store.ensure_reviewer(name)
    codes = {name: code for name, code in codes_of(store).items() if name in NAMES}
    assert (
        len(set(codes.values())) == len(NAMES) == sum(bool(re.fullmatch(r"R\d{3}|R\d{5}", c)) for c in codes.values())
    )
    rising = sum(int(codes[a][1:]) < int(codes[b][1:]) for a, b in itertools.pairwise(order))
    assert 100 < rising < 199  # of 299, where lot gives 150 with a deviation of 5
