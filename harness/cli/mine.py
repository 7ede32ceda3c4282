"""`dtbench mine`: keep the training questions that a checkpoint only sometimes gets right."""

from __future__ import annotations

import json
from typing import Any

import typer

from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.tables import print_rows
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import one_line
from dtbench.harness.core.options import AsJson
from dtbench.training.data.mining import OUTCOMES, MinedRows, MiningOptions, mine

SHORT = ("kept", "never", "hard", "easy", "always", "lacking")
"""Names of the outcomes that fit a table of 80 columns."""


@with_options
def mine_command(options: MiningOptions, as_json: AsJson = False) -> None:
    """Keep the training questions that a checkpoint only sometimes answers correctly.

    Each question is asked K times; rows with a number of correct answers in the band are kept. The same command
    resumes.
    """
    result = mine(options, quiet=as_json)
    if as_json:
        typer.echo(json.dumps(result.as_json()))
    else:
        for line in result.overlap_notes:
            typer.echo(one_line(line), err=True)
        if result.mined is not None:
            _print(result.mined)
        typer.echo(one_line(result.summary_line()))
    if result.mined is not None:
        trained = options.out.with_name(f"{options.out.name}-trained")
        step = NextStep(["train", "RECIPE.toml", "--out", trained], f"with {result.rows} in the data of a stage")
        print_next(step, quiet=as_json)
    raise typer.Exit(result.exit_code)


def _print(mined: MinedRows) -> None:
    def row(name: str, counts: Any) -> tuple[str, ...]:
        return (name, str(sum(counts.values())), *(str(counts[outcome]) for outcome in OUTCOMES))

    rows = [row("Total", mined.outcomes)]
    for heading, table in mined.groups.items():
        rows.append((heading, *([""] * (1 + len(OUTCOMES)))))
        rows += [row(f"  {value}", table[value]) for value in sorted(table)]
    print_rows(("", "n", *SHORT), rows)
    rates = ", ".join(f"{right}: {mined.rates[right]}" for right in range(mined.answers + 1))
    typer.echo(f"correct of {mined.answers}   {rates}")
    for note in mined.notes():
        typer.echo(f"note: {one_line(note)}")
