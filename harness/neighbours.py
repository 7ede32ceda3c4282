"""The runs that lie in one folder: the plain one, in it those with other clips, and those with the options rotated.

RUN, RUN/audio-MODE, RUN/permute-K and RUN/audio-MODE/permute-K are runs on the same questions.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtbench.harness.errors import DtbenchError
from dtbench.harness.listening import listening, order_effect

if TYPE_CHECKING:
    from dtbench.harness.store import StoredRun


def against_neighbours(run: StoredRun, task: str) -> dict[str, Any]:
    """What a run's summary says against the others: `listening` of one with other clips, `orders` of a rotated one."""
    about = run.info["tasks"][task]
    compared: dict[str, Any] = {}
    turned = bool(about.get("permute"))
    if about.get("audio", "clip") != "clip":
        home = run.path.parent.parent / run.path.name if turned else run.path.parent
        plain = _same_questions(home, run, task)
        if plain is not None:
            compared["listening"] = listening(plain.records(task), run.records(task), about.get("shared_clips") or {})
    if turned:
        runs = [_same_questions(path, run, task) for path in (run.path.parent, *_rotations(run.path.parent))]
        orders = [other.records(task) for other in runs if other is not None]
        if len(orders) > 1:
            compared["orders"] = order_effect(orders)
    return compared


def _rotations(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("permute-*/run.json"))


def _same_questions(path: Path, run: StoredRun, task: str) -> StoredRun | None:
    """The run in a folder, where there is one and it was on the same data, prompt and model."""
    try:
        other = type(run).open(path) if path != run.path else run
    except DtbenchError:
        return None
    there, here = (one.info.get("tasks", {}).get(task, {}) for one in (other, run))
    same = _asked(there) == _asked(here)
    return other if there and same and other.info.get("model") == run.info.get("model") else None


def _asked(about: dict[str, Any]) -> tuple[Any, Any]:
    """What is asked, wherever it lies."""
    return about.get("data", {}).get("sha256"), about.get("prompt_hash")
