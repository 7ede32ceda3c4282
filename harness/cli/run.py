"""`dtbench run`: run a model on benchmarks, store every answer, print the scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from dtbench.harness.cli.tables import print_note, print_summary
from dtbench.harness.cli.typer_options import with_config
from dtbench.harness.core.options import OUTPUT, RUNS, AsJson, Option
from dtbench.harness.run.request import RunRequest

Log = Annotated[
    Sequence[str],
    Option(
        "--log",
        "TRACKER",
        "Log the summary to wandb, mlflow, trackio or a plug-in (repeatable).",
        panel=OUTPUT,
        values=("wandb", "mlflow", "trackio"),
    ),
]


Config = Annotated[
    Path | None,
    Option(
        "--config",
        "FILE",
        "Read options from a TOML, YAML or JSON file, or repeat a run (its folder or run.json).",
        panel=RUNS,
        values="files",
    ),
]


def _read_config(path: Path) -> dict[str, Any]:
    from dtbench.harness.run.config import read_config

    return read_config(path)


@with_config(_read_config)
def run_command(request: RunRequest, config: Config = None, log: Log = (), as_json: AsJson = False) -> None:
    """Run a model on benchmarks, store every answer and print the scores.

    The same command resumes a run that was interrupted: nothing is asked twice.
    """
    from dtbench.harness.export.trackers import FAILED, get_loggers, log_summary
    from dtbench.harness.run.config import refuse_incomplete
    from dtbench.harness.run.session import run
    from dtbench.harness.store.run_folder import StoredRun

    if config is not None:
        refuse_incomplete(config, request)
    loggers = get_loggers(log)
    result = run(request, quiet=as_json)
    unlogged = log_summary(loggers, result.as_json(), StoredRun.open(result.folder)) if loggers else []
    if as_json:
        typer.echo(json.dumps(result.as_json()))
    else:
        for summary in result.summaries:
            print_summary(summary)
        typer.echo(f"run {result.folder} ({result.status})")
    for note in (*result.notes, *unlogged):
        print_note(note)
    raise typer.Exit(result.exit_code or (FAILED if unlogged else 0))
