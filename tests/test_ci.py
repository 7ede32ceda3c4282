"""What GitHub and pre-commit start: the commands that we run ourselves, and no others."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]


def hooks() -> dict[str, list[str]]:
    """The words of each hook's command."""
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local", "a hook from elsewhere would bring versions of its own"
    return {hook["id"]: shlex.split(hook["entry"]) for hook in repository["hooks"]}


def test_the_workflow_runs_what_ci_is_and_nothing_beside_it() -> None:
    workflow: Any = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert set(workflow[True]) == {"push", "pull_request"}  # YAML 1.1 reads the key `on` so
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert job["timeout-minutes"] <= 90
    assert workflow["permissions"] == {"contents": "read"}


def test_the_hooks_are_the_commands_of_make_lint() -> None:
    make = ["make", "--dry-run", "--silent", "--assume-old=.venv/.dev", "lint"]
    lint = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    commands = [words for name, words in hooks().items() if name != "large-files"]
    assert commands == [shlex.split(line) for line in lint]
    programs = [words[0].removeprefix(".venv/bin/") for words in commands]
    assert all(Path(sys.executable).with_name(program).is_file() for program in programs)


def test_a_file_over_a_megabyte_is_refused_by_name(tmp_path: Path) -> None:
    for name, size in (("small", 1_000_000), ("too large", 1_000_001)):
        (tmp_path / name).write_bytes(bytes(size))
    command = hooks()["large-files"]
    good, bad = (
        subprocess.run([*command, *names], cwd=tmp_path, capture_output=True, text=True, check=False)
        for names in (["small"], ["small", "too large", "small"])
    )
    assert (good.returncode, good.stdout) == (0, "")
    assert (bad.returncode, bad.stdout) == (1, "too large: over 1 MB\n")
