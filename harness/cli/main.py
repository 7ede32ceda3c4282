"""The entry point: a table of commands, each imported only when it is called."""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import io
import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple, TextIO

import typer

import dtbench
from dtbench.harness.cli.tables import print_note
from dtbench.harness.core.errors import DtbenchError


class Subcommand(NamedTuple):
    """A command of dtbench."""

    path: str
    """module:function, in this folder."""
    help: str
    context: Mapping[str, bool] = {}
    """Settings of click."""


COMMANDS = {
    "demo": Subcommand("demo:demo_command", "See it work: the model in the box answers the benchmark in the box."),
    "tasks": Subcommand("tasks:tasks_command", "List the benchmarks and what is known of each."),
    "data": Subcommand("data:data_commands", "Fetch a benchmark's data, check it, or convert data to train on."),
    "models": Subcommand("models:models_command", "List the families of models and what is known of each."),
    "run": Subcommand("run:run_command", "Ask a model the questions of benchmarks, store every answer, print scores."),
    "score": Subcommand("score:score_command", "Score a prediction file exactly as the benchmark's authors do."),
    "compare": Subcommand("compare:compare_command", "Say whether a run is better than another, question by question."),
    "cot": Subcommand(
        "cot:cot_command", "Write captions, questions and reference chains for training data with language models."
    ),
    "mine": Subcommand("mine:mine_command", "Keep the questions that a checkpoint only sometimes gets right."),
    "gate": Subcommand(
        "gate:gate_command", "Pass or stop a candidate in CI: no worse than a baseline, by more than is allowed."
    ),
    "report": Subcommand("report:report_command", "Write a run, or two side by side, as one page for a browser."),
    "board": Subcommand("board:board_command", "Show what papers and boards report, with runs of yours among them."),
    "judge": Subcommand("judge:judge_command", "Score a run's reasoning chains against rubrics, with an LLM judge."),
    "export": Subcommand(
        "export:export_command", "Write a run's answers as a leaderboard reads them, or check such a file."
    ),
    "lm-eval": Subcommand(
        "main:lm_eval_command",
        "Run lm-eval's own command line, with our models and benchmarks in it.",
        {"ignore_unknown_options": True, "allow_extra_args": True},
    ),
    "train": Subcommand("train:train_command", "Train a model in stages of reinforcement learning, and evaluate each."),
    "extract": Subcommand("extract:extract_command", "Extract the answer from model outputs."),
}
ALIASES = {"chains": "cot"}
"""Former names, which work and are not listed."""
VERBOSE = ("-v", "-vv", "--verbose")
INTERRUPTED = 130
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""Click's UsageError, for which typer has no name of its own."""


def main() -> None:
    """Run one command and exit; what is wrong is one line on stderr."""
    atexit.register(gc.freeze)  # 20 ms: or the collector looks through all modules once more at the exit
    stdout = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(errors="backslashreplace")  # data may hold what no encoding can write
    try:
        code = _run(_verbose_first(sys.argv[1:]))
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
        return build(arguments)(arguments, prog_name="dtbench", standalone_mode=False) or 0
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


def _verbose_first(arguments: list[str]) -> list[str]:
    """Take -v, which is the same for all commands, to the front; lm-eval has a -v of its own."""
    if "lm-eval" in arguments:
        return arguments
    verbose = [word for word in arguments if word in VERBOSE]
    return [*verbose, *(word for word in arguments if word not in VERBOSE)]


def _misused(error: Any) -> int:
    """Report what is wrong with the command line; without a message, its help was printed."""
    message, where = error.format_message().rstrip("."), error.ctx.command_path if error.ctx else "dtbench"
    stop = "" if message.endswith("?") else "."
    return _say(f"{message}{stop} See `{where} --help`.", 2) if message else 2


def _say(message: str, code: int) -> int:
    print_note(message)
    return code


def _discard(stdout: TextIO) -> None:
    """Send what is still buffered nowhere, or the interpreter reports an error at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())


def build(arguments: list[str]) -> typer.Typer:
    """Build the application with the command that the arguments call, and stubs for the others."""
    app = typer.Typer(
        name="dtbench",
        help=(dtbench.__doc__ or "").partition("\n")[0],
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_global_options)
    called = next((word for word in arguments if not word.startswith("-")), None)
    completing = "_DTBENCH_COMPLETE" in os.environ
    for name, command in COMMANDS.items():
        if name == called or completing:
            _add(app, name, command)
        else:
            app.command(name, help=command.help)(_stub)
    if called in ALIASES:
        _add(app, called, COMMANDS[ALIASES[called]], hidden=True)
    return app


def _add(app: typer.Typer, name: str, command: Subcommand, *, hidden: bool = False) -> None:
    module, _, attribute = command.path.partition(":")
    target = getattr(importlib.import_module(f"dtbench.harness.cli.{module}"), attribute)
    if isinstance(target, typer.Typer):
        app.add_typer(target, name=name, help=command.help, hidden=hidden)
    else:
        app.command(name, help=command.help, context_settings=dict(command.context), hidden=hidden)(target)


def lm_eval_command(context: typer.Context) -> None:
    """Pass what follows on, as in `dtbench lm-eval --model dtbench --model_args pretrained=D --tasks dtbench_mini`."""
    from dtbench.harness.lm_eval.plug import call_lm_eval

    call_lm_eval(context.args)


def _stub() -> None:
    """Stands for a command that was not called, so that --help can list it."""


def _print_version(given: bool) -> None:
    if given:
        typer.echo(f"dtbench {dtbench.__version__}")
        raise typer.Exit


def _show_log(verbosity: int) -> None:
    if verbosity:
        import logging

        from dtbench.harness.store.run_log import StderrHandler, add_handler

        add_handler(StderrHandler(logging.INFO if verbosity == 1 else logging.DEBUG))


def _global_options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
    verbose: int = typer.Option(
        0, "--verbose", "-v", count=True, callback=_show_log, help="Show the log on stderr; -vv shows more of it."
    ),
) -> None:
    """Read the options that stand before a command."""


if __name__ == "__main__":
    main()
