"""What passes between a stage and its engine: the job, the command that does it, and the metrics of its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dtbench.training.recipe.settings import Recipe, StageRecipe

LOG = "logging.jsonl"
"""The file in the engine's folder that gets a line a step."""
Metrics = dict[str, float]


@dataclass(frozen=True, slots=True)
class EngineCommand:
    """A process: its command line, and what its environment adds to the user's."""

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
    dev: Path | None = None
    """The questions of the dev split, as the engine reads them."""
    dev_batch: int = 1
    """How many of them a process takes at a time."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What dtbench needs of an engine, as three functions."""

    command: Callable[[Job], EngineCommand]
    """The command that trains a stage."""
    server: Callable[[Job], EngineCommand | None]
    """The command of the node that only samples; None where the trainers do."""
    metrics: Callable[[Mapping[str, object]], Metrics | None]
    """The metrics of a line of its log under our names; None for a line that is no step."""
