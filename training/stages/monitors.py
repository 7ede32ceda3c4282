"""Monitors of reward hacking: rules of a recipe about figures of metrics.jsonl, which warn or stop the training.

Results follow from metrics.jsonl alone, so a resumed training does not repeat a warning.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.model import Notify
from dtbench.harness.store.atomic import replace_whole
from dtbench.training.engines.contract import Metrics
from dtbench.training.engines.metrics import read_steps
from dtbench.training.recipe.monitors import limit_text
from dtbench.training.recipe.settings import MonitorRule, StageRecipe
from dtbench.training.stages.layout import StageLayout


class MonitorResult(TypedDict):
    """The result of a rule over the steps of a stage."""

    rule: str
    """In words, such as `guard_rate above 0.3`."""
    steps: int
    """So many steps in a row are needed."""
    then: str
    worst: float | None
    """The value that is farthest beyond the limit, or nearest to it; None where no step has the figure."""
    worst_step: int | None
    warned: list[int]
    """The steps at which it had been beyond the limit for long enough."""
    holds: bool
    """Whether it still is at the last step."""


def monitor_results(rules: Sequence[MonitorRule], steps: Sequence[Metrics]) -> list[MonitorResult]:
    """Return what each rule finds in these steps."""
    return [_result(rule, steps) for rule in rules]


def _result(rule: MonitorRule, steps: Sequence[Metrics]) -> MonitorResult:
    worst: tuple[float, int] | None = None
    warned: list[int] = []
    row = 0
    sign = 1 if rule.above is not None else -1
    limit = rule.above if rule.above is not None else rule.below
    assert limit is not None
    for step in steps:
        value = step.get(rule.figure)
        if value is None or not math.isfinite(value):  # what is unknown neither lengthens a row nor ends it
            continue
        if worst is None or sign * value > sign * worst[0]:
            worst = value, int(step["step"])
        row = row + 1 if sign * value > sign * limit else 0
        if row == rule.steps:
            warned.append(int(step["step"]))
    return {
        "rule": limit_text(rule),
        "steps": rule.steps,
        "then": rule.then,
        "worst": None if worst is None else worst[0],
        "worst_step": None if worst is None else worst[1],
        "warned": warned,
        "holds": row >= rule.steps,
    }


def breaches(results: Sequence[MonitorResult]) -> list[str]:
    """Return the rules that are broken at the last step, in words."""
    return [one["rule"] for one in results if one["holds"]]


@dataclass(slots=True)
class MonitorObserver:
    """Warns each time a rule begins to be broken, and stops the training if the rule says so."""

    rules: Sequence[MonitorRule]
    stage: StageRecipe
    layout: StageLayout
    notify: Notify
    _steps: list[Metrics] = field(init=False)

    def __post_init__(self) -> None:
        """Read what was seen before this start."""
        self._steps = read_steps(self.layout.metrics)

    def see(self, step: Metrics) -> None:
        """Compare the last steps with every rule."""
        self._steps.append(step)
        for rule, result in zip(self.rules, results := monitor_results(self.rules, self._steps), strict=True):
            if not result["holds"] or step.get(rule.figure) is None:
                continue
            what = (
                f"{self.stage.name}: step {step['step']:.0f}: {result['rule']} for {rule.steps} steps "
                f"({step[rule.figure]:.3g})"
            )
            if rule.then == "stop":
                self._write(results)
                raise MachineryError(
                    f"{what}: the recipe's monitor stops the training. Look at answers in {self.layout.engine}; with "
                    "another rule, or without this one, the same command continues from the last checkpoint."
                )
            if result["warned"][-1] == step["step"]:
                self._write(results)
                self.notify(f"{what}: look at answers in {self.layout.engine}")

    def close(self) -> None:
        """Write what the rules found."""
        self._write(monitor_results(self.rules, self._steps))

    def _write(self, results: Sequence[MonitorResult]) -> None:
        replace_whole(self.layout.monitors, json.dumps(results, indent=1).encode())


def stored_results(path: Path) -> list[MonitorResult]:
    """Read what the rules of a stage found; nothing where none was written."""
    return list(json.loads(path.read_bytes())) if path.is_file() else []
