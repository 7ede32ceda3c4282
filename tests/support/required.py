"""The rule that CI skips no heavy test: DTBENCH_REQUIRE_ENGINES=1 makes a failure of such a skip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent

REQUIRED = os.environ.get("DTBENCH_REQUIRE_ENGINES") == "1"
NEIGHBOURS_NOTE = TESTS.parent / ".venv-neighbours" / "every-eval-ever-unavailable.txt"
"""Where tests/setup leaves the reason why the registry has not all of the packages that read our formats."""


def failed_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Make a failure of a skip, where everything is required; not of one that says what the registry lacks."""
    note = NEIGHBOURS_NOTE.read_text().strip() if NEIGHBOURS_NOTE.exists() else ""
    if REQUIRED and report.skipped and not (note and note in str(report.longrepr)):
        report.outcome = "failed"
        report.longrepr = f"DTBENCH_REQUIRE_ENGINES=1, and this was skipped: {report.longrepr}"


def tried_out(folder: str, content: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """pytest in a process of its own over one file, as if it lay in that folder of ours."""
    tests = home / "tests"  # so called as here: a folder's bare name is that of a module
    (tests / folder).mkdir(parents=True)
    for name in ("conftest.py", f"{folder}/conftest.py"):
        shutil.copy(TESTS / name, tests / name)
    (tests / folder / "test_it.py").write_text(content)
    markers = "".join(f"\n  {name}: x" for name in ("engine", "browser", "neighbour"))
    paths = f"{TESTS / 'support'} {TESTS / 'setup'}"
    (home / "pytest.ini").write_text(f"[pytest]\npythonpath = {paths}\nmarkers ={markers}\n")
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", "--import-mode=importlib", str(home)]
    return subprocess.run(command, cwd=home, env=os.environ | environment, capture_output=True, text=True, check=False)
