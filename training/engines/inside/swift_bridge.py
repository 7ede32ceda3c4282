"""What the stages and the engine's process pass to each other: the rewards to compute, and why it was stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from dtbench.harness.store.atomic import replace_whole
from dtbench.training.data.rows import TrainingRow, row_as_json
from dtbench.training.recipe.reward_settings import RewardSettings, reward_settings

ROW_COLUMN = "row"
"""The column of the engine's data that says which training row a completion answers."""
PLAN_VARIABLE = "DTBENCH_REWARDS"
"""The environment variable that names the file of the reward plan."""
STOP_VARIABLE = "DTBENCH_STOPPED"
"""The environment variable that names the file for the reason of a stop."""
EVALUATOR_VARIABLE = "DTBENCH_EVALUATOR"
"""The environment variable with the judge's address, which may be another at each start."""
ADAPTER_VARIABLE = "DTBENCH_ADAPTER"
"""The environment variable that names the layers that get an adapter, where one is trained."""
JUDGE_KEY_VARIABLE = "DTBENCH_JUDGE_KEY"
"""The environment variable with the key of a judge that one of our nodes serves."""
AUDIO_GRADIENT = "grad_norm/audio_features"
"""The metric that is 0 where the policy does not hear."""
NO_SIGNAL = 1e-6
"""A gradient up to this norm is rounding: rewards that are all alike teach nothing, neither from clips nor else."""


def learns_deaf(audio_norm: float | None, grad_norm: float, *, above: float = NO_SIGNAL) -> bool:
    """Return whether a step learnt something, and its loss does not depend on the clips; None where nobody measured."""
    return audio_norm == 0 and grad_norm > above


@dataclass(frozen=True, slots=True)
class RewardPlan:
    """The rewards of a stage: their names, their settings, and the rows that they read."""

    names: Sequence[str]
    settings: RewardSettings
    rows: Mapping[str, TrainingRow]
    counts: Path
    """The folder with a file for each process, which gets a line for each batch: what its rewards took."""
    dev: Sequence[str] = ()
    """Which of the rows are dev questions."""
    seed: int = 0
    """That of the training, for what rewards draw at random."""

    def write(self, path: Path) -> None:
        """Write the plan to a file."""
        rows = [row_as_json(row) for row in self.rows.values()]
        content: dict[str, Any] = {"names": list(self.names), "settings": self.settings.plain(), "rows": rows}
        content |= {"counts": str(self.counts), "dev": list(self.dev), "seed": self.seed}
        replace_whole(path, json.dumps(content, ensure_ascii=False).encode())

    @classmethod
    def read(cls, path: Path) -> RewardPlan:
        """Read a plan that write() wrote."""
        content = json.loads(path.read_bytes())
        rows = {
            row["id"]: TrainingRow(**{**row, "audio": Path(row["audio"]), "choices": tuple(row["choices"])})
            for row in content["rows"]
        }
        settings = reward_settings(content["settings"])
        counts, dev, seed = Path(content["counts"]), content.get("dev", ()), content.get("seed", 0)
        return cls(content["names"], settings, rows, counts, dev, seed)


class StoppedError(RuntimeError):
    """Ends the engine's process."""


def stop_engine(why: str) -> NoReturn:
    """Write the reason for the stages to read, and end the engine's process."""
    replace_whole(Path(os.environ[STOP_VARIABLE]), json.dumps({"why": why}).encode())
    raise StoppedError(f"dtbench: {why}")


def read_stop_reason(path: Path) -> str | None:
    """Return the reason that stop_engine() wrote; None where the engine was not stopped."""
    return str(json.loads(path.read_bytes())["why"]) if path.exists() else None
