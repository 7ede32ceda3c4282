"""Our rewards as ms-swift calls them: one object a reward, each called with the same completions in turn."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import DtbenchError
from dtbench.training.engines.inside.columns import ROW
from dtbench.training.engines.inside.stopping import stop
from dtbench.training.rewards import RewardSettings, reward_settings, score
from dtbench.training.rewards.plan import RewardPlan


@dataclass(slots=True)
class RewardColumns:
    """All rewards of a stage; a batch is scored once, whichever reward asks first."""

    plan: RewardPlan
    settings: RewardSettings
    _last: tuple[Sequence[str], Sequence[str]] | None = None
    _values: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def values(self, name: str, ids: Sequence[str], completions: Sequence[str]) -> list[float]:
        """The reward of each completion."""
        if self._last != (ids, completions):
            self._values = self._scored(ids, completions)
            self._last = (list(ids), list(completions))
        return list(self._values[name])

    def _scored(self, ids: Sequence[str], completions: Sequence[str]) -> Mapping[str, Sequence[float]]:
        try:
            found = score(self.plan.names, [self.plan.rows[id_] for id_ in ids], completions, self.settings)
        except DtbenchError as error:
            stop(str(error))
        line = json.dumps({"rank": int(os.environ.get("RANK", "0")), **found.report.as_json(self.settings)})
        with self.plan.counts.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        return found.values


def register() -> None:
    """Put a class for each reward of the stage into ms-swift's table."""
    from swift.rewards import ORM, orms

    plan = RewardPlan.read(Path(os.environ["DTBENCH_REWARDS"]))
    scorer = RewardColumns(plan, reward_settings(plan.settings))
    for name in scorer.plan.names:
        orms[name] = type(name, (ORM,), {"__call__": _called(scorer, name)})


def _called(scorer: RewardColumns, name: str) -> Callable[..., list[float]]:
    def call(self: Any, completions: Sequence[str], **columns: Any) -> list[float]:
        return scorer.values(name, columns[ROW], completions)

    return call
