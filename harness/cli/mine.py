"""`dtbench mine`: the questions of training data that a checkpoint sometimes gets right, and sometimes not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dtbench.harness.cli.options import AsJson, ModelOptions, pairs
from dtbench.harness.cli.run import Backend, Budget, Concurrency, ModelName, PromptFile, Rule, Seed
from dtbench.harness.core.errors import one_line

if TYPE_CHECKING:
    from dtbench.training.data.mining import Mined

SHORT = ("kept", "never", "hard", "easy", "always", "lacking")
"""The outcomes as a table of 80 columns has room for."""
Data = Annotated[str, typer.Argument(metavar="DATA", help="A file of training rows, or mini:train-1, mini:train-2.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where rows.jsonl goes; run again, it goes on there.")]
Answers = Annotated[int, typer.Option("--samples", metavar="K", help="Answers to each question.")]
BandOption = Annotated[
    str | None, typer.Option("--band", metavar="LOW-HIGH", help="How many of them may be right; else 1 to K-1.")
]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="Only the first N questions.")]
Answer = Annotated[str, typer.Option("--answer", metavar="STYLE", help="direct, or think (a chain first).")]
Against = Annotated[
    str, typer.Option("--against", metavar="T,T", help="Benchmarks that the rows must not overlap; all that are found.")
]
DataDir = Annotated[Path | None, typer.Option("--data-dir", metavar="D", help="Where the benchmarks' data is.")]


def command(  # noqa: PLR0913 - the parameters of a command are its options
    data: Data,
    out: Out,
    model: ModelName = None,
    samples: Answers = 8,
    band: BandOption = None,
    limit: Limit = None,
    concurrency: Concurrency = 16,
    seed: Seed = 0,
    options: ModelOptions = None,
    backend: Backend = None,
    prompt: PromptFile = None,
    answer: Answer = "think",
    long_clips: Rule = "cut",
    max_failed: Budget = 0.01,
    against: Against = "found",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Ask each question K times, and keep the rows whose right answers lie in the band."""
    from dtbench.harness.cli.run import named
    from dtbench.harness.run.session import RunRequest
    from dtbench.training.data.mining import MiningOptions, mine

    request = RunRequest(
        model=named(model),
        tasks=(),
        out=out / "run",
        limit=limit,
        samples=samples,
        concurrency=concurrency,
        seed=seed,
        options=pairs(options or []),
        backend=backend,
        prompt=prompt,
        answer=answer,
        rule=long_clips,
        max_failed=max_failed,
    )
    outcome = mine(MiningOptions(data, out, band, against, data_dir), request, quiet=as_json)
    if as_json:
        typer.echo(json.dumps(outcome.as_json()))
    else:
        for line in outcome.checked:
            typer.echo(one_line(line), err=True)
        if outcome.mined is not None:
            _print(outcome.mined)
        typer.echo(one_line(outcome.told()))
    raise typer.Exit(outcome.exit_code)


def _print(mined: Mined) -> None:
    from dtbench.harness.cli.tables import print_rows
    from dtbench.training.data.mining import OUTCOMES

    def row(name: str, counts: Any) -> tuple[str, ...]:
        return (name, str(sum(counts.values())), *(str(counts[outcome]) for outcome in OUTCOMES))

    rows = [row("Total", mined.outcomes)]
    for heading, table in mined.groups.items():
        rows += [
            (heading, *([""] * (1 + len(OUTCOMES)))),
            *(row(f"  {value}", table[value]) for value in sorted(table)),
        ]
    print_rows(("", "n", *SHORT), rows)
    rates = ", ".join(f"{right}: {mined.rates[right]}" for right in range(mined.answers + 1))
    typer.echo(f"right of {mined.answers}   {rates}")
    for note in mined.notes():
        typer.echo(f"note: {one_line(note)}")
