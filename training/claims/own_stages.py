"""What one training says of its recipe's claims about its own stages and its base; nothing is trained for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.store.claim_types import ClaimResult
from dtbench.training.claims.digests import ResultDigests
from dtbench.training.claims.plan import Experiment
from dtbench.training.claims.results import TrainedArm, trained_result
from dtbench.training.claims.verdicts import claim_results
from dtbench.training.recipe.claims import OWN_STAGES, ClaimedRecipe, claim_sides
from dtbench.training.recipe.recipe import load_claims, override
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.options import TrainOptions


class OwnClaims(NamedTuple):
    """The claims of a recipe, after one training."""

    results: Sequence[ClaimResult]
    """Of those about what was trained and its base."""
    others: int
    """How many compare with what this training does not train."""
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
    sides = {claim.name: claim_sides(claim, recipes, options.recipe) for claim in claimed.claims}
    strangers = {
        name: [side.arm or OWN_STAGES for side in pair if not side.is_base and side.arm != trained.arm]
        for name, pair in sides.items()
    }
    own = [claim for claim in claimed.claims if not strangers[claim.name]]
    arms = dict.fromkeys(arm for names in strangers.values() for arm in names)
    name = Path(options.recipe).name.removesuffix(".toml")
    label = trained.arm or OWN_STAGES
    arm = TrainedArm(name, label, trained, Layout(options.out.resolve()), ResultDigests("", "", ""))
    key = (label, trained.seed)
    experiment = Experiment(options.recipe, name, ClaimedRecipe(recipes, own), arm, {key: arm}, frozenset())
    kept = {arm.layout.root: trained_result(arm, 0, 0, with_base=True)} if own else {}
    return OwnClaims(claim_results(experiment, kept), len(claimed.claims) - len(own), list(arms))
