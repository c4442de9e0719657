"""The order of the test files: those with slow tests first, so that short ones are left to fill the end of a run of several processes.

Alone, pytest-xdist begins with the files that hold most tests; the longest ones, which hold two or three, would come last, and
one process would work on them for minutes while the others have nothing left.
"""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # pytest-xdist: take the files as they are ordered below


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
