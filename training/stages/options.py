"""The options of `dtbench train`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dtbench.harness.core.options import OUTPUT, RUNS, Argument, Option, check_options
from dtbench.harness.core.typed_settings import between
from dtbench.training.engines.flags import refuse_unsupported
from dtbench.training.recipe.recipe import load_recipe, override, recipe_names
from dtbench.training.recipe.settings import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Which recipe is trained, and what differs from it."""

    recipe: Annotated[
        str,
        Argument(
            "RECIPE",
            "Name of a built-in recipe, or a TOML file.",
            values="recipes",
            missing=f"train takes a recipe: {', '.join(recipe_names())}, or a TOML file.",
        ),
    ]
    out: Annotated[
        Path,
        Option(
            "--out",
            "DIR",
            "Folder of the training; one that already holds it is resumed.",
            missing="name a folder for the training.",
            panel=OUTPUT,
            values="folders",
        ),
    ]
    model: Annotated[
        str | None,
        Option(
            "--model", "MODEL", "Checkpoint to start from: a folder or hub id.", shown="the recipe's", values="folders"
        ),
    ] = None
    seed: Annotated[
        int | None, Option("--seed", "SEED", "Random seed.", shown="the recipe's"), between(0, 2**32 - 1)
    ] = None
    arm: Annotated[
        str | None,
        Option("--arm", "ARM", "Train the stages of this arm of the recipe.", shown="the recipe's main stages"),
    ] = None
    engine: Annotated[
        Path | None,
        Option(
            "--engine",
            "DIR",
            "Virtual environment in which ms-swift is installed.",
            shown="$DTBENCH_ENGINE, .venv-train, else this one",
            panel=RUNS,
            values="folders",
        ),
    ] = None
    role: Annotated[
        str | None,
        Option(
            "--role",
            "ROLE",
            "Role of this node in multi-node training (same command on every node): auto, trainer, rollout or judge.",
            shown="a single machine",
            panel=RUNS,
            values=("auto", "trainer", "rollout", "judge"),
        ),
    ] = None
    reuse: Annotated[
        Path | None,
        Option(
            "--reuse",
            "DIR",
            "Reuse the evaluations and stages of this training that would be identical.",
            panel=RUNS,
            values="folders",
        ),
    ] = None

    judge_url: Annotated[
        str | None,
        Option(
            "--judge-url",
            "URL",
            "Endpoint of the judge used by the rewards.",
            shown="a node that serves the recipe's judge",
            panel=RUNS,
        ),
    ] = None

    log: Annotated[
        Sequence[str],
        Option(
            "--log",
            "TRACKER",
            "Log steps and evaluations to wandb, mlflow, trackio or a plug-in (repeatable).",
            panel=OUTPUT,
            values=("wandb", "mlflow", "trackio"),
        ),
    ] = ()

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        check_options(self)

    def load(self) -> Recipe:
        """Return the recipe with what differs from it."""
        recipe = override(load_recipe(self.recipe, self.arm), model=self.model, seed=self.seed)
        refuse_unsupported(recipe)
        return recipe
