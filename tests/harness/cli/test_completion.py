"""What a shell fills in: values of options as well as their names, fast, and in a real shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from command import COMMAND, call, process

from dtbench.harness.audio.modes import AUDIO_MODES
from dtbench.harness.cli.completion import completer
from dtbench.harness.core import options
from dtbench.harness.core.options import Option
from dtbench.harness.core.task import STYLES
from dtbench.harness.extract.evidence import EVIDENCE_LEVELS
from dtbench.harness.run.request import RunRequest
from dtbench.tasks.registry import TASKS

FOR_THE_SHELL = {"files", "folders"}
"""Sources that a shell completes by itself."""


def filled_in(*words: str, cwd: Path | None = None) -> Sequence[str]:
    """What bash would fill in for the last word."""
    environment = {"COMP_WORDS": " ".join(["dtbench", *words]), "COMP_CWORD": str(len(words))}
    done = subprocess.run(
        COMMAND,
        cwd=cwd,
        env={**os.environ, **environment, "_DTBENCH_COMPLETE": "complete_bash"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("run", "--answer", ""), STYLES),
        (("run", "--audio", "s"), [mode for mode in AUDIO_MODES if mode.startswith("s")]),
        (("run", "--min-evidence", ""), EVIDENCE_LEVELS),
        (("run", "--backend", ""), ("vllm", "local", "openai")),
        (("run", "--log", "w"), ("wandb",)),
        (("score", "--task", "mma"), [name for name in TASKS if name.startswith("mma")]),
        (("data", "pull", "mms"), ("mmsu",)),
        (("run", "--tasks", "mmar,mms"), ("mmar,mmsu",)),
        (("models", "qwen2.5"), ("qwen2.5-omni",)),
        (("run", "--model", "echo"), ("echo-gold",)),
        (("run", "--model", "random", "-M", ""), ("help", "seed=")),
        (("run", "-M", "top_"), ("top_p=", "top_k=")),
        (("train", "mi"), ("mini", "mini-hop", "mini-lure")),
        (("report", "--clips", ""), ("embed", "link", "none")),
        (("gate", "--undecided", ""), ("pass", "fail")),
        (("chains", "--captioner-m"), ("--captioner-model",)),
        (("gat",), ("gate",)),
    ],
)
def test_names_and_values_are_filled_in(words: tuple[str, ...], values: Sequence[str]) -> None:
    assert list(filled_in(*words)) == list(values)


def test_run_folders_are_found_where_runs_are(tmp_path: Path) -> None:
    for folder in ("first", "runs/second", "results/runs/third", "results/runs/third/answer-think", "deep/er/fourth"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "run.json").write_text("{}")
    (tmp_path / "runs" / "no-run").mkdir()
    assert set(filled_in("report", "", cwd=tmp_path)) == {
        "first",
        "runs/second",
        "results/runs/third",
        "results/runs/third/answer-think",
    }
    assert filled_in("gate", "--baseline", "deep/er/", cwd=tmp_path) == ["deep/er/fourth"]
    assert filled_in("report", "nothing", cwd=tmp_path) == []


def test_checkpoints_are_found_by_their_folder(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "config.json").write_text("{}")
    assert filled_in("run", "--model", "wei", cwd=tmp_path) == ["weights"]


def test_every_source_of_values_is_known() -> None:
    marks: list[Any] = [mark for kind in vars(options).values() for mark in get_args(kind)]
    hints = get_type_hints(RunRequest, include_extras=True)
    marks += [mark for field in fields(RunRequest) for mark in get_args(hints[field.name])]
    named = {mark.values for mark in marks if isinstance(mark, Option) and isinstance(mark.values, str)}
    assert named > FOR_THE_SHELL
    assert {name for name in named if completer(name) is None} == FOR_THE_SHELL


def test_completion_loads_nothing_heavy() -> None:
    code = (
        "import os, sys\n"
        "os.environ.update(_DTBENCH_COMPLETE='complete_bash', COMP_WORDS='dtbench run --model q', COMP_CWORD='3')\n"
        "from dtbench.harness.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n"
        "    print(*({'rich', 'numpy', 'torch', 'vllm', 'pyarrow'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "qwen2.5-omni" in done.stdout
    assert done.stderr.strip() == ""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_fills_values_in_by_the_script_that_dtbench_prints(tmp_path: Path) -> None:
    program = tmp_path / "dtbench"
    program.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    script = process(_DTBENCH_COMPLETE="source_bash")
    assert script.code == 0
    asked = (
        f'COMP_WORDS=(dtbench run --answer th); COMP_CWORD=3; _dtbench_completion {program}; echo "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", f"{script.out}\n{asked}"], capture_output=True, text=True, check=True)
    assert done.stdout == "think\n"


def test_without_a_shell_asking_nothing_of_it_is_loaded() -> None:
    assert call("run", "--help").code == 0
    code = "import sys, dtbench.harness.cli.run; print('dtbench.harness.cli.completion' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"
