"""How far the model that answers may be from the one that learns: what numbers alone explain, and what they do not.

In float32 both agree to seven digits (measured); of a dense model in 16 bits at most 0.01 is expected. A mixture of
experts in 16 bits may show more: where two engines round otherwise, a router picks another expert for a token in many,
and the answer's likelihood jumps. Replayed routes (R3) take that away from the comparison of the two engines; the start
of the stage, which the KL divergence is measured from, is then the one that routes by itself. A forward pass that was
wrong showed 0.2 (measured, Qwen2-Audio). The limit for experts is chosen between: no run on GPUs stands behind it yet.

What numbers explain does not grow. A divergence that stays above the limit and is several times that of the first steps
is a policy that drifts away from its own answers, which is how training without replayed routes collapses.
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
    """What the divergences of the first step may be at most."""

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
