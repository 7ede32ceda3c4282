"""`dtbench run`: ask a model the questions of benchmarks, keep every answer, print the scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from dtbench.harness.cli.messages import say
from dtbench.harness.cli.options import with_options
from dtbench.harness.core.options import AsJson, Option
from dtbench.harness.run.request import RunRequest

if TYPE_CHECKING:
    from dtbench.harness.run.session import RunResult

Log = Annotated[
    Sequence[str],
    Option("--log", "NAME", "Send the summary to wandb, mlflow, trackio, or the logger of a package; repeat it."),
]


@with_options
def run_command(request: RunRequest, log: Log = (), as_json: AsJson = False) -> None:
    """Ask a model the questions of benchmarks; run it again to go on where it stopped."""
    from dtbench.harness.export.trackers.call import FAILED, log_all, loggers
    from dtbench.harness.run.session import run
    from dtbench.harness.store.run_folder import StoredRun

    trackers = loggers(log)
    result = run(request, quiet=as_json)
    unlogged = log_all(trackers, result.as_json(), StoredRun.open(result.folder)) if trackers else []
    _print(result, as_json=as_json)
    for note in (*result.notes, *unlogged):
        say(note)
    raise typer.Exit(result.exit_code or (FAILED if unlogged else 0))


def _print(result: RunResult, *, as_json: bool) -> None:
    from dtbench.harness.cli.tables import print_summary

    if as_json:
        typer.echo(json.dumps(result.as_json()))
        return
    for summary in result.summaries:
        print_summary(summary)
    typer.echo(f"run {result.folder} ({result.status})")
