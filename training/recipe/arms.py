"""Arms of a recipe: lists of stages that are trained in place of its own, and everything else stays as it is.

[[arm]]
name = "accuracy-only"
[[arm.stage]]
extends = "stage-1"          # a stage of the recipe: what is not said here is as it is there
rewards = { accuracy = 1 }   # in place of all of its rewards
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dtbench.harness.core.arguments import known_settings
from dtbench.harness.core.errors import UserError, did_you_mean

Table = Mapping[str, Any]
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def stages_of_arms(table: Table, where: str) -> dict[str, Sequence[Table]]:
    """Arm -> tables of its stages, each with what it has from the stage that it is like."""
    arms = table.get("arm", [])
    if not _are_tables(arms):
        raise UserError(f"{where}: arm: tables are expected, each with a name: [[arm]].")
    own = table.get("stage", [])
    known = {str(stage.get("name")): stage for stage in own} if _are_tables(own) else {}
    found: dict[str, Sequence[Table]] = {}
    for arm in arms:
        name = arm.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in found:
            raise UserError(f"{where}: arm {name!r}: another name is expected, such as 'accuracy-only'.")
        found[name] = _stages(arm, known, f"{where}: arm {name}")
    return found


def _stages(arm: Table, known: Mapping[str, Table], where: str) -> Sequence[Table]:
    if unknown := [key for key in arm if key not in {"name", "stage"}]:
        raise UserError(f"{where}: unknown setting {unknown[0]!r}. {did_you_mean(unknown[0], ('name', 'stage'))}")
    stages = arm.get("stage", [])
    if not stages or not _are_tables(stages):
        raise UserError(f"{where}: at least one [[arm.stage]] is expected.")
    return [_whole(stage, known, where) for stage in stages]


def _whole(stage: Table, known: Mapping[str, Table], where: str) -> Table:
    """A stage with what it leaves to the one that it is like; where it says steps, epochs are not left to that one."""
    if "like" in stage:
        raise UserError(f"{where}: stage: unknown setting 'like'. {known_settings('like', ['extends'])}")
    if "extends" not in stage:
        return stage
    base = stage["extends"]
    if base not in known:
        raise UserError(f"{where}: extends = {base!r}: no stage of the recipe. {did_you_mean(str(base), known)}")
    lengths = {"steps", "epochs"}
    left = {key: value for key, value in known[base].items() if not (key in lengths and lengths & stage.keys())}
    return {**left, **{key: value for key, value in stage.items() if key != "extends"}}


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)
