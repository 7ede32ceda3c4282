"""Where the engine is installed: an environment of its own, because it needs other versions than dtbench's extras."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import dtbench
from dtbench.harness.core.errors import UserError
from dtbench.training.engines.contract import Command

VARIABLE = "DTBENCH_ENGINE"
USUAL = Path(".venv-train")
"""Where `make train-env` puts it."""


def found(named: Path | None, program: str) -> Path:
    """The environment that holds the program; a UserError that says how to come by one."""
    places = [named] if named is not None else _usual()
    for place in places:
        if (place / "bin" / program).is_file():
            return place.resolve()
    looked = ", ".join(map(str, places))
    raise UserError(
        f"no `{program}` in {looked}: ms-swift is not there. `make train-env` installs it into {USUAL}; for another "
        f"environment give --engine FOLDER or set {VARIABLE}."
    )


def _usual() -> list[Path]:
    own = [Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else []
    return [*own, USUAL, Path(sys.prefix)]


def within(command: Command, place: Path) -> Command:
    """The command as that environment runs it, with this dtbench in reach of its plug-in."""
    program, *rest = command.arguments
    path = os.pathsep.join([str(place / "bin"), os.environ.get("PATH", "")])
    ours = Path(dtbench.__file__).parent.parent
    # A checkout's folder holds nothing but dtbench; of an installed one all packages would come along.
    python = {"PYTHONPATH": str(ours)} if ours.name == ".src" else {}
    return Command([str(place / "bin" / program), *rest], {**command.environment, **python, "PATH": path})
