"""The rule that CI skips no browser test, tried out where there is no browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TEST = """
import pytest

@pytest.mark.browser
def test_that_needs_a_browser(browser):
    assert browser
"""


@pytest.mark.parametrize("required", ["0", "1"])
def test_a_missing_browser_is_a_skip_here_and_a_failure_in_ci(tmp_path: Path, required: str) -> None:
    shutil.copy(HERE / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(TEST)
    support = f"{HERE.parent / 'support'} {HERE.parent / 'setup'}"
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {support}\nmarkers = browser: x\n")
    environment = {name: value for name, value in os.environ.items() if name != "DTBENCH_CHROMIUM"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**environment, "PATH": str(tmp_path), "DTBENCH_REQUIRE_ENGINES": required},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) is (required == "0"), done.stdout
    assert "no Chromium is installed: `make browser` as root, or DTBENCH_CHROMIUM=/path/to/one" in done.stdout
