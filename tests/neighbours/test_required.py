"""The rule that CI skips no test of a neighbour, tried out where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from required import tried_out

TEST = """
import pytest

@pytest.mark.neighbour
def test_that_needs_a_neighbour():
    pytest.skip("no neighbour here")
"""


def test_a_missing_neighbour_is_a_failure_in_ci(tmp_path: Path) -> None:
    done = tried_out("browser", TEST, tmp_path, DTBENCH_REQUIRE_ENGINES="1")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "no neighbour here" in done.stdout


def test_what_the_registry_lacks_is_a_skip_in_ci_too_with_the_reason(tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("every-eval-ever cannot be installed: no such package\n")
    noted = f"import pathlib, pytest, required\n\nrequired.NEIGHBOURS_NOTE = pathlib.Path({str(note)!r})\n"
    content = TEST.replace("import pytest\n", noted).replace(
        '"no neighbour here"', "required.NEIGHBOURS_NOTE.read_text()"
    )
    done = tried_out("browser", content, tmp_path, DTBENCH_REQUIRE_ENGINES="1")
    assert done.returncode == 0, done.stdout
    assert "every-eval-ever cannot be installed: no such package" in done.stdout
