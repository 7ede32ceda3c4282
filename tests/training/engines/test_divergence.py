"""Which divergences numbers explain, and which stop a stage."""

from __future__ import annotations

import dataclasses
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from dtbench.harness.core.errors import MachineryError
from dtbench.training.engines.divergence import DivergenceTrend, FirstStepLimits, first_step_limits
from dtbench.training.engines.metrics import violated_guard
from dtbench.training.recipe.recipe import load_recipe
from dtbench.training.recipe.settings import Recipe, StopGuards
from dtbench.training.stages.layout import StageLayout
from dtbench.training.stages.observers import GuardObserver


def large(**changes: Any) -> Recipe:
    """The large recipe with other hyperparameters."""
    recipe = load_recipe("qwen3-omni-30b")
    return dataclasses.replace(recipe, training=dataclasses.replace(recipe.training, **changes))


@pytest.mark.parametrize(
    ("recipe", "limits"),
    [
        (large(router_replay="disabled"), (0.05, 0.01)),
        (large(router_replay="R2"), (0.05, 0.01)),  # the trainer's own routes: those of vLLM differ all the same
        (large(router_replay="R3"), (0.01, 0.05)),  # vLLM's routes: the start of the stage has its own
        (large(router_replay="disabled", dtype="float32"), (0.01, 0.01)),
        (load_recipe("qwen2.5-omni-7b"), (0.01, 0.01)),
        (load_recipe("mini"), (0.01, 0.01)),
    ],
    ids=["experts", "R2", "R3", "float32", "dense", "mini"],
)
def test_only_experts_that_are_chosen_twice_in_16_bits_may_differ_more(
    recipe: Recipe, limits: tuple[float, float]
) -> None:
    assert first_step_limits(recipe, recipe.stage[0]) == limits


def test_a_limit_of_ones_own_that_is_looser_holds_for_experts_too() -> None:
    recipe = dataclasses.replace(large(router_replay="disabled"), guards=StopGuards(divergence=0.2))
    assert first_step_limits(recipe, recipe.stage[0]) == (0.2, 0.2)


@pytest.mark.parametrize(
    ("figures", "stops"),
    [({"divergence": 0.03}, False), ({"divergence": 0.2}, True), ({"kl": 0.02}, True), ({"kl": 0.005}, False)],
)
def test_wrong_weights_stop_experts_as_they_stop_others(figures: dict[str, float], stops: bool) -> None:
    why = violated_guard({"step": 1, **figures}, StopGuards(), first=True, limits=FirstStepLimits(0.05, 0.01))
    assert (why is not None) is stops


def told(*values: float) -> str | None:
    """What the trend says after the last of these."""
    trend, why = DivergenceTrend(StopGuards(), 0.01), None
    for number, value in enumerate(values, 1):
        why = trend.add({"step": number, "divergence": value})
    return why


def test_a_divergence_that_grows_beyond_its_limit_stops_and_says_from_what_to_what() -> None:
    why = told(*[0.002] * 10, *[0.03] * 10)
    assert why is not None
    assert why.startswith("step 20: the model that answers drifts away")
    assert "divergence 0.002 at first, 0.03 over the last 10 steps" in why


@pytest.mark.parametrize(
    "values",
    [
        [*[0.002] * 10, *[0.03] * 4, *[0.002] * 6],  # a few steps
        [*[0.0001] * 10, *[0.005] * 10],  # fifty times as much, and still little
        [*[0.009] * 10, *[0.03] * 10],  # above the limit, and hardly more than at first
        [*[0.002] * 5, *[0.5] * 5],  # too early to tell
    ],
)
def test_what_is_short_small_or_was_there_from_the_start_stops_nothing(values: list[float]) -> None:
    assert told(*values) is None


def test_after_a_resume_the_first_steps_of_the_stage_are_still_what_it_is_compared_with(tmp_path: Path) -> None:
    recipe, layout = large(), StageLayout(tmp_path)
    layout.metrics.write_text("".join(f'{{"step": {n}, "divergence": 0.002}}\n' for n in range(1, 11)))
    guard = GuardObserver(recipe, recipe.stage[0], layout)
    guard.see({"step": 11, "divergence": 0.002})
    for number in range(12, 16):
        guard.see({"step": number, "divergence": 0.08})
    with pytest.raises(MachineryError, match="stage-1: step 20: the model that answers drifts away"):
        deque(map(guard.see, ({"step": number, "divergence": 0.08} for number in range(16, 30))))
