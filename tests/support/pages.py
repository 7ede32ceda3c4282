"""Pages of the documentation: their blocks of code, and their commands run as a reader runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    """The blocks of code in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def shell(commands: str, folder: Path, **environment: str) -> str:
    """Run the commands in a folder with this environment's dtbench, each of which has to work; what they print."""
    return _printed(["bash", "-euo", "pipefail", "-c", commands], folder, environment)


def python(code: str, folder: Path, **environment: str) -> str:
    """Run the code in a folder, in a process of its own; what it prints."""
    return _printed([sys.executable, "-c", code], folder, environment)


def _printed(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
