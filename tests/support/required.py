"""The rule that CI skips no heavy test: DTBENCH_REQUIRE_ENGINES=1 makes a failure of such a skip."""

from __future__ import annotations

import os

import pytest

REQUIRED = os.environ.get("DTBENCH_REQUIRE_ENGINES") == "1"


def failed_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Make a failure of a skip, where everything is required."""
    if REQUIRED and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"DTBENCH_REQUIRE_ENGINES=1, and this was skipped: {report.longrepr}"
