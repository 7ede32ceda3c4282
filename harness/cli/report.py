"""`dtbench report`: any number of runs, or a training run, as one page for a browser."""

from __future__ import annotations

import json

import typer

from dtbench.harness.cli.terminal import print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import one_line
from dtbench.harness.core.options import AsJson
from dtbench.harness.report.build import ReportOptions, make_report


@with_options
def report_command(options: ReportOptions, as_json: AsJson = False) -> None:
    """Write one HTML page with scores, charts and every answer, for one run or any number side by side.

    The page is one file that opens from disk, without a network or a server.
    """
    report = make_report(options)
    if as_json:
        typer.echo(json.dumps({**report._asdict(), "path": str(report.path), "notes": list(report.notes)}))
        return
    size = f"{report.size / 1e6:.1f} MB"
    typer.echo(one_line(f"report {report.path} ({size}, {report.questions} questions, {report.clips} clips)"))
    for note in report.notes:
        print_note(note)
