"""What one training says of its recipe's claims, with the one that it reused; nothing is trained for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.store.claim_types import ClaimResult
from dtbench.training.claims.digests import ResultDigests, settings_written
from dtbench.training.claims.plan import Experiment, common_stages
from dtbench.training.claims.processes import read_stages
from dtbench.training.claims.results import TrainedArm, trained_result
from dtbench.training.claims.verdicts import claim_results
from dtbench.training.recipe.claims import OWN_STAGES, Claim, ClaimedRecipe, Recipes, claim_sides
from dtbench.training.recipe.recipe import load_claims, override, stored_recipe, with_bundled_name
from dtbench.training.recipe.settings import Recipe
from dtbench.training.stages import state
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.options import TrainOptions

_NOT_COMPARED = {"title", "arm", "stage", "seed"}
"""Of two recipes: stages are compared one by one."""
Trainings = Mapping[tuple[str, int], TrainedArm]
"""Arm and seed -> the training that has it."""


class OwnClaims(NamedTuple):
    """The claims of a recipe, after one training."""

    results: Sequence[ClaimResult]
    """Of those about what was trained here and its base."""
    others: int
    """How many compare with what was not trained here."""
    arms: Sequence[str]
    """The names of that, in the order of the claims."""


def own_claims(options: TrainOptions) -> OwnClaims:
    """Return what a finished training says of its recipe's claims; nothing where the recipe claims nothing."""
    claimed = load_claims(options.recipe)
    if not claimed.claims:
        return OwnClaims((), 0, ())
    trained = options.load()
    main = override(claimed.recipes[None], model=None, seed=trained.seed)
    recipes = {**claimed.recipes, None: main, trained.arm: trained}
    name = Path(options.recipe).name.removesuffix(".toml")
    here = [
        TrainedArm(name, "", recipe, layout, ResultDigests("", "", "")) for layout, recipe in _here(options, trained)
    ]
    trainings = _trainings(recipes, here)
    strangers = {claim.name: _strangers(claim, recipes, trainings, options.recipe) for claim in claimed.claims}
    own = [claim for claim in claimed.claims if not strangers[claim.name]]
    arms = dict.fromkeys(arm for names in strangers.values() for arm in names)
    experiment = Experiment(options.recipe, name, ClaimedRecipe(recipes, own), here[0], trainings, frozenset())
    kept = {one.layout.root: trained_result(one, 0, 0, with_base=True) for one in here if own}
    return OwnClaims(claim_results(experiment, kept), len(claimed.claims) - len(own), list(arms))


def _here(options: TrainOptions, trained: Recipe) -> Iterator[tuple[Layout, Recipe]]:
    """Yield this training and the one that it reused, where that has the same seed, the same settings and its end."""
    yield Layout(options.out.resolve()), trained
    if options.reuse is None:
        return
    layout = Layout(options.reuse.resolve())
    before = stored_recipe(state.read_state(layout.state).recipe)
    done = read_stages(layout)
    is_done = all(done.get(stage.name) == state.DONE for stage in before.stage)
    if is_done and before.seed == trained.seed and _compared(before) == _compared(with_bundled_name(trained)):
        yield layout, before


def _compared(recipe: Recipe) -> Mapping[str, Any]:
    return {name: value for name, value in settings_written(recipe).items() if name not in _NOT_COMPARED}


def _trainings(recipes: Recipes, here: Sequence[TrainedArm]) -> Trainings:
    """Return the training that has each arm: one whose first stages are the arm's."""
    found: dict[tuple[str, int], TrainedArm] = {}
    for arm, recipe in recipes.items():
        for one in here:
            seeded = dataclasses.replace(recipe, seed=one.recipe.seed)
            if common_stages(seeded, one.recipe) == len(recipe.stage):
                found.setdefault((arm or OWN_STAGES, one.recipe.seed), one)
    return found


def _strangers(claim: Claim, recipes: Recipes, trainings: Trainings, where: str) -> Sequence[str]:
    """Return the arms of a claim that no training here has."""
    known = {arm for arm, _ in trainings}
    sides = claim_sides(claim, recipes, where)
    return [arm for side in sides if not side.is_base and (arm := side.arm or OWN_STAGES) not in known]
