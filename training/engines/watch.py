"""What a stage must not go on with, told from the figures of its steps."""

from __future__ import annotations

import math

from dtbench.training.engines.contract import Metrics
from dtbench.training.recipe.recipe import StopGuards

HEARD = "grad_norm/audio_features"


def objection(figures: Metrics, guards: StopGuards, *, first: bool) -> str | None:
    """Why the stage has to stop after this step; None where nothing is wrong."""
    step = int(figures["step"])
    for name in ("loss", "grad_norm"):
        if not math.isfinite(figures.get(name, 0.0)):
            return f"step {step}: {name} is no number any more: lower the learning rate or the batch's temperature."
    apart = figures.get("divergence")
    if first and apart is not None and apart > guards.divergence:
        return (
            f"step {step}: the model that answers is not the one that learns (divergence {apart:.3g}, at most "
            f"{guards.divergence:g} is allowed): other weights, another dtype or lost audio; see engine.log."
        )
    if step == 1 and figures.get("kl", 0.0) > guards.divergence:
        return (
            f"step 1: the model that learns is not the one that the stage starts from (kl {figures['kl']:.3g}, at most "
            f"{guards.divergence:g} is allowed): its forward pass differs in training; see engine.log."
        )
    if figures.get(HEARD) == 0 and figures.get("grad_norm", 0.0) > 0:
        return f"step {step}: the policy is deaf: its loss does not depend on the clips."
    return None
