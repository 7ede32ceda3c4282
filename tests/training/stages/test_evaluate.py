"""An evaluation that did not come to its end ends the training, whatever it was that stopped it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CODE = """
import sys
from pathlib import Path
from dtbench.harness.core.errors import MachineryError
from dtbench.training.stages.evaluate import EvalRun, is_evaluated, run_evaluation
from dtbench.training.recipe.recipe import Evaluation

folder = Path(sys.argv[1])
exam = EvalRun(sys.argv[2], folder / "eval", folder / "clips")
try:
    run_evaluation(exam, Evaluation(tasks=("mini",), limit=4))
    print("done" if is_evaluated(exam) else "lost")
except MachineryError as error:
    print(error)
"""


def evaluated(folder: Path, model: str, told: int) -> str:
    """What became of an evaluation whose words go into this file."""
    call = [sys.executable, "-c", CODE, str(folder), model]
    return subprocess.run(call, stdout=subprocess.PIPE, stderr=told, env=dict(os.environ), text=True).stdout.strip()


def test_an_evaluation_whose_complaint_nobody_reads_any_more_is_not_taken_for_done(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert "eval ended with exit 0 and is not done" in evaluated(tmp_path, "no-such-model", writing)
    os.close(writing)


def test_an_evaluation_is_done_or_says_how_it_ended(tmp_path: Path) -> None:
    with (tmp_path / "told.txt").open("w") as file:
        assert "eval ended with exit 2 and is not done" in evaluated(tmp_path, "no-such-model", file.fileno())
        assert evaluated(tmp_path, "echo-gold", file.fileno()) == "done"
