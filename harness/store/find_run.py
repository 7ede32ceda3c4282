"""Which run a folder means: its own, or the only one inside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.regular_files import read_regular

TRAINING_FILE = "train.json"
"""What a training's folder holds in place of a run.json."""
_DEPTH = 3
_LISTED = 6


def find_run(path: Path) -> Path:
    """Return the folder of the run that is meant; a UserError where there are several inside.

    A folder without any is returned as it is: whoever opens it says what it lacks.
    """
    if not path.is_dir() or (path / "run.json").exists() or (path / TRAINING_FILE).exists():
        return path
    runs = sorted(inside for inside in _made_inside(path, _DEPTH) if kind_of(inside) == "run")
    if len(runs) > 1:
        listed = ", ".join(map(str, runs[:_LISTED]))
        more = f" and {len(runs) - _LISTED} more" if len(runs) > _LISTED else ""
        raise UserError(f"{path}: it is not a run itself, but holds {len(runs)} inside: {listed}{more}. Name one.")
    return runs[0] if runs else path


def kind_of(path: Path) -> str | None:
    """Return the command that made a folder; None where its run.json says nothing."""
    try:
        info = json.loads(read_regular(path / "run.json"))
    except (OSError, ValueError, RecursionError):
        return None
    kind = info.get("kind") if isinstance(info, dict) else None
    return kind if isinstance(kind, str) else None


def what_is_there(path: Path) -> str:
    """Say what a folder without a run is, and what to name in its place."""
    if (path / TRAINING_FILE).exists():
        evaluations = sorted(str(file.parent) for file in path.glob("*/eval*/run.json"))
        such = f", such as {evaluations[0]}" if evaluations else ""
        return f"`dtbench train` made this folder; name the run of one of its evaluations{such}."
    for inside in _made_inside(path, 1):
        if (kind := kind_of(inside)) not in {None, "run"}:
            return f"`dtbench {kind}` made this folder; name one of `dtbench run`."
    return "not a run folder: there is no run.json in it. `dtbench run --out` makes one."


def judged_run(path: Path) -> Path | None:
    """Return the run whose chains a judge scored in this folder; None where that is not known."""
    if (path.parent / "run.json").exists():
        return path.parent
    try:
        summary = json.loads(read_regular(path / "summary.json"))
    except (OSError, ValueError, RecursionError):
        return None
    run = summary.get("run") if isinstance(summary, dict) else None
    return Path(run) if isinstance(run, str) and (Path(run) / "run.json").exists() else None


def _made_inside(path: Path, depth: int) -> Iterator[Path]:
    """Yield the topmost folders inside that have a run.json."""
    try:
        folders = sorted(inside for inside in path.iterdir() if inside.is_dir() and not inside.name.startswith("."))
    except OSError:
        return
    for inside in folders:
        if (inside / "run.json").exists():
            yield inside
        elif depth > 1 and not (inside / TRAINING_FILE).exists():
            yield from _made_inside(inside, depth - 1)
