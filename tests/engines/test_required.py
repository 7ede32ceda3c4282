"""The rule that CI skips no engine test, tried out on test files of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SKIPPING_TEST = """
import pytest

@pytest.mark.engine
def test_that_has_no_engine():
    pytest.skip("no engine here")
"""
SKIPPING_FILE = """
import pytest

pytest.skip("nothing to import", allow_module_level=True)
"""


@pytest.mark.parametrize("content", [SKIPPING_TEST, SKIPPING_FILE], ids=["a test", "a file"])
@pytest.mark.parametrize("required", ["0", "1"])
def test_a_skip_fails_only_where_engines_are_required(tmp_path: Path, content: str, required: str) -> None:
    done = run_pytest(tmp_path, content, required)
    passed = done.returncode in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    assert passed is (required == "0"), done.stdout
    assert "no engine here" in done.stdout or "nothing to import" in done.stdout


def test_other_skips_stay_skips(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, SKIPPING_TEST.replace("@pytest.mark.engine", ""), "1")
    assert done.returncode == 0, done.stdout


def run_pytest(folder: Path, content: str, required: str) -> subprocess.CompletedProcess[str]:
    """pytest in a process of its own, over one file beside a copy of this folder's conftest."""
    shutil.copy(HERE / "conftest.py", folder)
    (folder / "test_it.py").write_text(content)
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {HERE.parent / 'support'}\nmarkers = engine: x\n")
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", str(folder)]
    environment = os.environ | {"DTBENCH_REQUIRE_ENGINES": required}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
