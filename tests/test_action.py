"""The steps of action.yml, in order, as a runner's shell would execute them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import call
from small_data import mmar_items, write_json

ACTION = Path(__file__).resolve().parents[1] / "action.yml"
QUESTIONS = 300


def stepped(inputs: Mapping[str, str], folder: Path) -> tuple[int, str, str]:
    """Run every step that is a script; the exit code of the one that failed, the job's summary and its outputs."""
    action: Any = yaml.safe_load(ACTION.read_text())
    given = {name: str(about.get("default", "")) for name, about in action["inputs"].items()} | dict(inputs)
    summary, output = folder / "summary.md", folder / "output.txt"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    surroundings = {**os.environ, "PATH": path, "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
    code = 0
    for step in action["runs"]["steps"]:
        if "run" not in step or (step["name"] == "Install dtbench" and not given["install"]):
            continue
        own = {name: filled(str(value), given) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=folder,
            env=surroundings | own,
            check=False,
            capture_output=True,
        )
        code = done.returncode
        if code:
            break
    told = [file.read_text() if file.exists() else "" for file in (summary, output)]
    return code, told[0], told[1]


def filled(text: str, inputs: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: inputs[found[1]], text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_json(tmp_path / "data" / "MMAR-meta.jsonl", mmar_items(QUESTIONS))
    where = ("--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "base")
    assert call("run", "--model", "echo-gold", *where).code == 0
    return tmp_path


INPUTS = {"tasks": "mmar", "baseline": "base", "data-dir": "data", "install": "", "max-drop": "3"}


def test_a_candidate_as_good_passes(folder: Path) -> None:
    code, summary, output = stepped({**INPUTS, "model": "echo-gold"}, folder)
    assert (code, output) == (0, "verdict=passed\n")
    assert summary.startswith("## dtbench gate: ✅ passed")
    assert (folder / "candidate" / "gate.xml").read_text().count("<testcase") == 1
    assert "echo-gold" in (folder / "candidate" / "report.html").read_text()


def test_a_worse_candidate_stops_the_job_and_says_why(folder: Path) -> None:
    code, summary, output = stepped({**INPUTS, "model": "random"}, folder)
    assert (code, output) == (1, "verdict=regressed\n")
    assert "| mmar | ❌ regressed | 100.00 |" in summary
    assert "echo-gold against random" in (folder / "candidate" / "report.html").read_text()


def test_a_subset_and_other_options_go_through(folder: Path) -> None:
    ids = [item["id"] for item in mmar_items(QUESTIONS)][:50]
    (folder / "ids.txt").write_text("\n".join(ids))
    code, _, output = stepped(
        {**INPUTS, "model": "echo-gold", "ids": "ids.txt", "options": "--concurrency 4 --seed 3"}, folder
    )
    assert code == 3, "the baseline has all questions, and what is not alike does not pass"
    assert output == "verdict=\n"


def test_a_failed_run_never_gets_to_the_gate(folder: Path) -> None:
    code, summary, output = stepped({**INPUTS, "model": "http://127.0.0.1:9/v1"}, folder)
    assert (code, summary, output) == (3, "", "")


def test_no_input_is_pasted_into_a_script() -> None:
    action: Any = yaml.safe_load(ACTION.read_text())
    assert not [step["name"] for step in action["runs"]["steps"] if "${{" in step.get("run", "")]
