"""Recipes by name or TOML file, and their arms: lists of stages that are trained in place of the recipe's own.

[[arm]]
name = "accuracy-only"
[[arm.stage]]
extends = "stage-1"          # a stage of the recipe: what is not said here is as it is there
rewards = { accuracy = 1 }   # in place of all of its rewards
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.typed_settings import known_settings, read_table, read_toml
from dtbench.training.recipe.recipe import Recipe, check_recipe, is_name

RECIPES = Path(__file__).parent / "recipes"
"""The folder of dtbench's own recipes."""
Table = Mapping[str, Any]


def recipe_names() -> list[str]:
    """List dtbench's own recipes."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load_recipe(spec: str, arm: str | None = None) -> Recipe:
    """Load the recipe of this name or TOML file, with the stages of one of its arms where one is named.

    All of its arms are checked, whichever is asked for.
    """
    is_file = spec.endswith(".toml")
    if not is_file and spec not in recipe_names():
        known = did_you_mean(spec, recipe_names())
        raise UserError(f"recipe {spec}: unknown. {known} A file ends in .toml.")
    path = Path(spec) if is_file else RECIPES / f"{spec}.toml"
    if not path.exists():
        raise UserError(f"{spec}: there is no such file. Recipes of dtbench: {', '.join(recipe_names())}.")
    variants = _variants(read_toml(path), path.name)
    if arm in variants:
        return variants[arm]
    names = [name for name in variants if name is not None]
    known = did_you_mean(str(arm), names) if names else "It has none: leave --arm out."
    raise UserError(f"--arm {arm}: no arm of the recipe {path.stem}. {known}")


def stored_recipe(plain: Table) -> Recipe:
    """Read a recipe back from what Recipe.plain() returned."""
    return read_table(Recipe, plain, "the recipe of the run")


def override(recipe: Recipe, *, model: str | None, seed: int | None) -> Recipe:
    """Replace the checkpoint or the seed; a folder becomes absolute, for processes that start elsewhere."""
    from dtbench.models.checkpoints.checkpoint import resolve_checkpoint

    source = recipe.model if model is None else model
    checkpoint = resolve_checkpoint(source)
    if checkpoint is not None:
        source = str(Path(checkpoint.source).resolve()) if checkpoint.is_local else checkpoint.source
    return dataclasses.replace(recipe, model=source, seed=recipe.seed if seed is None else seed)


def _variants(table: Table, where: str) -> Mapping[str | None, Recipe]:
    """The recipe as it is (None) and with the stages of each of its arms, all of them checked."""
    shared = {name: value for name, value in table.items() if name != "arm"}
    tables: dict[str | None, tuple[Table, str]] = {None: (shared, where)}
    for name, stages in _stages_of_arms(table, where).items():
        tables[name] = ({**shared, "stage": stages, "arm": name}, f"{where}: arm {name}")
    recipes = {arm: read_table(Recipe, variant, place) for arm, (variant, place) in tables.items()}
    for arm, recipe in recipes.items():
        check_recipe(recipe, tables[arm][1])
    return recipes


def _stages_of_arms(table: Table, where: str) -> dict[str, Sequence[Table]]:
    """Arm -> tables of its stages, each with what it inherits from the stage that it extends."""
    arms = table.get("arm", [])
    if not _are_tables(arms):
        raise UserError(f"{where}: arm: tables are expected, each with a name: [[arm]].")
    own = table.get("stage", [])
    known = {str(stage.get("name")): stage for stage in own} if _are_tables(own) else {}
    stages: dict[str, Sequence[Table]] = {}
    for arm in arms:
        name = arm.get("name")
        if not is_name(name) or name in stages:
            raise UserError(f"{where}: arm {name!r}: another name is expected, such as 'accuracy-only'.")
        stages[name] = _stages_of_arm(arm, known, f"{where}: arm {name}")
    return stages


def _stages_of_arm(arm: Table, known: Mapping[str, Table], where: str) -> Sequence[Table]:
    if unknown := [key for key in arm if key not in {"name", "stage"}]:
        raise UserError(f"{where}: unknown setting {unknown[0]!r}. {did_you_mean(unknown[0], ('name', 'stage'))}")
    stages = arm.get("stage", [])
    if not stages or not _are_tables(stages):
        raise UserError(f"{where}: at least one [[arm.stage]] is expected.")
    return [_extended(stage, known, where) for stage in stages]


def _extended(stage: Table, known: Mapping[str, Table], where: str) -> Table:
    """A stage with what it inherits; where it says steps, it inherits no epochs, and the other way round."""
    if "like" in stage:
        raise UserError(f"{where}: stage: unknown setting 'like'. {known_settings('like', ['extends'])}")
    if "extends" not in stage:
        return stage
    base = stage["extends"]
    if base not in known:
        raise UserError(f"{where}: extends = {base!r}: no stage of the recipe. {did_you_mean(str(base), known)}")
    lengths = {"steps", "epochs"}
    inherited = {key: value for key, value in known[base].items() if not (key in lengths and lengths & stage.keys())}
    return {**inherited, **{key: value for key, value in stage.items() if key != "extends"}}


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
