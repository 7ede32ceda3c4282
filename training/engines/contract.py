"""What the stages ask of an engine. Another engine is three functions more, and a line in ENGINES."""

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
Metrics = dict[str, float]


@dataclass(frozen=True, slots=True)
class Command:
    """A process: what is called, and what its environment holds beside the user's."""

    arguments: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """One stage for an engine."""

    recipe: Recipe
    stage: StageRecipe
    model: str
    """What the stage begins with; also what its divergence is measured from."""
    data: Path
    """Questions as the engine reads them."""
    rewards: Path
    """What the rewards need to know, for the plug-in."""
    out: Path
    """Where the engine writes: logs and checkpoints."""
    stopped: Path
    """Where what runs within the engine leaves the reason when it stops it."""
    resume: Path | None = None
    """The checkpoint to go on from."""


class TrainingEngine(Protocol):
    """Something that trains."""

    def command(self, job: Job) -> Command:
        """The process that carries the stage out, from its start or from a checkpoint."""
        ...

    def server(self, job: Job) -> Command | None:
        """The process of a node that only answers, where the recipe has one."""
        ...

    def metrics(self, line: Mapping[str, object]) -> Metrics | None:
        """A line of the engine's own log under our names, `step` among them; None for a line about something else."""
        ...


def engine(name: str) -> TrainingEngine:
    """The engine of a recipe."""
    module, _, attribute = ENGINES[name].partition(":")
    found: TrainingEngine = getattr(importlib.import_module(module), attribute)
    return found
