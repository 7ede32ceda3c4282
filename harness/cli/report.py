"""`dtbench report`: a run, two runs or a training run as one page for a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dtbench.harness.cli.messages import say
from dtbench.harness.cli.options import AsJson, TaskFile
from dtbench.harness.core.errors import UserError, one_line

Runs = Annotated[
    list[Path] | None, typer.Argument(metavar="RUN [RUN2]", help="A run's folder, a second one, or a training run's.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The page; else report.html in RUN.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", metavar="D", help="The data, where it is not found.")]
Audio = Annotated[str, typer.Option("--audio", metavar="MODE", help="embed (up to 200 clips), link (files), or none.")]


def command(
    runs: Runs = None,
    out: Out = None,
    data_dir: DataDir = None,
    audio: Audio = "embed",
    task_file: TaskFile = None,
    as_json: AsJson = False,
) -> None:
    """Write one HTML file with scores, charts and every answer; it opens from disk, without a network."""
    from dtbench.harness.report.make import ReportOptions, make

    if not runs or len(runs) > 2:
        raise UserError("report takes the folder of a run, of two runs, or of a training run.")
    made = make(
        ReportOptions(
            run=runs[0],
            against=runs[1] if len(runs) > 1 else None,
            out=out,
            data_dir=data_dir,
            audio=audio,
            task_file=task_file,
        )
    )
    if as_json:
        told = {**made._asdict(), "path": str(made.path), "notes": list(made.notes)}
        typer.echo(json.dumps(told))
        return
    size = f"{made.size / 1e6:.1f} MB"
    typer.echo(one_line(f"report {made.path} ({size}, {made.questions} questions, {made.clips} clips)"))
    for note in made.notes:
        say(note)
