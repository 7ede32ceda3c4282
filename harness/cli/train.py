"""`dtbench train`: stages of reinforcement learning from a recipe, evaluated after each."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dtbench.harness.cli.options import with_options
from dtbench.harness.core.errors import UserError, one_line
from dtbench.harness.core.options import Argument, AsJson, Option

if TYPE_CHECKING:
    from dtbench.training.engines.contract import Command, Metrics
    from dtbench.training.recipe.recipe import Recipe, StageRecipe

Spec = Annotated[str | None, Argument("RECIPE", "A recipe of dtbench, or a TOML file.")]
Out = Annotated[Path | None, Option("--out", "DIR", "The run's folder; the same one resumes.")]
ModelName = Annotated[str | None, Option("--model", "M", "Another checkpoint than the recipe's: a folder or hub id.")]
SeedOf = Annotated[int | None, Option("--seed", "S", "Another seed than the recipe's.")]
ArmName = Annotated[str | None, Option("--arm", "A", "Stages of this arm of the recipe in place of its own.")]
EnginePlace = Annotated[Path | None, Option("--engine", "DIR", "The environment that ms-swift is installed in.")]
ReuseOf = Annotated[
    Path | None,
    Option("--reuse", "RUN", "Take from this run what would come out the same: base, first stages."),
]
Dry = Annotated[bool, Option("--dry-run", None, "Print the engine's command of every stage, and run nothing.")]


@with_options
def train_command(  # noqa: PLR0913 - its parameters are options
    recipe: Spec = None,
    out: Out = None,
    model: ModelName = None,
    seed: SeedOf = None,
    arm: ArmName = None,
    engine: EnginePlace = None,
    reuse: ReuseOf = None,
    dry_run: Dry = False,
    as_json: AsJson = False,
) -> None:
    """Train a model in stages and evaluate each; killed anywhere, the same command goes on."""
    from dtbench.training.recipe.load import load_recipe, override, recipe_names

    if recipe is None:
        raise UserError(f"train takes a recipe: {', '.join(recipe_names())}, or a TOML file.")
    if out is None:
        raise UserError("--out is missing: name a folder for the run.")
    chosen = override(load_recipe(recipe, arm), model=model, seed=seed)
    if dry_run:
        _print_commands(chosen, out)
        return
    table = _carry_out(chosen, out, engine, reuse, quiet=as_json)
    if as_json:
        typer.echo(json.dumps(table))
    else:
        from dtbench.harness.cli.train_table import print_table

        print_table(table)


def _print_commands(recipe: Recipe, out: Path) -> None:
    """The exact command of every stage, with what it needs in its environment."""
    from dtbench.training.engines.contract import get_engine
    from dtbench.training.stages.layout import Layout
    from dtbench.training.stages.preflight import check_rewards
    from dtbench.training.stages.stages import stage_job

    check_rewards(recipe)
    layout = Layout(out.resolve())
    for stage in recipe.stage:
        job = stage_job(recipe, stage, layout)
        server = get_engine(recipe.engine).server(job)
        if server is not None:
            typer.echo(f"# {stage.name}, on the node that answers\n{_shell(server)}\n")
        where = f", on each of {recipe.machines.nodes} nodes" if recipe.machines.nodes > 1 else ""
        typer.echo(f"# {stage.name}{where}\n{_shell(get_engine(recipe.engine).command(job))}\n")


def _shell(told: Command) -> str:
    """As a shell takes it, a flag a line; `${...}` is left for the shell."""
    given = "".join(f"{name}={_quoted(value)} " for name, value in sorted(told.environment.items()))
    lines = " ".join(map(_quoted, told.arguments)).replace(" --", " \\\n  --")
    return f"{given}\\\n{lines}"


def _quoted(value: str) -> str:
    return value if value.startswith("${") else shlex.quote(value)


def _carry_out(recipe: Recipe, out: Path, engine: Path | None, reuse: Path | None, *, quiet: bool) -> dict[str, Any]:
    from dtbench.harness.run.signals import terminable
    from dtbench.harness.store.lock import RunLock
    from dtbench.training.engines.contract import get_engine
    from dtbench.training.engines.launch import find_environment
    from dtbench.training.stages import state
    from dtbench.training.stages.layout import Layout
    from dtbench.training.stages.preflight import check_embedding, check_rewards, check_stage_rows
    from dtbench.training.stages.reuse import reuse_run
    from dtbench.training.stages.stages import TrainingRun, stage_job

    check_rewards(recipe)
    layout = Layout(out.resolve())
    program = get_engine(recipe.engine).command(stage_job(recipe, recipe.stage[0], layout)).arguments[0]
    place = find_environment(engine, program)
    check_embedding(recipe, place)
    layout.root.mkdir(parents=True, exist_ok=True)
    lock = RunLock(layout.root)
    try:
        progress = state.open_state(layout.state, recipe)
        waiting = [one for one in recipe.stage if not progress.reached(one.name, state.PREPARED)]
        check_stage_rows(waiting, layout.clips)
        say, show = _teller(quiet=quiet)
        for line in reuse_run(recipe, layout, progress, reuse) if reuse is not None else ():
            say(line)
        progress.write()
        with terminable():
            return TrainingRun(recipe, layout, place, progress, say, show).run()
    finally:
        lock.close()


SHOWN = ("reward", "kl", "completion_length", "grad_norm", "seconds")
"""What a line of progress says of a step, beside the parts of the reward."""


def _teller(*, quiet: bool) -> tuple[Any, Any]:
    """How to say a line, and how to show a step: on stderr, and nothing where only JSON is wanted."""

    def say(line: str) -> None:
        if not quiet:
            typer.echo(one_line(line), err=True)

    def show(stage: StageRecipe, figures: Metrics) -> None:
        parts = [
            f"{name.removeprefix('reward/')} {figures[name]:.3f}" for name in figures if name.startswith("reward/")
        ]
        told = [f"{name} {figures[name]:.3g}" for name in SHOWN if name in figures]
        of = f" of {stage.steps}" if stage.steps else ""
        say(f"{stage.name}: step {figures['step']:.0f}{of}: {', '.join([*parts, *told])}")

    return say, show
