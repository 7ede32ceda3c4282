"""The interface of an engine. Another engine is a class with three functions, and a line in ENGINES."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dtbench.training.recipe.recipe import Recipe, StageRecipe

ENGINES = {
    "swift": "dtbench.training.engines.ms_swift:SWIFT",
    "megatron": "dtbench.training.engines.megatron:MEGATRON",
}
LOG = "logging.jsonl"
"""The file in the engine's folder that gets a line a step."""
Metrics = dict[str, float]


@dataclass(frozen=True, slots=True)
class EngineCommand:
    """A process: its command line, and the variables that its environment holds beside the user's."""

    arguments: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """One stage, as an engine gets it."""

    recipe: Recipe
    stage: StageRecipe
    model: str
    """The model that the stage starts from, which its KL divergence is measured from."""
    data: Path
    """The questions, as the engine reads them."""
    reward_plan: Path
    """The reward plan, for the plug-in."""
    out: Path
    """The folder for the engine's logs and checkpoints."""
    stop_file: Path
    """Where the plug-in writes the reason when it stops the engine."""
    resume: Path | None = None
    """The checkpoint to resume from."""


class TrainingEngine(Protocol):
    """Trains a stage."""

    def command(self, job: Job) -> EngineCommand:
        """Return the command that trains the stage, from its start or from a checkpoint."""
        ...

    def server(self, job: Job) -> EngineCommand | None:
        """Return the command of a rollout node; None where the recipe has none."""
        ...

    def metrics(self, line: Mapping[str, object]) -> Metrics | None:
        """Parse a line of the engine's log into metrics under our names, with `step`; None for any other line."""
        ...


def get_engine(name: str) -> TrainingEngine:
    """Return the engine of that name."""
    module, _, attribute = ENGINES[name].partition(":")
    engine: TrainingEngine = getattr(importlib.import_module(module), attribute)
    return engine
