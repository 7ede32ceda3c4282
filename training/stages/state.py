"""train.json: the recipe of a run, and how far it is. Written whole after every step of the way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dtbench
from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.provenance import checkout
from dtbench.training.recipe.recipe import Recipe

SCHEMA = 2
WAITING, PREPARED, TRAINED, EXPORTED, DONE = "waiting", "prepared", "trained", "exported", "done"
STATES = (WAITING, PREPARED, TRAINED, EXPORTED, DONE)
"""In the order in which a stage passes through them."""


@dataclass(slots=True)
class State:
    """How far a run is."""

    path: Path
    recipe: Mapping[str, Any]
    base: str = WAITING
    """`done` once the model that training starts from is evaluated."""
    stages: dict[str, str] = field(default_factory=dict)
    starts: list[dict[str, Any]] = field(default_factory=list)

    def reached(self, stage: str, state: str) -> bool:
        """Whether the stage is that far."""
        return STATES.index(self.stages[stage]) >= STATES.index(state)

    def set(self, stage: str, state: str) -> None:
        """Note that the stage has come this far."""
        self.stages[stage] = state
        self.write()

    def set_base(self, state: str) -> None:
        """Note how far the base is."""
        self.base = state
        self.write()

    def write(self) -> None:
        """Keep it."""
        stages = [{"name": name, "state": state} for name, state in self.stages.items()]
        content = {
            "schema": SCHEMA,
            "recipe": dict(self.recipe),
            "base": self.base,
            "stages": stages,
            "starts": self.starts,
        }
        replace_whole(self.path, json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def opened(path: Path, recipe: Recipe) -> State:
    """The state of the run in this folder; of a new one where there is none, and a UserError for another recipe's."""
    plain = json.loads(json.dumps(recipe.plain()))
    state = read(path) if path.exists() else State(path, plain, stages={one.name: WAITING for one in recipe.stage})
    if differing := sorted(differences(dict(state.recipe), plain)):
        raise UserError(
            f"--out {path.parent}: holds a run with another recipe: {', '.join(differing[:4])} differ. "
            f"Give it the same recipe to go on, or name another --out."
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    state.starts.append({"start": now, "dtbench": dtbench.__version__, "git": checkout(Path(__file__).resolve())})
    return state


def read(path: Path) -> State:
    """The state of the run in this folder; a DataError where it is damaged."""
    try:
        held = json.loads(path.read_bytes())
        stages = {one["name"]: one["state"] for one in held["stages"]}
        if held["schema"] > SCHEMA:
            raise DataError(f"{path}: written by a newer dtbench (schema {held['schema']}): update dtbench.")
        if held["schema"] < SCHEMA:
            raise DataError(
                f"{path}: written by an older dtbench (schema {held['schema']}), whose settings had other names: "
                f"name another --out, or finish it with that version."
            )
        state = State(path, held["recipe"], held["base"], stages, held["starts"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: no state of a training run ({error!r}). Restore it, or name another --out.") from None
    if unknown := [one for one in [*stages.values(), state.base] if one not in STATES]:
        raise DataError(f"{path}: the state {unknown[0]!r} is unknown. Restore it, or name another --out.")
    return state


def differences(before: Any, now: Any, name: str = "") -> set[str]:
    """The names of settings that differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        inner = (
            differences(before.get(key), now.get(key), f"{name}.{key}" if name else key) for key in {*before, *now}
        )
        return set().union(*inner)
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True))
        return set().union(*(differences(one, other, f"{name}[{at}]") for at, (one, other) in pairs))
    return set() if before == now else {name}
