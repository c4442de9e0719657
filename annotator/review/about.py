"""What the project's criteria set says of its subject. Kept as a setting of the project beside the criteria."""

from __future__ import annotations

import dataclasses

from annotator.settings import Settings
from storage.criteria_file import about_from, about_wire
from storage.records import About
from storage.store import Store

ABOUT = "about"


def about_of(store: Store) -> About:
    """What the pages say of the project's subject; nothing where its criteria came without."""
    return about_from(store.setting(ABOUT), "the project")


def save_about(store: Store, about: About) -> None:
    store.set_setting(ABOUT, about_wire(about))


def care_of(store: Store, settings: Settings) -> About:
    """The same with the crisis line that the settings name, if they name one."""
    said = about_of(store)
    if not settings.crisis_text:
        return said
    return dataclasses.replace(said, crisis_text=settings.crisis_text, crisis_url=settings.crisis_url)
