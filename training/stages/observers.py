"""Observers of the steps of a stage, which may stop or end it: reports, limits, monitors, validation.

A new observer is a class with the methods of StepObserver and a line in `stage_observers`. Each start of a stage makes
a new one, which sees only the steps that follow; earlier steps are in metrics.jsonl.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.model import Notify
from dtbench.training.engines.contract import Metrics
from dtbench.training.engines.divergence import DivergenceTrend, FirstStepLimits, first_step_limits
from dtbench.training.engines.metrics import read_steps, violated_guard
from dtbench.training.recipe.settings import Recipe, StageRecipe, Validation
from dtbench.training.stages.layout import StageLayout
from dtbench.training.stages.monitors import MonitorObserver
from dtbench.training.stages.validation import is_saved, keep_best, measurements, reason_to_end

OnStep = Callable[[StageRecipe, Metrics], None]


class StageEndedError(Exception):
    """Ends a stage cleanly before its last step; the text says why."""


class StepObserver(Protocol):
    """Something that sees every step of a stage."""

    def see(self, step: Metrics) -> None:
        """Look at a step; a MachineryError stops the training, a StageEndedError ends the stage."""

    def close(self) -> None:
        """Let go of what it holds; the engine has ended."""


@dataclass(slots=True)
class StepReport:
    """Hands every step to whoever started the training."""

    stage: StageRecipe
    on_step: OnStep

    def see(self, step: Metrics) -> None:
        """Report it."""
        self.on_step(self.stage, step)

    def close(self) -> None:
        """Hold nothing."""


@dataclass(slots=True)
class GuardObserver:
    """Stops the training where a figure is beyond the limits of [guards]."""

    recipe: Recipe
    stage: StageRecipe
    layout: StageLayout
    _first: bool = field(default=True, init=False)
    _limits: FirstStepLimits = field(init=False)
    _trend: DivergenceTrend = field(init=False)

    def __post_init__(self) -> None:
        """Read what the divergence was before this start."""
        self._limits = first_step_limits(self.recipe, self.stage)
        self._trend = DivergenceTrend(self.recipe.guards, self._limits.divergence)
        self._trend.follow(read_steps(self.layout.metrics))

    def see(self, step: Metrics) -> None:
        """Compare it with the limits."""
        why = violated_guard(step, self.recipe.guards, first=self._first, limits=self._limits)
        if why := why or self._trend.add(step):
            raise MachineryError(f"{self.stage.name}: {why}")
        self._first = False

    def close(self) -> None:
        """Hold nothing."""


@dataclass(slots=True)
class ValidationObserver:
    """Keeps the best checkpoint once it is complete, and ends a stage that no longer improves.

    The engine saves a model that it has measured before it takes the next step.
    """

    layout: StageLayout
    validation: Validation
    _steps: list[Metrics] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        """Read what was measured before this start."""
        self._steps = read_steps(self.layout.metrics)

    def see(self, step: Metrics) -> None:
        """Look for a new best; a StageEndedError where patience is at its end and the model is saved."""
        self._steps.append(step)
        keep_best(self.layout, self.validation, self._steps)
        why = reason_to_end(self._steps, self.validation)
        if why and is_saved(self.layout, measurements(self._steps, self.validation)):
            raise StageEndedError(why)

    def close(self) -> None:
        """Look at what the engine saved last."""
        keep_best(self.layout, self.validation, self._steps)


def stage_observers(
    recipe: Recipe, stage: StageRecipe, layout: StageLayout, on_step: OnStep, notify: Notify
) -> Sequence[StepObserver]:
    """Return what looks at the steps of this stage, in this order."""
    monitor = MonitorObserver(recipe.monitor, stage, layout, notify)
    observers: list[StepObserver] = [StepReport(stage, on_step), GuardObserver(recipe, stage, layout), monitor]
    if recipe.validation is not None:
        observers.append(ValidationObserver(layout, recipe.validation))
    return observers
