"""What is told of an engine that ended badly."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtbench.training.engines.launch import failure_reason

TABLE = """\
    raise ChildFailedError(
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:\x20
============================================================
[1]:
  exitcode  : -15 (pid: 7)  (SIGTERM)
  traceback : Signal 15 (SIGTERM) received by PID 7
Root Cause (first observed failure):
[0]:
  exitcode  : {code}
  traceback : {why}
============================================================
"""
SEE = "To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (TABLE.format(code=-9, why="Signal 9 (SIGKILL) received by PID 8"), "Signal 9 (SIGKILL) received by PID 8"),
        ("ValueError: 7 is odd\nbye\n", "ValueError: 7 is odd"),
        ("terminate called after throwing an instance of 'x'\nbye\n", "terminate called after throwing"),
        ("Train: 50%\nKilled\n", "Killed"),
        ("", "it said nothing."),
    ],
)
def test_the_last_line_that_says_why_is_told(tmp_path: Path, said: str, why: str) -> None:
    log = tmp_path / "engine.log"
    log.write_text(said)
    assert why in failure_reason(log)


def test_an_exception_is_told_though_torchruns_table_follows(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_text("[rank1]: ValueError: 7 is odd\n" + TABLE.format(code=1, why=SEE))
    assert "ValueError: 7 is odd" in failure_reason(log)


def test_what_an_earlier_start_said_is_not_told_of_this_one(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_text("ValueError: 7 is odd\n" + TABLE.format(code=-9, why="Signal 9 (SIGKILL) received by PID 8"))
    begun = log.stat().st_size
    with log.open("a") as more:
        more.write("no such option: --x\n")
    assert failure_reason(log, begun) == "no such option: --x"
