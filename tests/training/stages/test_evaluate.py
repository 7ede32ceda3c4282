"""An evaluation that did not come to its end ends the training, whatever it was that stopped it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dtbench.harness.core.options import parse_pairs
from dtbench.harness.core.typed_settings import read_options
from dtbench.models.vllm.model import VllmSettings
from dtbench.tasks.mini import DESCRIBED
from dtbench.training.data.rows_task import SPEC as ROWS
from dtbench.training.recipe.settings import Evaluation
from dtbench.training.stages.evaluate import (
    EvalRun,
    _side_by_side,
    continue_edited,
    edited_folder,
    is_edited,
    run_arguments,
    run_evaluations,
    task_data,
)

CODE = """
import sys
from pathlib import Path
from dtbench.harness.core.errors import MachineryError
from dtbench.training.stages.evaluate import EvalRun, is_evaluated, run_evaluations
from dtbench.training.recipe.settings import Evaluation

folder = Path(sys.argv[1])
exam = EvalRun(sys.argv[2], folder / "eval", folder / "clips")
try:
    run_evaluations([exam], Evaluation(tasks=("mini",), limit=4), folder / "lock")
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
    assert "eval did not finish (exit 2)" in evaluated(tmp_path, "no-such-model", writing)
    os.close(writing)


def test_an_evaluation_is_done_or_says_how_it_ended(tmp_path: Path) -> None:
    with (tmp_path / "told.txt").open("w") as file:
        assert "eval did not finish (exit 2)" in evaluated(tmp_path, "no-such-model", file.fileno())
        assert evaluated(tmp_path, "echo-gold", file.fileno()) == "done"


def test_an_evaluation_that_was_killed_says_so(tmp_path: Path) -> None:
    """By itself, at the first question, which nobody answers."""
    model = tmp_path / "fatal.py"
    model.write_text("import os, signal\n\n\ndef fatal() -> None:\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    with (tmp_path / "told.txt").open("w") as file, pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
        told = evaluated(tmp_path, "fatal:fatal", file.fileno())
    assert told.endswith("eval was killed (exit 137). Fix it, then run the same command again to resume.")


def test_answers_without_a_chain_have_none_edited_and_the_training_goes_on(tmp_path: Path) -> None:
    run, evaluation = EvalRun("first", tmp_path / "out", tmp_path), Evaluation(tasks=("mini-hop",), limit=2, faithful=2)
    run_evaluations([run], evaluation, tmp_path / "lock")
    continue_edited(run, ["mini-hop"], evaluation, tmp_path / "lock")
    assert not is_edited(run, "mini-hop")
    assert not edited_folder(run, "mini-hop").exists()


def test_an_evaluation_asks_under_the_system_prompt_of_the_training(tmp_path: Path) -> None:
    """Which may look like a file, and is trimmed as the engine's is."""
    run = EvalRun("echo-gold", tmp_path / "eval", tmp_path / "clips", "{question}\n{options}\nthink", " ./listen.txt\n")
    run_evaluations([run], Evaluation(tasks=("mini",), limit=1), tmp_path / "lock")
    asked = json.loads((run.folder / "run.json").read_text())["tasks"]["mini"]["prompt"]
    assert asked == "./listen.txt\n\n{question}\n(A) {option 1}\n(B) {option 2}\nthink"


def test_the_options_of_an_evaluation_reach_the_run_whatever_their_type(tmp_path: Path) -> None:
    given = {"temperature": 1e-5, "max_tokens": 64, "model": "a b", "extra": {"logit_bias": {"1": 2}, "echo": True}}
    run = EvalRun("echo-gold", tmp_path / "eval", tmp_path / "clips")
    arguments = run_arguments(run, Evaluation(tasks=("mini",), options=given))
    pairs = parse_pairs([value for flag, value in itertools.pairwise(arguments) if flag == "-M"])
    settings = read_options(VllmSettings, pairs, "it")
    assert {name: getattr(settings, name) for name in given} == given


def test_evaluations_of_one_folder_come_one_after_the_other() -> None:
    first, second, third = (EvalRun("m", Path(name), Path("clips")) for name in "abc")
    shuffled = first._replace(audio="shuffle")
    assert _side_by_side([first, second, shuffled, third], 2) == [[first, shuffled], [second, third]]
    assert _side_by_side([first, shuffled], 2) == [[first, shuffled]]


@pytest.mark.parametrize(
    ("tasks", "is_made"),
    [
        (("mini",), True),
        (("mini-hop", "mini-lure"), True),
        ((DESCRIBED,), True),
        ((ROWS,), True),
        (("mini-hop", "mmar"), False),
    ],
)
def test_a_training_says_where_clips_lie_that_tasks_make_themselves(tasks: tuple[str, ...], is_made: bool) -> None:
    run = EvalRun("m", Path("out"), Path("clips"), tasks=tasks)
    assert task_data(run, Evaluation(tasks=("mini",))) == (Path("clips") if is_made else None)


@pytest.mark.parametrize(
    ("audio", "limit", "ablation", "asked"),
    [("shuffle", None, 5, "5"), ("shuffle", 3, 5, "3"), ("shuffle", 3, None, "3"), ("clip", 7, 5, "7")],
)
def test_with_shuffled_clips_as_many_questions_are_asked_as_both_limits_allow(
    audio: str, limit: int | None, ablation: int | None, asked: str
) -> None:
    evaluation = Evaluation(tasks=("mini",), limit=limit, ablation_limit=ablation)
    words = run_arguments(EvalRun("m", Path("eval"), Path("clips"), audio=audio), evaluation)
    assert words[words.index("--limit") + 1] == asked
