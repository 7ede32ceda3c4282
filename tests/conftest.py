"""What holds for all tests: Ctrl-C reaches what they start, and CI skips none that needs an engine or a browser."""

from __future__ import annotations

import signal
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings
from required import failed_if_skipped

# What takes how long says nothing of the code on a machine with other things to do.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure() -> None:
    """A job in a shell's background ignores Ctrl-C, and so would everything that it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where engines and browsers are required, a test of theirs that skips has failed."""
    report = yield
    if item.get_closest_marker("engine") or item.get_closest_marker("browser"):
        failed_if_skipped(report)
    return report
