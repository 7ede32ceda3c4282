"""Lines of results on a terminal break between words, and hold what a pipe gets."""

from __future__ import annotations

import itertools

import pytest
from command import COMMAND, call
from stand_ins import DICE
from terminal import shown

from dtbench.harness.cli.next_steps import TITLE

RUNS = {"first": "first", "dice": DICE}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("runs")
    for name, model in RUNS.items():
        made = call("run", "--model", model, "--tasks", "mini", "--limit", "40", "--out", folder / name)
        assert made.code == 0
    return [str(folder / name) for name in RUNS]


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("command", ["score", "compare", "gate"])
def test_no_word_is_cut_and_none_is_lost(runs: list[str], command: str, columns: int) -> None:
    given = {
        "score": ["score", runs[0]],
        "compare": ["compare", *runs, "--power", "--flips", "3"],
        "gate": ["gate", "--baseline", runs[0], "--candidate", runs[1]],
    }[command]
    done, piped = shown([*COMMAND, *given], columns), call(*given)
    assert done.code == piped.code
    lines = [line.rstrip() for line in itertools.takewhile(lambda line: line.rstrip() != TITLE, done.left)]
    tables = [line for line in lines if "─" in line]
    assert not [line for line in lines if len(line) > columns and " " in line.strip() and line not in tables]
    spoken = [word for line in lines for word in line.split() if "─" not in word]
    assert spoken == [word for word in piped.out.split() if "─" not in word]
