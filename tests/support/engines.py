"""What the tests of engines share: the skip where one is lacking, and processes of their own for torch."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from command import Done, process

ROOT = Path(__file__).resolve().parents[2]

UNAVAILABLE = Path(sys.prefix) / "vllm-unavailable.txt"
"""Where tests/setup leaves the reason why vLLM could not be installed."""

ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""Several threads of torch wait for each other on a busy machine: a test of a minute took eight. Set for all tests."""
ONE_PROCESS = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
"""vLLM's engine computes in its own process; by default it starts one more for that, which imports everything again."""


def need(package: str) -> None:
    """Skip where it is not installed."""
    if importlib.util.find_spec(package) is None:
        known = UNAVAILABLE.read_text().strip() if UNAVAILABLE.exists() else "`make vllm` installs it"
        pytest.skip(f"{package} is not installed: {known}")


def write_checkpoints(folders: Mapping[str, Path]) -> None:
    """Write tiny checkpoints, each by the short name of its architecture."""
    apart("tiny_checkpoints", *(word for pair in folders.items() for word in pair))


def apart(module: str, *arguments: str | Path, given: str = "", **environment: str) -> str:
    """Run a module of this folder in a process of its own, which keeps torch and its warnings; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=Path(__file__).parent,
        input=given,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


class Demo(NamedTuple):
    """`dtbench demo --backend local`, typed in an empty folder."""

    home: Path
    """The folder."""
    done: Done

    @property
    def run(self) -> Path:
        """The folder of its run."""
        return self.home / "results" / "runs" / "demo-local"


def demo_in(home: Path) -> Demo:
    """Type it in this folder; or take what `make demo` printed and left, where .ci/run has just had it do so."""
    by_make, printed = ROOT / "results" / "runs" / "demo-local", os.environ.get("DTBENCH_DEMO")
    if printed and by_make.is_dir():
        shutil.copytree(by_make, home / "results" / "runs" / by_make.name)
        return Demo(home, Done(0, Path(printed).read_text(encoding="utf-8"), ""))
    with contextlib.chdir(home):
        return Demo(home, process("demo", "--backend", "local", PYTHONPATH=source()))


def source() -> str:
    """Where this process imports from, for one in another folder."""
    return os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path if entry)
