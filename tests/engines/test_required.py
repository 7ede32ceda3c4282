"""The rule that CI skips no engine test, tried out on test files of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from required import tried_out

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
    done = tried_out("engines", content, tmp_path, DTBENCH_REQUIRE_ENGINES=required)
    passed = done.returncode in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    assert passed is (required == "0"), done.stdout
    assert "no engine here" in done.stdout or "nothing to import" in done.stdout


def test_other_skips_stay_skips(tmp_path: Path) -> None:
    done = tried_out("engines", SKIPPING_TEST.replace("@pytest.mark.engine", ""), tmp_path, DTBENCH_REQUIRE_ENGINES="1")
    assert done.returncode == 0, done.stdout
