"""What nobody foresaw ends with 3 and one line, never with 1, which is a regression that a gate found."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command import call
from made_up_run import write_run
from small_data import mmar_items, write_json


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    write_json(tmp_path / "data" / "MMAR-meta.jsonl", mmar_items(60))
    for name in ("a", "b"):
        write_run(tmp_path / name, {"mmar": tmp_path / "data"}, lambda sample, repeat: sample.choices[0])
    return tmp_path / "a", tmp_path / "b"


def test_a_gate_over_a_run_that_was_edited_to_nonsense_is_no_regression(runs: tuple[Path, Path]) -> None:
    baseline, candidate = runs
    info = json.loads((candidate / "run.json").read_text())
    info["tasks"]["mmar"]["shared_clips"] = {"": "x"}
    info["model"] = {"name": ["a", "list"]}
    (candidate / "run.json").write_text(json.dumps(info))
    done = call("gate", "--baseline", baseline, "--candidate", candidate)
    assert done.code != 1
    assert "Traceback" not in done.err


def test_an_error_that_nobody_foresaw_is_one_line_with_its_traceback_in_a_file(
    runs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ExceptionGroup("several", [ZeroDivisionError("by nothing")])

    monkeypatch.setattr("dtbench.harness.compare.gate.gate_runs", fails)
    line = call("gate", "--baseline", runs[0], "--candidate", runs[1]).refusal(3)
    assert "this should not have happened: ZeroDivisionError: by nothing" in line
    (kept,) = re.findall(r"(\S+\.txt)", line)
    assert "ExceptionGroup: several" in Path(kept).read_text()
    Path(kept).unlink()
