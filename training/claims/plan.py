"""Which trainings the claims of recipes take, in which order, and what each can take over from another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.training.claims.digests import arm_digests, base_digest, digest_of, settings_written, untrained_digests
from dtbench.training.claims.results import TrainedArm
from dtbench.training.recipe.claims import OWN_STAGES, Claim, ClaimedRecipe, ClaimSide, claim_sides
from dtbench.training.recipe.recipe import load_claims, override, recipe_names
from dtbench.training.recipe.settings import Recipe
from dtbench.training.stages.layout import BASE, Layout

_SHOWN = 8


class Experiment(NamedTuple):
    """A recipe whose claims are put to the test."""

    spec: str
    """Its name, or its file."""
    name: str
    claimed: ClaimedRecipe
    base: TrainedArm
    trainings: Mapping[tuple[str, int], TrainedArm]
    """Arm and seed -> its training."""
    primary: frozenset[str]
    """The arms of primary claims."""

    def sides(self, claim: Claim) -> tuple[ClaimSide, ClaimSide]:
        """Return the two models that a claim compares."""
        return claim_sides(claim, self.claimed.recipes, self.name)


def default_specs() -> list[str]:
    """Return the recipes of dtbench that were made for a claim: those with a primary one."""
    return [name for name in recipe_names() if any(claim.primary for claim in load_claims(name).claims)]


def plan_experiment(spec: str, out: Path) -> Experiment:
    """Plan the trainings of a recipe; a UserError where it claims nothing."""
    claimed = load_claims(spec)
    if not claimed.claims:
        raise UserError(f"{spec}: claims nothing: it has no [[claim]]. Recipes with some: {', '.join(_claiming())}.")
    name = Path(spec).name.removesuffix(".toml")
    own = override(claimed.recipes[None], model=None, seed=None)
    base = TrainedArm(name, BASE, own, _layout(out, name, BASE, own), untrained_digests(own))
    seeds, primary = _seeds_wanted(claimed, spec)
    trainings = {}
    for arm, count in seeds.items():
        recipe = claimed.recipes[None if arm == OWN_STAGES else arm]
        for number in range(count):
            seeded = override(recipe, model=None, seed=recipe.seed + number)
            layout = _layout(out, name, f"{arm}-{seeded.seed}", seeded)
            trainings[arm, seeded.seed] = TrainedArm(name, arm, seeded, layout, arm_digests(seeded))
    return Experiment(spec, name, claimed, base, trainings, frozenset(primary))


def in_order(experiments: Sequence[Experiment]) -> list[TrainedArm]:
    """Return all trainings: those that decide first, seed by seed; with a seed, an arm that others go on from first."""
    keyed = []
    for place, experiment in enumerate(experiments):
        for number, one in enumerate(experiment.trainings.values()):
            first = one.recipe.seed - experiment.claimed.recipes[None].seed
            keyed.append(((one.arm not in experiment.primary, first, place, len(one.recipe.stage), number), one))
    return [one for _, one in sorted(keyed, key=lambda pair: pair[0])]


def common_stages(one: Recipe, other: Recipe) -> int:
    """Return with how many equal stages two arms of a recipe begin, under the same seed."""
    if one.seed != other.seed:
        return 0
    pairs = zip(one.stage, other.stage, strict=False)
    equal = [settings_written(first) == settings_written(second) for first, second in pairs]
    return equal.index(False) if False in equal else len(equal)


def sources(one: TrainedArm, experiment: Experiment) -> Iterator[TrainedArm]:
    """Yield what a training can take stages over from, most of them first, then the base."""
    shared = {
        key: count
        for key, other in experiment.trainings.items()
        if other.layout.root != one.layout.root and (count := common_stages(one.recipe, other.recipe))
    }
    for key in sorted(shared, key=lambda key: -shared[key]):
        yield experiment.trainings[key]
    yield experiment.base


def _seeds_wanted(claimed: ClaimedRecipe, where: str) -> tuple[Mapping[str, int], set[str]]:
    """Return for each arm how many seeds the claims about it take, and the arms of primary claims."""
    wanted: dict[str, int] = {}
    primary: set[str] = set()
    for claim in claimed.claims:
        for side in claim_sides(claim, claimed.recipes, where):
            if not side.is_base:
                arm = side.arm or OWN_STAGES
                wanted[arm] = max(wanted.get(arm, 0), claim.seeds)
                primary |= {arm} if claim.primary else set()
    order = [OWN_STAGES, *(arm for arm in claimed.recipes if arm is not None)]
    return {arm: wanted[arm] for arm in order if arm in wanted}, primary


def _layout(out: Path, name: str, folder: str, recipe: Recipe) -> Layout:
    """Return where a training lies: other settings or weights have another folder, as no training changes its own.

    Weights count, and not where they lie: a clone elsewhere goes on in the same folders.
    """
    plain = {setting: value for setting, value in recipe.plain().items() if setting not in ("monitor", "model")}
    return Layout(out / name / f"{folder}.{digest_of([plain, base_digest(recipe)])[:_SHOWN]}")


def _claiming() -> list[str]:
    return [name for name in recipe_names() if load_claims(name).claims]
