"""`dtbench run`: run a model on benchmarks, store every answer, print the scores."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dtbench.harness.cli.next_steps import NextStep, after_run, print_next, trial_note
from dtbench.harness.cli.robustness_table import print_robustness
from dtbench.harness.cli.tables import print_summary
from dtbench.harness.cli.terminal import print_note
from dtbench.harness.cli.typer_options import with_config
from dtbench.harness.core.options import OUTPUT, RUNS, AsJson, Option
from dtbench.harness.run.request import RunRequest

if TYPE_CHECKING:
    from dtbench.harness.run.ending import RunResult

SHOWN_SHARDS = 6

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


DryRun = Annotated[
    bool,
    Option(
        "--dry-run",
        None,
        "Show questions, clips, the first request, the folder and the expected cost; start nothing.",
        panel=RUNS,
    ),
]


@with_config(_read_config)
def run_command(
    request: RunRequest, config: Config = None, dry_run: DryRun = False, log: Log = (), as_json: AsJson = False
) -> None:
    """Run a model on benchmarks, store every answer and print the scores.

    The same command resumes an interrupted run; no question is asked twice.
    """
    from dtbench.harness.export.trackers import FAILED, get_loggers, log_summary
    from dtbench.harness.run.config import refuse_incomplete
    from dtbench.harness.run.session import run_benchmarks
    from dtbench.harness.store.run_folder import StoredRun

    if config is not None:
        refuse_incomplete(config, request)
    loggers = get_loggers(log)
    request = in_slurm_array(request)
    runs = forms_of(request)
    if dry_run:
        if len(runs) > 1:
            print_note(f"these are {len(runs)} runs; of the first of them:")
        request = runs[0]
        from dtbench.harness.cli.dry_run import show_dry_run

        show_dry_run(request, as_json=as_json)
        return
    if len(runs) > 1:
        from dtbench.harness.cli.several_forms import run_in_forms

        run_in_forms(request, runs, as_json=as_json)
    if len(request.think_budget) > 1:
        from dtbench.harness.cli.budgets import run_with_budgets

        run_with_budgets(request, as_json=as_json)
    result = run_benchmarks(runs[0], quiet=as_json)
    logged = loggers if result.shard is None else []  # a shard that others follow has no summary yet
    unlogged = log_summary(logged, result.as_json(), StoredRun.open(result.folder)) if logged else []
    _add_robustness(result)
    if as_json:
        typer.echo(json.dumps(result.as_json()))
    else:
        for summary in result.summaries:
            print_summary(summary)
            print_robustness(summary.get("robustness", ()))
        print_end(result)
    for note in (*result.notes, *unlogged):
        print_note(note)
    trial = trial_note(result.folder) if result.status == "done" and result.shard is None else ""
    print_next(*_next_steps(result), quiet=as_json, note=trial)
    raise typer.Exit(result.exit_code or (FAILED if unlogged else 0))


def _add_robustness(result: RunResult) -> None:
    """Add what moves the score to the summaries of a run that asked in another form than the plain one."""
    from dtbench.harness.score.robustness import robustness_figures
    from dtbench.harness.score.run_form import PLAIN_FORM, form_of
    from dtbench.harness.store.run_folder import StoredRun

    if result.shard is not None or form_of((run := StoredRun.open(result.folder)).info) == PLAIN_FORM:
        return
    for summary in result.summaries:
        if figures := robustness_figures(run, summary["task"]):
            summary["robustness"] = figures


def forms_of(request: RunRequest) -> Sequence[RunRequest]:
    """Return a run for each form that a request asks for; most ask for one."""
    if not request.may_be_several:
        return [request]
    from dtbench.harness.run.several_forms import runs_of

    return runs_of(request)


def _next_steps(result: RunResult) -> Sequence[NextStep]:
    if result.shard is not None and result.waiting:
        if any(one.running for one in result.waiting):
            return [NextStep(["watch", result.folder], "until all shards have ended")]
        return [NextStep(["merge", result.folder], "which shards are missing")]
    if result.exit_code and result.status != "interrupted":
        return []  # a note says why, and what to do
    if result.stopped.startswith("--"):
        return []  # the same command would stop at once: the note says which limit to raise
    if result.exit_code:
        return [NextStep(["run", "--config", result.folder, "--out", result.folder], "go on where it stopped")]
    return after_run(result.folder, [summary["task"] for summary in result.summaries])


def in_slurm_array(request: RunRequest) -> RunRequest:
    """Return the request with the shard of this task of a SLURM array, and say so; as it is outside of one."""
    from dtbench.harness.run.shards import slurm_shard

    if request.shard is not None or (shard := slurm_shard(os.environ)) is None:
        return request
    task = os.environ["SLURM_ARRAY_TASK_ID"]
    print_note(f"task {task} of a SLURM array: --shard {shard} (--shard 1/1 asks all questions in each task)")
    return dataclasses.replace(request, shard=shard)


def print_end(result: RunResult) -> None:
    """Print what was spent, where the run lies and how it ended; of a shard, which others have not ended."""
    if result.spent is not None:
        from dtbench.harness.run.spending import spent_words

        typer.echo(f"spent        {spent_words(result.spent)}, over all starts")
    if result.shard is None:
        typer.echo(f"run {result.folder} ({result.status})")
        return
    typer.echo(f"shard {result.shard} of {result.folder} ({result.status}); the figures are of this shard alone")
    waiting = [f"{one.shard} {one.standing}" for one in result.waiting]
    more = f", and {len(waiting) - SHOWN_SHARDS} more" if len(waiting) > SHOWN_SHARDS else ""
    typer.echo(f"still to end: {', '.join(waiting[:SHOWN_SHARDS])}{more}; the last one sums up all of them")
