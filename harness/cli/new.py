"""`dtbench new`: write the first files of a task of a user's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dtbench.harness.cli.help_pages import HelpCommand
from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.options import OUTPUT, Argument, AsJson, Option

new_commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@new_commands.callback()
def new_command() -> None:
    """Create the first files of your own task, ready to run."""


@new_commands.command(cls=HelpCommand)
@with_options
def task(
    name: Annotated[str, Argument("NAME", "The name of the task: letters, digits, '.', '_' and '-'.")],
    to: Annotated[
        Path | None,
        Option("--to", "DIR", "The folder to write into.", panel=OUTPUT, shown="NAME", values="folders"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a task file, three questions with clips, and a test that passes; nothing is overwritten.

    Replace the questions with your own, and adapt the field names in the task file.
    """
    from dtbench.tasks.new_task import test_file_of, write_new_task

    folder = Path(name) if to is None else to
    written = write_new_task(name, folder)
    if as_json:
        typer.echo(json.dumps({"task": name, "files": [str(path) for path in written]}))
        return
    for path in written:
        typer.echo(str(path))
    file = folder / f"{name}.toml"
    print_next(
        NextStep(["run", "--model", "random", "--tasks", file], "chance, to see that it works"),
        NextStep(["data", "verify", file], f"`pytest {folder / test_file_of(name)}` tests it"),
    )
