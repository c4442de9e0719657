"""Where a run of all tests spends its time: seconds per folder, and the slowest tests, at the end of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

WHOLE_RUN = 500  # tests: a run of fewer says nothing
SLOWEST = 20


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [r for group in terminalreporter.stats.values() for r in group if isinstance(r, pytest.TestReport)]
    if len({report.nodeid for report in reports}) >= WHOLE_RUN:
        for line in table(reports):
            terminalreporter.write_line(line)


def table(reports: Iterable[pytest.TestReport]) -> list[str]:
    """Seconds of setup, test and teardown: per folder, then of single tests, longest first."""
    folders, tests = Counter[str](), Counter[str]()
    for report in reports:
        folders["/".join(report.nodeid.split("::")[0].split("/")[:-1][:3])] += report.duration
        tests[report.nodeid.split("[")[0]] += report.duration
    longest = [*folders.most_common(), *tests.most_common(SLOWEST)]
    return [f"{seconds:8.1f} s  {name}" for name, seconds in longest]
