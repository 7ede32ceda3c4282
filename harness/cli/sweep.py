"""`dtbench sweep`: run several checkpoints, one after the other, and print one table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.run import in_slurm_array
from dtbench.harness.cli.tables import NONE, percent, print_rows
from dtbench.harness.cli.terminal import print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.options import AsJson
from dtbench.harness.run.request import SweepRequest

if TYPE_CHECKING:
    from dtbench.harness.run.sweep import SweepRun
    from dtbench.harness.store.share_types import IntervalFigures

TITLES = ("official, in %", "task", "score", "95 %", "time", "status")


@with_options
def sweep_command(request: SweepRequest, as_json: AsJson = False) -> None:
    """Run several checkpoints on the same benchmarks, one after another, and print one table.

    Each has its own run folder in --out, and the same command resumes all of them. If one fails, the next one still
    runs.
    """
    from dtbench.harness.run.sweep import sweep, worst_exit_code

    requests = request.requests()
    shard = in_slurm_array(next(iter(requests.values()))).shard
    outcomes: list[SweepRun] = []
    for outcome in sweep({model: replace(one, shard=shard) for model, one in requests.items()}, quiet=as_json):
        outcomes.append(outcome)
        print_note(f"{len(outcomes)} of {len(requests)}: {outcome.model}: {outcome.error or _status(outcome)}")
    if as_json:
        typer.echo(json.dumps({"runs": [one.as_json() for one in outcomes]}))
    else:
        print_rows(TITLES, [row for one in outcomes for row in _rows(one)])
    print_next(*_next_steps(outcomes), quiet=as_json)
    raise typer.Exit(worst_exit_code(outcomes))


def _next_steps(outcomes: Sequence[SweepRun]) -> Sequence[NextStep]:
    done = [one.result.folder for one in outcomes if one.result is not None and one.result.status == "done"]
    if len(done) == 1 or not done:
        return [NextStep(["report", folder], "every answer on one page") for folder in done]
    compare = NextStep(["compare", *done], "each against the first, question by question")
    return [compare, NextStep(["report", *done[:2]], "two of them side by side")]


def _rows(outcome: SweepRun) -> Iterator[Sequence[str]]:
    if outcome.result is None:
        yield outcome.model, *[NONE] * (len(TITLES) - 2), _status(outcome)
        return
    for summary in outcome.result.summaries:
        official = summary["official"]
        time = NONE if outcome.seconds is None else str(timedelta(seconds=round(outcome.seconds)))
        shown = percent(official["accuracy"]), _interval(official), time, _status(outcome, summary["failed"])
        yield outcome.model, summary["task"], *shown


def _interval(part: IntervalFigures) -> str:
    return NONE if part["low"] is None else f"{percent(part['low'])}-{percent(part['high'])}"


def _status(outcome: SweepRun, failed: int = 0) -> str:
    """Return how a run ended; of a shard, which one, and of a task, how many questions failed."""
    if outcome.result is None:
        return "failed"
    shard = outcome.result.shard
    which = outcome.result.status if shard is None else f"{outcome.result.status} {shard}"
    return f"{which}, {failed} failed" if failed else which
