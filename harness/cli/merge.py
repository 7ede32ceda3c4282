"""`dtbench merge`: sum up a run of several shards by hand."""

from __future__ import annotations

import json

import typer

from dtbench.harness.cli.next_steps import after_run, print_next
from dtbench.harness.cli.tables import print_rows, print_summary
from dtbench.harness.cli.terminal import print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.options import AsJson, MaxFailed, RunArgument


@with_options
def merge_command(run: RunArgument, max_failed: MaxFailed = 0.01, as_json: AsJson = False) -> None:
    """Summarize a run of several shards, or say which of them are missing, incomplete or running.

    The last shard to finish does this itself; use the command if that failed, or to check progress.
    """
    from dtbench.harness.run.shards import INCOMPLETE, merge_shards

    result = merge_shards(run, max_failed)
    if as_json:
        typer.echo(json.dumps(result.as_json()))
    elif result.exit_code == INCOMPLETE:
        if result.waiting:
            print_rows(["shard", "how it stands"], [[str(one.shard), one.standing] for one in result.waiting])
    else:
        for summary in result.summaries:
            print_summary(summary)
        typer.echo(f"run {result.folder} ({result.status})")
    for note in result.notes:
        print_note(note)
    if result.exit_code == INCOMPLETE:
        print_note(
            f"{run} is not summed up: run the missing shards again, or the same command without --shard for all."
        )
    if not result.exit_code:
        print_next(*after_run(result.folder, [summary["task"] for summary in result.summaries]), quiet=as_json)
    raise typer.Exit(result.exit_code)
