"""The rule that CI skips no test that needs an engine or a browser."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from required import failed_if_skipped


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where engines and browsers are required, a test of theirs that skips has failed."""
    report = yield
    if item.get_closest_marker("engine") or item.get_closest_marker("browser"):
        failed_if_skipped(report)
    return report
