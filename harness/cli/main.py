"""The entry point: a table of commands, each imported only when it is the one called."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from typing import Any, TextIO

import typer

import dtbench
from dtbench.harness.cli.messages import say
from dtbench.harness.core.errors import DtbenchError

COMMANDS = {
    "demo": "See it work: the model in the box answers the benchmark in the box.",
    "tasks": "List the benchmarks and what is known of each.",
    "data": "Fetch a benchmark's data, check what is there, or convert data to train on.",
    "models": "List the families of models and what is known of each.",
    "run": "Ask a model the questions of benchmarks, keep every answer, print the scores.",
    "score": "Score a prediction file exactly as the benchmark's authors do.",
    "compare": "Say whether a run is better than another, question by question.",
    "chains": "Write captions, questions and reference chains for training data, by language models.",
    "mine": "Keep the training questions that a checkpoint sometimes gets right, and sometimes not.",
    "gate": "Pass or stop a candidate in CI: no worse than a baseline, by more than is allowed.",
    "report": "Write a run, or two side by side, as one page for a browser.",
    "board": "Show what papers and boards report, with runs of yours among them.",
    "judge": "Hold the chains of a run against their criteria, by a language model.",
    "export": "Write a run's answers as leaderboards read them, or check such a file.",
    "lm-eval": "Run lm-eval's own command line, with our models and benchmarks in it.",
    "train": "Train a model in stages of reinforcement learning, and evaluate each.",
    "extract": "Take the answer out of model outputs.",
}
INTERRUPTED = 130
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""Click's UsageError, for which typer has no name of its own."""


def main() -> None:
    """Run one command and exit; what is wrong is one line on stderr."""
    stdout = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(errors="backslashreplace")  # data may hold what no encoding can write
    try:
        code = _run(sys.argv[1:])
        if stdout is not None:
            stdout.flush()
    except BrokenPipeError:
        code = 0
        _discard(stdout)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        code = _say(f"the output could not be written ({error.strerror})", 3)
        _discard(stdout)
    raise SystemExit(code)


def _run(arguments: list[str]) -> Any:
    try:
        return build(arguments)(prog_name="dtbench", standalone_mode=False) or 0
    except SystemExit as end:
        # typer and rich end with 1 where the pipe is closed, which here would be a regression that a gate found.
        # Whoever read our output has what it wanted (`dtbench ... | head`).
        return 0 if isinstance(end.__context__, BrokenPipeError) else end.code
    except DtbenchError as error:
        return _say(str(error), error.exit_code)
    except USAGE_ERROR as error:
        return _misused(error)
    except KeyboardInterrupt:
        return INTERRUPTED


def _misused(error: Any) -> int:
    """Say what is wrong with the command line; where there was none, its help says it all."""
    message, where = error.format_message().rstrip("."), error.ctx.command_path if error.ctx else "dtbench"
    stop = "" if message.endswith("?") else "."
    return _say(f"{message}{stop} See `{where} --help`.", 2) if message else 2


def _say(message: str, code: int) -> int:
    say(message)
    return code


def _discard(stdout: TextIO) -> None:
    """Let what is still buffered go nowhere, or the interpreter complains of it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())


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
            _add(app, name, summary, importlib.import_module(f"dtbench.harness.cli.{name.replace('-', '_')}"))
        else:
            app.command(name, help=summary)(_stub)
    return app


def _add(app: typer.Typer, name: str, summary: str, module: Any) -> None:
    """The module's `command`; its `CONTEXT`, where it has one, says how its arguments are read."""
    command = module.command
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name, help=summary)
    elif (context := getattr(module, "CONTEXT", None)) is not None:
        app.command(name, context_settings=context)(command)
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
