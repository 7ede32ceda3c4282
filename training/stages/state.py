"""train.json: the recipe of a training and its progress, rewritten after every step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dtbench
from dtbench.harness.core.errors import DataError, UserError, one_line
from dtbench.harness.core.output_paths import refuse_no_folder
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.provenance import checkout
from dtbench.harness.store.run_json import is_of_a_beginning
from dtbench.training.recipe.recipe import stored_recipe, with_bundled_name
from dtbench.training.recipe.settings import Recipe
from dtbench.training.stages.layout import BASE, NODES, Layout

SCHEMA = 2
WAITING, MINED, PREPARED = "waiting", "mined", "prepared"
TRAINED, EXPORTED, DONE = "trained", "exported", "done"
STATES = (WAITING, MINED, PREPARED, TRAINED, EXPORTED, DONE)
"""In the order in which a stage reaches them; `mined` only where it mines."""


@dataclass(slots=True)
class TrainingState:
    """The progress of a training."""

    path: Path
    recipe: Mapping[str, Any]
    base: str = WAITING
    """`done` once the base is evaluated."""
    stages: dict[str, str] = field(default_factory=dict)
    starts: list[dict[str, Any]] = field(default_factory=list)

    def reached(self, stage: str, state: str) -> bool:
        """Return whether the stage has reached this state."""
        return STATES.index(self.stages[stage]) >= STATES.index(state)

    def set(self, stage: str, state: str) -> None:
        """Set the state of a stage, and write it."""
        self.stages[stage] = state
        self.write()

    def set_base(self, state: str) -> None:
        """Set the state of the base, and write it."""
        self.base = state
        self.write()

    def write(self) -> None:
        """Write the file."""
        stages = [{"name": name, "state": state} for name, state in self.stages.items()]
        content = {
            "schema": SCHEMA,
            "recipe": dict(self.recipe),
            "base": self.base,
            "stages": stages,
            "starts": self.starts,
        }
        replace_whole(self.path, json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def open_state(path: Path, recipe: Recipe) -> TrainingState:
    """Read the state of a run, or start a new one; a UserError where it has another recipe."""
    plain = json.loads(json.dumps(with_bundled_name(recipe).plain()))
    new = TrainingState(path, plain, stages={stage.name: WAITING for stage in recipe.stage})
    state = read_state(path) if path.exists() else new
    stored = json.loads(json.dumps(stored_recipe(state.recipe).plain()))  # with fields that it was begun without
    # rules only look on, so others may be taken at any time; a model in the box may have been stored by its path
    state.recipe = {**state.recipe, "model": stored["model"], "monitor": plain["monitor"]}
    if differing := sorted(differing_settings({**stored, "monitor": plain["monitor"]}, plain)):
        raise UserError(
            f"--out {path.parent}: holds a training with another recipe: {', '.join(differing[:4])} differ. "
            f"Use the same recipe to resume it, or name another --out."
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    state.starts.append({"start": now, "dtbench": dtbench.__version__, "git": checkout(Path(__file__).resolve())})
    return state


def refuse_other_folder(root: Path, recipe: Recipe) -> None:
    """Raise a UserError where no training can be: a file, or a folder that has other things in it and no training."""
    refuse_no_folder("--out", root)
    layout = Layout(root)
    if not root.exists() or layout.state.exists():
        return
    begun = {BASE, layout.clips.name, NODES, *(stage.name for stage in recipe.stage)}
    others = sorted(path.name for path in root.iterdir() if path.name not in begun and not is_of_a_beginning(path.name))
    if others:
        listed = ", ".join(map(one_line, others[:3])) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        raise UserError(f"--out {root}: no training, and not empty ({listed}): name a new or an empty folder.")


def read_state(path: Path) -> TrainingState:
    """Read the state of a run; a DataError where it is damaged."""
    try:
        content = json.loads(path.read_bytes())
        stages = {stage["name"]: stage["state"] for stage in content["stages"]}
        if content["schema"] > SCHEMA:
            raise DataError(f"{path}: written by a newer dtbench (schema {content['schema']}): update dtbench.")
        if content["schema"] < SCHEMA:
            raise DataError(
                f"{path}: written by an older dtbench (schema {content['schema']}), whose settings had other names: "
                f"name another --out, or finish it with that version."
            )
        state = TrainingState(path, content["recipe"], content["base"], stages, content["starts"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: not the state of a training ({error!r}). Restore it, or name another --out."
        ) from None
    if unknown := [value for value in [*stages.values(), state.base] if value not in STATES]:
        raise DataError(f"{path}: unknown state {unknown[0]!r}. Restore it, or name another --out.")
    return state


def differing_settings(before: Any, now: Any, name: str = "") -> set[str]:
    """Return the names of settings that differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = {key: f"{name}.{key}" if name else key for key in {*before, *now}}
        return set().union(*(differing_settings(before.get(key), now.get(key), names[key]) for key in names))
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True))
        return set().union(*(differing_settings(*pair, f"{name}[{index}]") for index, pair in pairs))
    return set() if before == now else {name}
