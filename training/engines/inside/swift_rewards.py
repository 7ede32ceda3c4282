"""dtbench's rewards as ms-swift calls them: one object per reward, each called with the same completions in turn."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import DtbenchError
from dtbench.training.engines.inside.swift_bridge import (
    EVALUATOR_VARIABLE,
    JUDGE_KEY_VARIABLE,
    PLAN_VARIABLE,
    ROW_COLUMN,
    RewardPlan,
    stop_engine,
)
from dtbench.training.engines.reward_figures import BatchLine
from dtbench.training.recipe.reward_settings import JUDGE
from dtbench.training.rewards import Rewards, Scores


@dataclass(slots=True)
class RewardColumns:
    """All rewards of a stage; a batch is scored once, whichever reward asks first."""

    plan: RewardPlan
    rewards: Rewards
    _dev: frozenset[str] = field(init=False)
    _folder: Path = field(init=False)
    _start: float = field(default_factory=time.time, init=False)
    _last: tuple[Sequence[str], Sequence[str]] | None = None
    _values: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Note which rows are dev questions, and where the counts of this process go."""
        self._dev = frozenset(self.plan.dev)
        self._folder = self.plan.counts.with_suffix("")  # a plan of an earlier dtbench names one file for all
        self._folder.mkdir(parents=True, exist_ok=True)

    def values(self, name: str, ids: Sequence[str], completions: Sequence[str], done: int | None = None) -> list[float]:
        """Return the reward of each completion; `done` are the steps that the trainer has done."""
        if self._last != (ids, completions):
            self._values = self._score(ids, completions, done)
            self._last = (list(ids), list(completions))
        return list(self._values[name])

    def _score(self, ids: Sequence[str], completions: Sequence[str], done: int | None) -> Mapping[str, Sequence[float]]:
        rows = [self.plan.rows[id_] for id_ in ids]
        try:
            scores = self.rewards.score_batch(self.plan.names, rows, completions)
        except DtbenchError as error:
            stop_engine(str(error))
        self._write(scores, done, is_dev=bool(ids) and ids[0] in self._dev)  # a batch is all of the dev split, or not
        return scores.values

    def _write(self, scores: Scores, done: int | None, *, is_dev: bool) -> None:
        """Append a line about a batch: one of training has the step that it is for."""
        line: BatchLine = {"rank": _rank(), "start": self._start, "figures": scores.figures}
        if done is not None and not is_dev:
            line["step"] = done + 1
        path = self._folder / f"{'dev-' if is_dev else ''}rank-{_rank()}.jsonl"
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**line, **scores.report.as_json(self.rewards.settings)}) + "\n")


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


def rewards_of_plan(plan: RewardPlan) -> Rewards:
    """Return what computes the rewards of a plan, with the address that the judge has at this start."""
    settings = plan.settings
    if settings.evaluator == JUDGE and EVALUATOR_VARIABLE in os.environ:  # a stage may ask it for nothing
        key = {"key_variable": JUDGE_KEY_VARIABLE} if JUDGE_KEY_VARIABLE in os.environ else {}
        options = {**settings.evaluator_options, **key}
        settings = dataclasses.replace(settings, evaluator=os.environ[EVALUATOR_VARIABLE], evaluator_options=options)
    return Rewards(settings, plan.seed)


def register_rewards() -> None:
    """Register a class for each reward of the stage with ms-swift."""
    from swift.rewards import ORM, orms

    plan = RewardPlan.read(Path(os.environ[PLAN_VARIABLE]))
    columns = RewardColumns(plan, rewards_of_plan(plan))
    for name in plan.names:
        orms[name] = type(name, (ORM,), {"__call__": _caller(columns, name)})


def _caller(columns: RewardColumns, name: str) -> Callable[..., list[float]]:
    def call(self: Any, completions: Sequence[str], **data: Any) -> list[float]:
        return columns.values(
            name, data[ROW_COLUMN], completions, getattr(data.get("trainer_state"), "global_step", None)
        )

    return call
