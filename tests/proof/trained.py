"""Finished trainings of one recipe, read from their folders; every figure is taken anew from the answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.tasks.mini_world.splits import BOUNDARY, DIFFICULTIES
from dtbench.training.recipe.recipe import stored_recipe
from dtbench.training.recipe.settings import Recipe
from dtbench.training.stages import state
from dtbench.training.stages.layout import BASE, Layout
from dtbench.training.stages.outcome import AS_TRAINED, StageGain, is_base_row, outcome_table, stage_gains

TASK = "mini"
"""Whose criteria can be checked without a judge."""
NEAR = BOUNDARY
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training."""

    layout: Layout
    recipe: Recipe
    table: Mapping[str, Any]
    """As `outcome` has it."""

    @property
    def label(self) -> str:
        """How tables call it: its arm, or the recipe itself."""
        return self.recipe.arm or "the recipe"

    @property
    def steps(self) -> int:
        """Of all stages."""
        return sum(stage.steps or 0 for stage in self.recipe.stage)

    @property
    def last(self) -> str:
        """The name of its last stage."""
        return self.recipe.stage[-1].name

    def row(self, name: str) -> Row:
        """What the answers of one model under one prompt come to."""
        return next(row for row in self.table["rows"] if (row["task"], row["name"]) == (TASK, name))

    @property
    def base_rows(self) -> Sequence[Row]:
        """The untrained model under each prompt."""
        return [row for row in self.table["rows"] if row["task"] == TASK and is_base_row(row["name"])]

    @property
    def best(self) -> Row:
        """The untrained model under the prompt that serves it best."""
        return next(row for row in self.base_rows if row["best"])

    @property
    def as_trained(self) -> Row:
        """The untrained model under the prompt of the training."""
        return self.row(f"{BASE}, {AS_TRAINED}")

    @property
    def shuffled(self) -> Row | None:
        """The last stage with the clips of other questions; None where it was not asked so."""
        name = f"{self.last}, shuffled clips"
        return next((row for row in self.table["rows"] if (row["task"], row["name"]) == (TASK, name)), None)

    def gain(self, stage: str, *, best: bool) -> StageGain:
        """A stage over the base's direct answers, or over those under its best prompt."""
        return next(one for one in stage_gains(self.table, TASK) if one.stage == stage and one.best is best)


def accuracy(row: Row, difficulty: str | None = None) -> float:
    """Of all questions, or of those of a difficulty."""
    marks = row["strict"] if difficulty is None else row["groups"][f"difficulty: {difficulty}"]
    return float(marks["accuracy"])


def read(folders: Sequence[Path]) -> list[Trained]:
    """The trainings in these folders, the recipe's own first, then arm by arm and seed by seed.

    A UserError for a training that is not finished, for the same one twice, and for two of different recipes.
    """
    found = [_read(folder) for folder in folders]
    for place, one in enumerate(found):
        for other in found[:place]:
            _refuse_foreign(other, one)
    arms = list(dict.fromkeys(one.recipe.arm for one in found))
    return sorted(found, key=lambda one: (one.recipe.arm is not None, arms.index(one.recipe.arm), one.recipe.seed))


def _read(folder: Path) -> Trained:
    layout = Layout(folder)
    if not layout.state.is_file():
        raise UserError(f"{folder}: no training: there is no train.json in it. `dtbench train --out` makes one.")
    held = state.read_state(layout.state)
    for name, reached in {BASE: held.base, **held.stages}.items():
        if reached != state.DONE:
            raise UserError(f"{folder}: not finished: {name} is {reached}. The same `dtbench train` goes on with it.")
    recipe = stored_recipe(held.recipe)
    if TASK not in recipe.evaluation.tasks:
        raise UserError(f"{folder}: evaluated on {', '.join(recipe.evaluation.tasks)}; the task {TASK} is expected.")
    table = outcome_table(recipe, layout)
    for row in table["rows"]:
        if row["task"] == TASK and not {f"difficulty: {word}" for word in DIFFICULTIES} <= row["groups"].keys():
            raise UserError(
                f"{row['run']}: too few questions: some of each of {' and '.join(DIFFICULTIES)} are expected."
            )
    return Trained(layout, recipe, table)


def _refuse_foreign(one: Trained, other: Trained) -> None:
    where = f"{one.layout.root} and {other.layout.root}"
    names = {"arm": one.recipe.arm, "seed": one.recipe.seed}
    if names == {"arm": other.recipe.arm, "seed": other.recipe.seed}:
        raise UserError(f"{where}: both hold {one.label} with the seed {one.recipe.seed}: name one of them.")
    plain = [json.loads(json.dumps(each.recipe.plain())) for each in (one, other)]
    same_arm = one.recipe.arm == other.recipe.arm
    free = {"arm", "seed"} if same_arm else {"arm", "seed", "stage"}
    first, second = ({name: value for name, value in each.items() if name not in free} for each in plain)
    if differing := sorted(state.differing_settings(first, second)):
        raise UserError(f"{where}: two recipes: {', '.join(differing[:4])} differ. Name trainings of one.")
