"""What a run shows while it goes on."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from command import COMMAND
from runs import mmar_data, write_script
from terminal import shown as shown_on_terminal

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.run.plan import PromptForm, TaskPlan
from dtbench.harness.run.progress import ProgressDisplay
from dtbench.harness.run.worker_pool import Progress
from dtbench.tasks.registry import get_task


def plan(name: str = "mmar", notes: Sequence[str] = ()) -> TaskPlan:
    return TaskPlan(get_task(name), Dataset([], "v2", "here", notes), 1, PromptForm())


def shown(
    tally: Progress, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str = "mmar"
) -> str:
    """The line that tells how far a task is, ten seconds after its begin."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with ProgressDisplay(quiet=False) as bars:
        bars.begin(plan(name), Progress(tally.expected), torn=0)
        bars.show(Progress(tally.expected, 1, 1))
        clock[0] += 10.0
        bars.show(tally)
    out, err = capsys.readouterr()
    assert out == ""
    return err


@pytest.mark.parametrize(
    ("tally", "line"),
    [
        (
            Progress(1000, 150, 50, correct=20, unanswered=5, failed=10),
            "mmar: 150 of 1000, 5.0/s, 2 min 50 s left, 50.0% right, 5 unanswered, 10 failed\n",
        ),
        (Progress(10, 10, 10, failed=10), "mmar: 10 of 10, 1.0/s, 0 unanswered, 10 failed\n"),
        (
            Progress(90000, 1, 1, correct=1),
            "mmar: 1 of 90000, 0.1/s, 249 h 59 min left, 100.0% right, 0 unanswered, 0 failed\n",
        ),
        (Progress(20, 0), "mmar: 0 of 20, 0 unanswered, 0 failed\n"),
    ],
)
def test_a_line_tells_rate_time_accuracy_and_what_went_wrong(
    tally: Progress, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown(tally, capsys, monkeypatch) == line


def test_where_the_answers_are_withheld_no_accuracy_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "right" not in shown(Progress(20, 10, 10), capsys, monkeypatch, "mmau-test")


def test_what_is_known_before_the_first_question_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay(quiet=False) as bars:
        bars.begin(plan(notes=["two clips are not there"]), Progress(10, 4), torn=1)
    assert capsys.readouterr().err.splitlines() == [
        "mmar: two clips are not there",
        "mmar: 1 answer that an interrupted start did not write whole is asked for again",
        "mmar: 4 of 10 answers are there already",
    ]


def test_where_output_is_for_machines_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay(quiet=True) as bars:
        bars.begin(plan(notes=["two clips are not there"]), Progress(10, 4), torn=1)
        bars.notify("anything")
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_each_task_has_a_bar_in_one_line(tmp_path: Path) -> None:
    mmar_data(tmp_path / "data", 30)
    model = write_script(tmp_path / "script.jsonl", [{"text": "(A)", "sleep": 0.1}, {"text": "Hm.", "sleep": 0.1}])
    asked = ("run", *model, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "run")
    said = on_a_terminal([*COMMAND, *map(str, asked), "--concurrency", "6"])
    states = [line for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)) if "/30" in line]
    assert len(states) > 3
    assert all(line.startswith("mmar ") for line in states)
    assert any(
        re.search(r"\d+/30 [\d.]+/s, \d+ s left, [\d.]+% right, \d+ unanswered, 0 failed", line) for line in states
    )
    assert re.search(r"30/30 [\d.]+/s, 50.0% right, 15 unanswered, 0 failed", states[-1])


def test_on_a_narrow_terminal_the_count_stays_and_the_bar_goes(tmp_path: Path) -> None:
    mmar_data(tmp_path / "data", 6)
    model = write_script(tmp_path / "script.jsonl", [{"text": "(A)", "sleep": 0.2}])
    asked = ("run", *model, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "run")
    said = on_a_terminal([*COMMAND, *map(str, asked)], columns="40")
    states = re.findall(r"mmar \d/6 [^\r\n]*", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said))
    assert states
    assert all(len(line.rstrip()) <= 40 for line in states)


def test_a_terminal_that_cannot_go_back_gets_no_bar(tmp_path: Path) -> None:
    mmar_data(tmp_path / "data", 2)
    model = write_script(tmp_path / "script.jsonl", [{"text": "(A)"}])
    asked = ("run", *model, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "run")
    assert "2/2" not in on_a_terminal([*COMMAND, *map(str, asked)], term="dumb")


def on_a_terminal(command: Sequence[str], columns: str = "100", term: str = "xterm") -> str:
    """What a command shows on a terminal, of 100 columns unless told otherwise."""
    said = shown_on_terminal(command, COLUMNS=columns, TERM=term)
    assert said.code == 0
    return said.screen
