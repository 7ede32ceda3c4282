"""What the journeys run with a checkpoint, run with the one in the box, by transformers in place of vLLM."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from engines import need
from journeys import page, script_of
from runs import audible_data

from dtbench.models.checkpoints.families import built_in_families

pytestmark = pytest.mark.engine


def shown(name: str, start: str) -> str:
    """The command of a page that begins so, with transformers and short answers."""
    (command,) = re.findall(rf"^    ({re.escape(start)}.*)$", page(name).read_text(encoding="utf-8"), re.MULTILINE)
    return f"{command} --backend local -M max_tokens=32"


def bash(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    for name in ("my-checkpoint", "my-lora"):
        (folder / name).symlink_to(str(built_in_families()["mini"].checkpoint), target_is_directory=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_checkpoint_answers_the_trial_of_the_submission_and_then_the_rest(tmp_path: Path) -> None:
    need("transformers")
    audible_data(tmp_path / "data" / "mmar", 12)
    trial = shown("submission", "dtbench run --model ./my-lora")
    assert "--limit 10" in trial
    both = f"{trial}\n{trial.replace('--limit 10 ', '')}"
    done = bash(both, tmp_path, DTBENCH_DATA=str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    assert "10 of 12 answers are there already" in done.stderr
    (task,) = json.loads((tmp_path / "runs" / "my-lora" / "summary.json").read_text())["tasks"]
    assert (task["n"], task["failed"]) == (12, 0)


def test_a_family_of_ones_own_answers_a_benchmark_of_ones_own(tmp_path: Path) -> None:
    need("transformers")
    before = script_of(page("own")).partition("dtbench run --model random")[0]
    own = f"{before}\n{shown('own', 'dtbench run --model mine.toml')} --limit 8"
    family = re.search(r"^```toml\n(\[my-model\].*?)^```$", page("own").read_text(encoding="utf-8"), re.M | re.S)
    assert family is not None
    (tmp_path / "mine.toml").write_text(family[1])
    done = bash(own, tmp_path)
    assert done.returncode == 0, done.stderr
    run = json.loads((tmp_path / "runs" / "mine" / "run.json").read_text())
    assert run["tasks"]["calls"]["chain"] == ["<reason>", "</reason>"]
    (task,) = json.loads((tmp_path / "runs" / "mine" / "summary.json").read_text())["tasks"]
    assert (task["n"], task["failed"]) == (8, 0)
