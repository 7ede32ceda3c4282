"""Runs that formats of whole runs are tried with: right, wrong, unreadable and failed answers, chains among them."""

from __future__ import annotations

from pathlib import Path

from command import call
from made_up_run import write_run
from runs import mmar_data

from dtbench.harness.core.schema import Sample

QUESTIONS = 6


def speaks(sample: Sample, repeat: int) -> str | None:
    """Right, wrong, unreadable, failed in turn; a chain each time."""
    number = int(sample.question.rstrip("?")[-1])
    if number % 4 == 3:
        return None
    answer = (sample.answer or sample.choices[0], sample.choices[1], "Hard to say.")[number % 4]
    return f"<think>Take {repeat}: a `|` and <b>tags</b>.</think>{answer}"


def write_mmar_run(home: Path, repeats: int = 1) -> Path:
    """A finished run of made-up answers over a made-up MMAR."""
    mmar_data(home / "mmar", QUESTIONS)
    write_run(home / "run", {"mmar": home / "mmar"}, speaks, repeats=repeats)
    return home / "run"


def write_mini_run(home: Path, limit: int = 8) -> Path:
    """A run of the model that always answers the first option, over some questions of mini."""
    asked = ("run", "--model", "first", "--tasks", "mini", "--limit", str(limit), "--data-dir", home / "data")
    assert call(*asked, "--out", home / "run", "--json").code == 0
    return home / "run"
