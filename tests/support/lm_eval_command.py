"""lm-eval's own command as a user has it, and the files that it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from command import Done


class Files(NamedTuple):
    """What lies under an output path."""

    results: Mapping[str, Any]
    """The one results file."""
    lines: Mapping[str, list[dict[str, Any]]]
    """The lines of samples of each task."""

    def figures(self, task: str) -> Mapping[str, Any]:
        """The metrics of a task and their standard errors."""
        return {name: value for name, value in self.results["results"][task].items() if "," in name}


def lm_eval(home: Path, *arguments: str | Path) -> Done:
    """Run it, with its caches in a folder and without the hub."""
    command = [str(Path(sys.executable).with_name("lm_eval")), *map(str, arguments)]
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home / "hub")}
    done = subprocess.run(command, env=os.environ | offline, capture_output=True, check=False, cwd=home)
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def files_of(folder: Path) -> Files:
    """What it wrote, found by lm-eval's own names of files."""
    (results,) = folder.glob("**/results_*.json")
    lines = {
        path.name.removeprefix("samples_").rpartition("_")[0]: [
            json.loads(line) for line in path.read_text().splitlines()
        ]
        for path in folder.glob("**/samples_*.jsonl")
    }
    return Files(json.loads(results.read_text()), lines)
