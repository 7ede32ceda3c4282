"""How far rollouts and trainer may differ: what rounding explains, and what it does not.

In float32 both agree to seven digits (measured); for a dense model in 16 bits at most 0.01 is expected. A mixture of
experts in 16 bits may show more: where two engines round differently, the router picks another expert for one token in
many, and the answer's likelihood jumps. Replayed routes (R3) remove that from this comparison; the start of the stage,
from which the KL divergence is measured, then still routes by itself. A wrong forward pass showed 0.2 (measured,
Qwen2-Audio). The limit for experts is chosen in between: no run on GPUs supports it yet.

Rounding does not grow. A divergence that stays above the limit and is several times that of the first steps means that
the policy drifts away from its own answers, which is how training without replayed routes collapses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from dtbench.training.engines.contract import Metrics
from dtbench.training.recipe.settings import Recipe, StageRecipe, StopGuards

WINDOW = 10
"""Steps that a median is of: single steps are noisy."""


class FirstStepLimits(NamedTuple):
    """The largest divergences that are allowed at the first step."""

    divergence: float
    """Of the model that learns from the one that answers."""
    kl: float
    """Of the model that learns from the start of the stage."""


def first_step_limits(recipe: Recipe, stage: StageRecipe) -> FirstStepLimits:
    """Return the limits of this stage: looser for the comparison in which experts are chosen twice."""
    guards, training = recipe.guards, recipe.training_of(stage)
    chosen_twice = max(guards.divergence, guards.divergence_experts)
    if "moe" not in recipe.model_type or training.dtype == "float32":
        return FirstStepLimits(guards.divergence, guards.divergence)
    if training.router_replay == "R3":
        return FirstStepLimits(guards.divergence, chosen_twice)
    return FirstStepLimits(chosen_twice, guards.divergence)


@dataclass(slots=True)
class DivergenceTrend:
    """Watches whether the divergence grows over a stage."""

    guards: StopGuards
    limit: float
    _seen: list[float] = field(default_factory=list, init=False)

    def follow(self, steps: Iterable[Metrics]) -> None:
        """Take in the steps of earlier starts."""
        for step in steps:
            self.add(step)

    def add(self, step: Metrics) -> str | None:
        """Return why the stage has to stop after this step; None where nothing is wrong."""
        divergence = step.get("divergence")
        if divergence is None:
            return None
        self._seen.append(divergence)
        if len(self._seen) < 2 * WINDOW:
            return None
        first, last = median(self._seen[:WINDOW]), median(self._seen[-WINDOW:])
        if last <= max(self.limit, self.guards.divergence_growth * first):
            return None
        return (
            f"step {int(step['step'])}: the model that answers drifts away from the one being trained (divergence "
            f"{first:.3g} at first, {last:.3g} over the last {WINDOW} steps): replay routes (router_replay = 'R3'), "
            "correct for it (importance_correction), or lower the learning rate."
        )
