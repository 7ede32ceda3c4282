"""What engine tests need, and checkpoints for them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

UNAVAILABLE = Path(sys.prefix) / "vllm-unavailable.txt"
"""Where tests/setup leaves the reason why vLLM could not be installed."""


def need(package: str) -> None:
    """Skip the test where the package is not there."""
    if importlib.util.find_spec(package) is None:
        known = UNAVAILABLE.read_text().strip() if UNAVAILABLE.exists() else "`make vllm` installs it"
        pytest.skip(f"{package} is not installed: {known}")


def tiny_checkpoint(name: str, folder: Path) -> Path:
    """A checkpoint of random weights in the folder, of a true architecture."""
    need("transformers")
    # A process of its own keeps torch, and the warnings of what it imports, out of this one.
    write = [sys.executable, "-m", "tiny_checkpoints", name, str(folder)]
    subprocess.run(write, check=True, cwd=Path(__file__).parent)
    return folder
