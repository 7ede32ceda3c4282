"""The entry point: a table of commands, each imported only when it is called."""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TextIO

import typer

import dtbench
from dtbench.harness.cli.help_pages import ALIASES, HelpCommand, HelpGroup
from dtbench.harness.cli.terminal import print_error, print_note
from dtbench.harness.core.environment import misspelt_variables
from dtbench.harness.core.errors import DtbenchError


class Subcommand(NamedTuple):
    """A command of dtbench."""

    path: str
    """module:function, in this folder."""
    help: str
    context: Mapping[str, bool] = {}
    """Settings of click."""


# The order of the first page is that of GROUPS in help_pages.py.
COMMANDS = {
    "demo": Subcommand("demo:demo_command", "See it work: the bundled model answers the bundled benchmark."),
    "doctor": Subcommand("doctor:doctor_command", "Show what is installed, what works here, and what to install."),
    "tasks": Subcommand("tasks:tasks_command", "List benchmarks and what is known about each."),
    "new": Subcommand("new:new_commands", "Create the first files of your own task, ready to run."),
    "data": Subcommand("data:data_commands", "Download a benchmark's data, check it, or convert training data."),
    "models": Subcommand("models:models_command", "List model families and what is known about each."),
    "run": Subcommand("run:run_command", "Run a model on benchmarks, store every answer, print the scores."),
    "sweep": Subcommand("sweep:sweep_command", "Run several checkpoints one after another, and print one table."),
    "merge": Subcommand("merge:merge_command", "Summarize a run of several shards, or say which are missing."),
    "score": Subcommand("score:score_command", "Score predictions or a stored run as the benchmark's authors do."),
    "compare": Subcommand(
        "compare:compare_command", "Compare runs question by question, with paired significance tests."
    ),
    "cot": Subcommand("cot:cot_command", "Write questions and reasoning chains for training data with LLMs."),
    "mine": Subcommand("mine:mine_command", "Keep the questions that a checkpoint only sometimes gets right."),
    "gate": Subcommand("gate:gate_command", "Fail CI when a candidate run is worse than its baseline."),
    "subset": Subcommand("subset:subset_command", "Select a small set of questions that ranks runs like the whole."),
    "report": Subcommand("report:report_command", "Write an HTML page with every answer of one run or several."),
    "table": Subcommand("table:table_command", "Make a table for a paper, from runs and published scores."),
    "plot": Subcommand("plot:plot_command", "Draw runs for a paper or a slide, as SVG, PNG or PDF."),
    "board": Subcommand("board:board_command", "Show published scores next to your own runs."),
    "judge": Subcommand("judge:judge_command", "Score a run's reasoning chains against rubrics with an LLM judge."),
    "faithful": Subcommand(
        "faithful:faithful_command", "Edit a run's reasoning, and count the answers that follow it."
    ),
    "export": Subcommand("export:export_command", "Write a submission to a leaderboard, or check one."),
    "view": Subcommand("view:view_command", "Serve a live report of all runs below a folder."),
    "watch": Subcommand("watch:watch_command", "Follow a run that was started elsewhere."),
    "lm-eval": Subcommand(
        "main:lm_eval_command",
        "Run lm-eval with dtbench's models and benchmarks added.",
        {"ignore_unknown_options": True, "allow_extra_args": True},
    ),
    "train": Subcommand("train:train_command", "Train a model in RL stages and evaluate it after each."),
    "probe": Subcommand("probe:probe_commands", "Look inside a model: what training changed, and where it decides."),
    "extract": Subcommand("extract:extract_command", "Extract the answer from model outputs, without a run."),
}
VERBOSE = ("-v", "-vv", "--verbose")
INTERRUPTED = 130
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""Click's UsageError, for which typer has no name of its own."""


def main() -> None:
    """Run one command and exit; what is wrong is one line on stderr."""
    gc.set_threshold(20_000, 20, 50)  # commands make many objects and no cycles: the defaults take 5 % of their time
    atexit.register(_spare_the_collector)
    stdout = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(errors="backslashreplace")  # data may hold what no encoding can write
    try:
        for note in misspelt_variables(os.environ):
            print_note(note)
        code = _run(_as_options(_verbose_first(sys.argv[1:])))
        if stdout is not None:
            stdout.flush()
    except BrokenPipeError:
        code = 0
        _discard(stdout)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            code = _say(f"the output could not be written ({error.strerror})", 3)
            _discard(stdout)
        else:
            code = _say(_unexpected(error), 3)
    except KeyboardInterrupt:  # while the last line is written, or an error
        code = INTERRUPTED
    except BaseException as error:  # what nobody foresaw must not end with 1, which a gate's regression means
        code = _say(_unexpected(error), 3)
    raise SystemExit(code)


def _unexpected(error: BaseException) -> str:
    """Describe an error that nobody foresaw in one line, and keep its traceback in a file."""
    import tempfile
    import traceback

    from dtbench.harness.core.errors import format_error

    inner: BaseException = error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    said = f"this should not have happened: {format_error(inner)}."
    try:
        with tempfile.NamedTemporaryFile("w", prefix="dtbench-traceback-", suffix=".txt", delete=False) as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError as why:
        return f"{said} Its traceback could not be kept ({why.strerror}); please report it."
    return f"{said} The traceback is in {file.name}; please report it."


def _spare_the_collector() -> None:
    """Keep the collector from looking through all modules at the exit, 20 ms; soxr's binding takes that for a leak."""
    if "soxr" not in sys.modules:
        gc.freeze()


def _run(arguments: list[str]) -> Any:
    try:
        while True:
            try:
                return build(arguments)(arguments, prog_name="dtbench", standalone_mode=False) or 0
            except USAGE_ERROR as error:
                translated = _translated(arguments, error)
                if translated is None:
                    return _misused(arguments, error)
                arguments = translated
    except SystemExit as end:
        # typer and rich end with 1 where the pipe is closed, which here would be a regression that a gate found.
        # Whoever read our output has what it wanted (`dtbench ... | head`).
        return 0 if isinstance(end.__context__, BrokenPipeError) else end.code
    except DtbenchError as error:
        return _say(str(error), error.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED


def _translated(arguments: list[str], error: Any) -> list[str] | None:
    """Return the command line with an option of another harness in dtbench's words; None where it has none."""
    from dtbench.harness.cli.habits import refuse_fraction, translate, translate_extra
    from dtbench.harness.cli.usage_errors import extra_words

    if getattr(error, "param", None) is not None and "--limit" in error.param.opts:
        refuse_fraction(arguments)
    if error.ctx is None:
        return None
    known = [flag for one in error.ctx.command.params for flag in one.opts]
    if hasattr(error, "possibilities"):
        translation = translate(arguments, error.option_name, known)
    else:
        translation = translate_extra(arguments, extra_words(error), known)
    if translation is None:
        return None
    if translation.note:
        print_note(translation.note)
    return translation.arguments


def _verbose_first(arguments: list[str]) -> list[str]:
    """Take -v, which is the same for all commands, to the front; lm-eval has a -v of its own."""
    if "lm-eval" in arguments:
        return arguments
    verbose = [word for word in arguments if word in VERBOSE]
    return [*verbose, *(word for word in arguments if word not in VERBOSE)]


def _as_options(arguments: list[str]) -> list[str]:
    """Return `help COMMAND` and `version`, which other programs have as commands, as the options that they are here."""
    first, *rest = arguments or [""]
    return [*rest, "--help"] if first == "help" else ["--version"] if first == "version" else arguments


def _misused(arguments: list[str], error: Any) -> int:
    """Report what is wrong with the command line; print the help of a group that was called without a command."""
    from dtbench.harness.cli.usage_errors import describe_misuse, is_call_for_help

    if is_call_for_help(error):
        typer.echo(error.ctx.get_help())
        return 2
    called = next((word for word in arguments if word in COMMANDS), None)
    where = error.ctx.command_path if error.ctx else f"dtbench {called}" if called else "dtbench"
    message = describe_misuse(error, where)
    stop = "" if message.endswith(("?", ".")) else "."
    return _say(f"{message}{stop} See `{where} --help`.", 2)


def _say(message: str, code: int) -> int:
    print_error(message)
    return code


def _discard(stdout: TextIO) -> None:
    """Send what is still buffered nowhere, or the interpreter reports an error at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())


def build(arguments: list[str]) -> typer.Typer:
    """Build the application with the command that the arguments call, and stubs for the others."""
    app = typer.Typer(
        name="dtbench",
        cls=HelpGroup,
        rich_markup_mode=None,
        help=(dtbench.__doc__ or "").partition("\n")[0],
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_global_options)
    called = next((word for word in _words(arguments) if not word.startswith("-")), None)
    for name, command in COMMANDS.items():
        if name == called:
            _add(app, name, command)
        else:
            app.command(name, short_help=command.help, cls=HelpCommand)(_stub)
    if called in ALIASES:
        _add(app, called, COMMANDS[ALIASES[called]], hidden=True)
    return app


def _words(arguments: list[str]) -> Sequence[str]:
    """Return the words of the command line; where a shell asks for completions, of the one that is being typed."""
    if "_DTBENCH_COMPLETE" not in os.environ:
        return arguments
    from dtbench.harness.cli.completion import typed_words

    return typed_words()


def _add(app: typer.Typer, name: str, command: Subcommand, *, hidden: bool = False) -> None:
    module, _, attribute = command.path.partition(":")
    target = getattr(importlib.import_module(f"dtbench.harness.cli.{module}"), attribute)
    if isinstance(target, typer.Typer):
        app.add_typer(target, name=name, cls=HelpGroup, help=command.help, hidden=hidden)
    else:
        app.command(
            name, short_help=command.help, cls=HelpCommand, context_settings=dict(command.context), hidden=hidden
        )(target)


def lm_eval_command(context: typer.Context) -> None:
    """Run lm-eval's own command line with dtbench's models and benchmarks in it.

    Whatever follows is passed on to lm-eval: its options are described by `lm_eval run --help`.
    """
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
        False, "--version", "-V", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
    verbose: int = typer.Option(
        0, "--verbose", "-v", count=True, callback=_show_log, help="Show the log on stderr; -vv shows more."
    ),
) -> None:
    """Read the options that stand before a command."""


if __name__ == "__main__":
    main()
