"""`dtbench run --permute all` and `--paraphrase FILE` with several lines for a question: a run for each, one table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer

from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.robustness_table import print_robustness
from dtbench.harness.cli.terminal import print_note
from dtbench.harness.run.ending import RunResult
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import run_many
from dtbench.harness.run.several_forms import drawn_note
from dtbench.harness.score.robustness import robustness_figures
from dtbench.harness.store.run_folder import StoredRun


def run_in_forms(request: RunRequest, runs: Sequence[RunRequest], *, as_json: bool) -> None:
    """Make each of the runs, by one model that is loaded once, and print what moves the score."""
    if note := drawn_note(request):
        print_note(note)
    print_note(f"{len(runs)} runs: the same questions in {len(runs)} forms")
    results: list[RunResult] = []
    for result in run_many(runs, quiet=as_json):
        results.append(result)
        print_note(f"{len(results)} of {len(runs)}: {result.folder} ({result.status})")
    every = _robustness(results)
    if as_json:
        printed = [{"exit_code": one.exit_code, **one.as_json()} for one in results]
        typer.echo(json.dumps({"robustness": every, "runs": printed}))
    else:
        for task, figures in every.items():
            typer.echo(task)
            print_robustness(figures)
    done = [one.folder for one in results if one.status == "done"]
    if done:
        print_next(NextStep(["report", done[0]], "every answer, and this table, on one page"), quiet=as_json)
    raise typer.Exit(max((one.exit_code for one in results), default=0))


def _robustness(results: Sequence[RunResult]) -> dict[str, Any]:
    """Return the figures of each task, as the first run has them."""
    if not results:
        return {}
    first = StoredRun.open(results[0].folder)
    return {task: robustness_figures(first, task) for task in first.info["tasks"]}
