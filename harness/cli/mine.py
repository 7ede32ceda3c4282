"""`dtbench mine`: keep the training questions that a checkpoint only sometimes gets right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import typer

from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.tables import print_rows
from dtbench.harness.cli.terminal import print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import one_line
from dtbench.harness.core.options import AsJson
from dtbench.training.data.mining import OUTCOMES, Band, MiningOptions, mine

SHORT = ("kept", "never", "hard", "easy", "always", "lacking")
"""Names of the outcomes that fit a table of 80 columns."""


@with_options
def mine_command(options: MiningOptions, as_json: AsJson = False) -> None:
    """Keep the training questions that a checkpoint only sometimes answers correctly.

    Each question is asked K times; rows with a number of correct answers in the band are kept. The same command
    resumes.
    """
    result = mine(options, quiet=as_json)
    report = result.report
    is_done = "outcomes" in report
    if as_json:
        typer.echo(json.dumps(report))
    else:
        for line in report["overlap"]:
            typer.echo(one_line(line), err=True)
        if is_done:
            _print(report)
        typer.echo(one_line(_summary_line(report)))
    if is_done and not report["rows_kept"]:
        print_note("no row was kept: another --band, more --samples or another model keeps some")
    elif is_done:
        trained = options.out.with_name(f"{options.out.name}-trained")
        step = NextStep(["train", "RECIPE.toml", "--out", trained], f"with {report['rows']} in the data of a stage")
        print_next(step, quiet=as_json)
    raise typer.Exit(result.exit_code)


def _summary_line(report: Mapping[str, Any]) -> str:
    if "outcomes" not in report:
        return f"run {report['run']} ({report['status']}): nothing was kept yet; the same command resumes"
    return f"rows {report['rows']} ({report['rows_kept']} kept, correct answers {Band(*report['band'])})"


def _print(report: Mapping[str, Any]) -> None:
    def row(name: str, counts: Mapping[str, int]) -> tuple[str, ...]:
        return (name, str(sum(counts.values())), *(str(counts[outcome]) for outcome in OUTCOMES))

    rows = [row("Total", report["outcomes"])]
    for heading, table in report["groups"].items():
        rows.append((heading, *([""] * (1 + len(OUTCOMES)))))
        rows += [row(f"  {value}", table[value]) for value in sorted(table)]
    print_rows(("", "n", *SHORT), rows)
    rates = ", ".join(f"{right}: {count}" for right, count in report["right_answers"].items())
    typer.echo(f"correct of {report['answers']}   {rates}")
    for note in report["notes"]:
        typer.echo(f"note: {one_line(note)}")
