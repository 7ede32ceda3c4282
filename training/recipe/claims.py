"""Claims of a recipe: what its arms are trained to find out, written down before they are. The table [[claim]].

[[claim]]
name = "reasoning-reward"
text = "A reward for reasoning beats a reward for answers."
between = ["hybrid", "accuracy-only"]  # the measure of the first minus that of the second
measure = "accuracy"
group = "depth: 3"                     # left out: all questions of the task
at_least = 0.02                        # a smaller difference is not worth the name
seeds = 5
questions = 3000
primary = true
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.typed_settings import Condition, above, at_least, one_of, read_table
from dtbench.training.recipe.settings import Count, Recipe

MEASURES = (
    "accuracy",
    "shuffled_accuracy",
    "criteria",
    "lucky_rate",
    "formed",
    "words",
    "empty_rate",
    "cut_rate",
    "described",
    "follow_rate",
)
"""What a claim can be about; training/README.md says what each is."""
MEANS = ("criteria", "words")
"""The measures that are no shares: a difference of the others lies between -1 and 1."""
_NEEDED = (
    ("shuffled_accuracy", "audio_ablation", "true"),
    ("described", "describe", "true"),
    ("follow_rate", "faithful", "300"),
)
"""Measures that an evaluation makes only where its setting says so, and a value of it."""
OWN_STAGES = "recipe"
"""What `between` calls the recipe's own stages, which are no arm's."""
BASE_SIDE = "base"
BEST = "best"
AS_TRAINED = "as-trained"
"""The prompt of the training, where the base is asked under it."""
Deviation = Annotated[float, at_least(0)]
Seeds = Annotated[int, at_least(2)]
Sides = Annotated[tuple[str, ...], Condition(lambda value: len(value) == 2, "a list of two names")]
RESERVED_ARMS = {OWN_STAGES, BASE_SIDE}
"""Words of `between` that no arm may be called after."""
Recipes = Mapping[str | None, Recipe]
"""Arm -> the recipe with its stages; None: with its own."""


class ClaimSide(NamedTuple):
    """One of the two models that a claim compares."""

    arm: str | None = None
    """None: the recipe's own stages."""
    stage: str | None = None
    """None: the untrained model."""
    prompt: str | None = None
    """Of the untrained model: the name of a prompt, or `best`; None: the task's own words."""

    @property
    def is_base(self) -> bool:
        """Whether this is the untrained model."""
        return self.stage is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimNoise:
    """Assumed standard deviations of the difference, from which is said beforehand how small a one can be seen."""

    seed: Deviation = 0.014
    """Between seeds, were there endlessly many questions."""
    question: Deviation = 0.2
    """Between questions, were there endlessly many seeds."""
    answer: Deviation = 0.35
    """Of one question under one seed, beside these two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A difference between two models, and how large it has to be."""

    name: str
    text: str
    """What it says, in a sentence."""
    between: Sides
    """A and B: the measure of A minus that of B.

    `ARM` or `ARM/STAGE`; `recipe` or `recipe/STAGE` for the recipe's own stages; without a stage the last one. `base`
    is the untrained model in the task's own words, `base best` under its best prompt, `base NAME` under that prompt.
    """
    measure: Annotated[str, one_of(MEASURES)] = "accuracy"
    task: str | None = None
    """None: the only one that [evaluation] asks."""
    group: str | None = None
    """Such as `depth: 3`; None: all questions."""
    at_least: Annotated[float, above(0)]
    """In the unit of the measure: 0.02 of accuracy is 2 points."""
    seeds: Seeds
    """Trainings of each side, from the recipe's seed upwards."""
    questions: Count
    """Of the task, before `group`: with fewer nothing is decided."""
    primary: bool = False
    """Whether the experiment is made for it: its arms are trained first."""
    noise: ClaimNoise = field(default_factory=ClaimNoise)


class ClaimedRecipe(NamedTuple):
    """A recipe with its arms, and what they are to show."""

    recipes: Recipes
    claims: Sequence[Claim]


def claim_sides(claim: Claim, recipes: Recipes, where: str) -> tuple[ClaimSide, ClaimSide]:
    """Return the two models that a claim compares; a UserError for one that there is not."""
    first, second = (_side(name, recipes, f"{where}: between") for name in claim.between)
    return first, second


def claim_task(claim: Claim, recipes: Recipes) -> str:
    """Return the task that a claim is about."""
    return recipes[None].evaluation.tasks[0] if claim.task is None else claim.task


def read_claims(tables: object, recipes: Recipes, where: str) -> Sequence[Claim]:
    """Read the tables [[claim]] and check that each can be computed from what its recipe trains and evaluates."""
    if not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
        raise UserError(f"{where}: claim: tables are expected, each with a name: [[claim]].")
    claims: dict[str, Claim] = {}
    for table in tables:
        place = f"{where}: claim {table.get('name', '')}".rstrip()
        claim = read_table(Claim, table, place)
        if claim.name in claims:
            raise UserError(f"{place}: there are two of this name.")
        _check(claim, recipes, place)
        claims[claim.name] = claim
    return list(claims.values())


def _check(claim: Claim, recipes: Recipes, where: str) -> None:
    evaluation = recipes[None].evaluation
    if claim.task is None and len(evaluation.tasks) > 1:
        raise UserError(f"{where}: task is missing; add one of {', '.join(evaluation.tasks)}.")
    if claim.task is not None and claim.task not in evaluation.tasks:
        raise UserError(f"{where}: task = {claim.task!r}: not evaluated. {did_you_mean(claim.task, evaluation.tasks)}")
    if claim.group is not None and not all(part.strip() for part in _halves(claim.group)):
        raise UserError(f"{where}: group = {claim.group!r}: a heading and a value such as 'depth: 3' are expected.")
    if evaluation.limit is not None and evaluation.limit < claim.questions:
        raise UserError(
            f"{where}: questions = {claim.questions}: [evaluation] asks limit = {evaluation.limit}; at most as many."
        )
    for measure, setting, value in _NEEDED:
        if claim.measure == measure and not getattr(evaluation, setting):
            raise UserError(f"{where}: measure = {measure!r}: [evaluation] needs {setting} = {value} for it.")
    first, second = sides = claim_sides(claim, recipes, where)
    if first == second or (first.is_base and second.is_base):
        raise UserError(f"{where}: between = {list(claim.between)}: two models, one of them trained, are expected.")
    if claim.measure == "shuffled_accuracy" and any(side.is_base for side in sides):
        raise UserError(f"{where}: measure = {claim.measure!r}: the base hears no shuffled clips: name trained models.")


def _halves(group: str) -> tuple[str, str]:
    heading, _, value = group.partition(": ")
    return heading, value


def _side(name: str, recipes: Recipes, where: str) -> ClaimSide:
    first, _, prompt = name.partition(" ")
    if first == BASE_SIDE:
        known = [BEST, AS_TRAINED, *recipes[None].evaluation.base_prompts]
        if prompt and prompt not in known:
            raise UserError(f"{where}: {name!r}: the base has no such prompt. {did_you_mean(prompt, known)}")
        return ClaimSide(prompt=prompt or None)
    arm, _, stage = name.partition("/")
    known = [OWN_STAGES, *(one for one in recipes if one is not None)]
    if arm not in known:
        raise UserError(f"{where}: {name!r}: the recipe has no such arm. {did_you_mean(arm, [*known, BASE_SIDE])}")
    own = None if arm == OWN_STAGES else arm
    stages = [one.name for one in recipes[own].stage]
    if stage and stage not in stages:
        raise UserError(f"{where}: {name!r}: {arm} has no such stage. {did_you_mean(stage, stages)}")
    return ClaimSide(own, stage or stages[-1])
