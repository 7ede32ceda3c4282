"""`dtbench run --think-budget N,...`: one table of the accuracy over the budget."""

from __future__ import annotations

import json

import typer

from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.tables import NONE, percent, print_rows
from dtbench.harness.cli.terminal import print_note
from dtbench.harness.run.budgets import BudgetPoint, BudgetRun, run_budgets
from dtbench.harness.run.request import RunRequest

TITLES = ("budget", "task", "official", "strict", "cut", "if cut", "if not", "too long", "tokens")
_COLUMNS = (
    "official, strict: accuracy in %; cut: answers whose chain of thought was ended at the budget; if cut, if not: the "
    "strict accuracy of these and of the others."
)
_AT_MOST = (
    "cut: the endpoint does not tell the tokens of the reasoning, so answers with at least as many tokens in all are "
    "counted: no other was ended there."
)


def run_with_budgets(request: RunRequest, *, as_json: bool) -> None:
    """Run a request with each of its budgets, and print the curve."""
    runs: list[BudgetRun] = []
    for one in run_budgets(request, quiet=as_json):
        runs.append(one)
        print_note(f"{len(runs)} of {len(request.think_budget)}: budget {one.budget}: {one.result.status}")
    points = [point for one in runs for point in one.points()]
    if as_json:
        typer.echo(json.dumps({"budgets": [one.as_json() for one in runs]}))
    else:
        print_rows(TITLES, [_row(point) for point in points])
        print_note(_COLUMNS)
    if not all(point.exact for point in points):
        print_note(_AT_MOST)
    done = [one.result.folder for one in runs if one.result.status == "done"]
    if len(done) > 1:
        compare = NextStep(["compare", *done], "each budget against the smallest, question by question")
        print_next(compare, quiet=as_json)
    raise typer.Exit(max((one.result.exit_code for one in runs), default=0))


def _row(point: BudgetPoint) -> tuple[str, ...]:
    summary = point.summary
    too_long = summary["finish_reasons"].get("length", 0)
    tokens = NONE if point.tokens is None else f"{point.tokens:.0f}"
    scores = percent(summary["official"]["accuracy"]), percent(summary["strict"]["accuracy"])
    cut = str(len(point.cut.ids)), percent(point.cut.accuracy), percent(point.uncut.accuracy)
    return str(point.budget), point.task, *scores, *cut, str(too_long), tokens
