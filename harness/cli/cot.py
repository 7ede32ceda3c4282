"""`dtbench cot`: captions, questions and reference chains for training data, each from an endpoint."""

from __future__ import annotations

import json

import typer

from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.terminal import print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import one_line
from dtbench.harness.core.options import AsJson
from dtbench.harness.run.live_line import LiveLine
from dtbench.training.chains.session import CotOptions, write_cot


@with_options
def cot_command(options: CotOptions, as_json: AsJson = False) -> None:
    """Write captions, questions and reference chains for training data with language models.

    Whatever a row lacks is written and checked; rows that fail go to rejects.jsonl. The same command resumes.
    """
    result = write_cot(options, LiveLine(quiet=as_json))
    report = result.report
    if as_json:
        typer.echo(json.dumps(report))
        raise typer.Exit(result.exit_code)
    typer.echo(
        f"drafts {report['drafts']}, written {report['written']}, rejected {report['rejected']}, "
        f"failed {report['failed']}, missing {report['missing']}"
    )
    for why, count in report["rejected_why"].items():
        typer.echo(one_line(f"rejected {count:>6}   {why}"))
    for step, tokens in report["tokens"].items():
        typer.echo(f"{step:<9} {', '.join(f'{count:,} {name}' for name, count in tokens.items())}")
    typer.echo(one_line(f"rows {report['rows']} ({report['status']})"))
    if not report["written"] and not report["missing"]:
        print_note("no row was written: rejects.jsonl says of each why")
    elif not result.exit_code:
        mined = options.out.with_name(f"{options.out.name}-mined")
        print_next(
            NextStep(["mine", report["rows"], "--model", "CKPT", "--out", mined], "keep what is worth training on")
        )
    raise typer.Exit(result.exit_code)
