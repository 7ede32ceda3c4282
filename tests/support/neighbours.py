"""The packages that read what is exported and logged: they live in .venv-neighbours, and are run from there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from required import NEIGHBOURS_NOTE

ROOT = Path(__file__).resolve().parents[2]
PYTHON = NEIGHBOURS_NOTE.parent / "bin" / "python"
DTBENCH = ("-m", "dtbench.harness.cli.main")


@cache
def _has(package: str) -> bool:
    command = [str(PYTHON), "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec({package!r}) is None)"]
    return PYTHON.exists() and subprocess.run(command, check=False, cwd="/").returncode == 0


def need_neighbour(package: str) -> None:
    """Skip where it is not installed; where the registry lacks it, with the reason that the set-up left."""
    if not _has(package):
        known = NEIGHBOURS_NOTE.read_text().strip() if NEIGHBOURS_NOTE.exists() else "`make neighbours` installs it"
        pytest.skip(f"{package} is not installed: {known}")


def neighbours_environment() -> dict[str, str]:
    """The variables of a process there: this tree, no tracker's settings, and byte code that the next one finds."""
    trackers = ("WANDB_", "MLFLOW_", "TRACKIO_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(trackers)}
    kept = {"PYTHONPYCACHEPREFIX": str(PYTHON.parents[1] / "byte-code")}
    return {**clean, **kept, "PYTHONPATH": str(ROOT / ".src")}


def run_neighbour(arguments: Sequence[str | Path], folder: Path, **environment: str) -> str:
    """Run the environment's Python over this tree in a folder; what it printed."""
    done = subprocess.run(
        [str(PYTHON), *map(str, arguments)],
        cwd=folder,
        env={**neighbours_environment(), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout
