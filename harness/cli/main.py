"""The entry point: a table of commands, each imported only when it is the one called."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import typer

import dtbench
from dtbench.harness.errors import DtbenchError

COMMANDS = {
    "tasks": "List the benchmarks and what is known of each.",
    "data": "Fetch a benchmark's data, or check what is there.",
    "score": "Score a prediction file exactly as the benchmark's authors do.",
    "extract": "Take the answer out of model outputs.",
}


def main() -> None:
    """Run one command; a known error is one line on stderr and an exit code."""
    try:
        build(sys.argv[1:])()
    except DtbenchError as error:
        typer.echo(f"dtbench: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        # Whoever read our output has what it wanted (`dtbench ... | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def build(arguments: list[str]) -> typer.Typer:
    """The application with the command that the arguments call, and stubs for the others."""
    app = typer.Typer(
        name="dtbench",
        help=dtbench.__doc__,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    called = next((word for word in arguments if not word.startswith("-")), None)
    completing = "_DTBENCH_COMPLETE" in os.environ
    for name, summary in COMMANDS.items():
        if name == called or completing:
            _add(app, name, summary, importlib.import_module(f"dtbench.harness.cli.{name}").command)
        else:
            app.command(name, help=summary)(_stub)
    return app


def _add(app: typer.Typer, name: str, summary: str, command: Any) -> None:
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name, help=summary)
    else:
        app.command(name, help=summary)(command)


def _stub() -> None:
    """Stands for a command that was not called, so that --help can list it."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dtbench {dtbench.__version__}")
        raise typer.Exit


def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """The options before a command."""


if __name__ == "__main__":
    main()
