"""Train in stages, as `dtbench train` does: check what a recipe needs, then run what is not done."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from dtbench.harness.core.model import Notify
from dtbench.harness.core.options import Argument, Option
from dtbench.harness.run.progress import logged
from dtbench.harness.run.signals import sigterm_as_interrupt
from dtbench.harness.store.lock import RunLock
from dtbench.harness.store.run_folder import LOG_NAME
from dtbench.harness.store.run_log import RunLog
from dtbench.training.engines.contract import EngineCommand, get_engine
from dtbench.training.engines.launch import find_environment
from dtbench.training.recipe.load import load_recipe, override, recipe_names
from dtbench.training.recipe.recipe import Recipe
from dtbench.training.stages import state
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.preflight import check_embedding, check_rewards, check_stage_rows
from dtbench.training.stages.reuse import reuse_run
from dtbench.training.stages.stages import OnStep, TrainingRun, stage_job


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Which recipe is trained, and what differs from it."""

    recipe: Annotated[
        str,
        Argument(
            "RECIPE",
            "A recipe of dtbench, or a TOML file.",
            missing=f"train takes a recipe: {', '.join(recipe_names())}, or a TOML file.",
        ),
    ]
    out: Annotated[
        Path,
        Option(
            "--out",
            "DIR",
            "The run's folder; the same one resumes.",
            missing="--out is missing: name a folder for the run.",
        ),
    ]
    model: Annotated[
        str | None, Option("--model", "M", "Another checkpoint than the recipe's: a folder or hub id.")
    ] = None
    seed: Annotated[int | None, Option("--seed", "S", "Another seed than the recipe's.")] = None
    arm: Annotated[str | None, Option("--arm", "A", "Stages of this arm of the recipe in place of its own.")] = None
    engine: Annotated[Path | None, Option("--engine", "DIR", "The environment that ms-swift is installed in.")] = None
    reuse: Annotated[
        Path | None,
        Option("--reuse", "RUN", "Take from this run what would come out the same: base, first stages."),
    ] = None

    def load(self) -> Recipe:
        """Return the recipe with what differs from it."""
        return override(load_recipe(self.recipe, self.arm), model=self.model, seed=self.seed)


def train(options: TrainOptions, notify: Notify, on_step: OnStep) -> Mapping[str, Any]:
    """Train in stages and evaluate each; resume if the folder already holds some. `on_step` is called at every step."""
    recipe = options.load()
    check_rewards(recipe)
    layout = Layout(options.out.resolve())
    program = get_engine(recipe.engine).command(stage_job(recipe, recipe.stage[0], layout)).arguments[0]
    environment = find_environment(options.engine, program)
    check_embedding(recipe, environment)
    layout.root.mkdir(parents=True, exist_ok=True)
    lock, notify = RunLock(layout.root), logged(notify)
    try:
        progress = state.open_state(layout.state, recipe)
        unprepared = [stage for stage in recipe.stage if not progress.reached(stage.name, state.PREPARED)]
        check_stage_rows(unprepared, layout.clips)
        for line in reuse_run(recipe, layout, progress, options.reuse) if options.reuse is not None else ():
            notify(line)
        progress.write()
        with sigterm_as_interrupt(), RunLog(layout.root / LOG_NAME) as log:
            log.note_start(sys.argv)
            return TrainingRun(recipe, layout, environment, progress, notify, on_step).run()
    finally:
        lock.close()


class StageCommand(NamedTuple):
    """A command of the engine, and where it runs."""

    where: str
    command: EngineCommand


def stage_commands(options: TrainOptions) -> Iterator[StageCommand]:
    """Yield the exact command of every stage; nothing is run."""
    recipe = options.load()
    check_rewards(recipe)
    layout, nodes = Layout(options.out.resolve()), recipe.machines.nodes
    for stage in recipe.stage:
        job = stage_job(recipe, stage, layout)
        engine = get_engine(recipe.engine)
        if (server := engine.server(job)) is not None:
            yield StageCommand(f"{stage.name}, on the node that answers", server)
        yield StageCommand(f"{stage.name}, on each of {nodes} nodes" if nodes > 1 else stage.name, engine.command(job))
