"""`dtbench train`: stages of reinforcement learning from a recipe, evaluated after each."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from dtbench.harness.cli.tables import progress_printer
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.options import AsJson, Option
from dtbench.training.stages.stages import TrainOptions

if TYPE_CHECKING:
    from dtbench.training.engines.contract import EngineCommand, Metrics
    from dtbench.training.recipe.recipe import StageRecipe

DryRun = Annotated[bool, Option("--dry-run", None, "Print the engine's command of every stage, and run nothing.")]
SHOWN = ("reward", "kl", "completion_length", "grad_norm", "seconds")
"""What a line of progress says of a step, beside the parts of the reward."""


@with_options
def train_command(options: TrainOptions, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Train a model in stages and evaluate each; run it again to go on where it stopped."""
    from dtbench.harness.cli.train_table import print_table
    from dtbench.training.stages.stages import stage_commands, train

    if dry_run:
        for where, command in stage_commands(options):
            typer.echo(f"# {where}\n{_shell(command)}\n")
        return

    say = progress_printer(quiet=as_json)
    table = train(options, say, lambda stage, metrics: say(_step_line(stage, metrics)))
    if as_json:
        typer.echo(json.dumps(table))
    else:
        print_table(table)


def _shell(command: EngineCommand) -> str:
    """Return the command as a shell reads it, a flag a line; `${...}` is left for the shell."""
    environment = "".join(f"{name}={_quoted(value)} " for name, value in sorted(command.environment.items()))
    lines = " ".join(map(_quoted, command.arguments)).replace(" --", " \\\n  --")
    return f"{environment}\\\n{lines}"


def _quoted(value: str) -> str:
    return value if value.startswith("${") else shlex.quote(value)


def _step_line(stage: StageRecipe, metrics: Metrics) -> str:
    rewards = [f"{name.removeprefix('reward/')} {metrics[name]:.3f}" for name in metrics if name.startswith("reward/")]
    others = [f"{name} {metrics[name]:.3g}" for name in SHOWN if name in metrics]
    of = f" of {stage.steps}" if stage.steps else ""
    return f"{stage.name}: step {metrics['step']:.0f}{of}: {', '.join([*rewards, *others])}"
