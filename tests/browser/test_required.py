"""The rule that CI skips no browser test, tried out where there is no browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from required import tried_out

TEST = """
import pytest

@pytest.mark.browser
def test_that_needs_a_browser(browser):
    assert browser
"""


@pytest.mark.parametrize("required", ["0", "1"])
def test_a_missing_browser_is_a_skip_here_and_a_failure_in_ci(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, required: str
) -> None:
    monkeypatch.delenv("DTBENCH_CHROMIUM", raising=False)
    done = tried_out("browser", TEST, tmp_path, PATH=str(tmp_path), DTBENCH_REQUIRE_ENGINES=required)
    assert (done.returncode == 0) is (required == "0"), done.stdout
    assert "no Chromium is installed: `make browser` as root, or DTBENCH_CHROMIUM=/path/to/one" in done.stdout
