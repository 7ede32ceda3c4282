"""`export --format eee`, held against the validator of every-eval-ever itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import call
from exported_runs import write_mini_run, write_mmar_run
from neighbours import need_neighbour, run_neighbour

pytestmark = pytest.mark.neighbour


@pytest.fixture(autouse=True)
def _validator() -> None:
    need_neighbour("every_eval_ever")


def validated(folder: Path) -> str:
    files = [file.relative_to(folder) for file in sorted(folder.rglob("*.json*"))]
    assert len(files) == 2
    return run_neighbour(["-m", "every_eval_ever", "validate", *files], folder)


@pytest.mark.parametrize("options", [(), ("--with-text",)], ids=["text withheld", "with its text"])
def test_the_validator_accepts_a_run_with_chains_failures_and_several_answers(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    run = write_mmar_run(tmp_path, repeats=2)
    assert call("export", run, "--format", "eee", "--out", tmp_path / "eee", *options).code == 0
    assert "2 passed, 0 warning-only, 0 failed" in validated(tmp_path / "eee")


def test_the_validator_accepts_a_run_without_tokens(tmp_path: Path) -> None:
    run = write_mini_run(tmp_path)
    assert call("export", run, "--format", "eee", "--out", tmp_path / "eee").code == 0
    assert "2 passed, 0 warning-only, 0 failed" in validated(tmp_path / "eee")
