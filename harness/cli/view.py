"""`dtbench view`: the runs below a folder in a browser, live while they go on."""

from __future__ import annotations

import asyncio
import json

import typer

from dtbench.harness.cli.terminal import print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import one_line
from dtbench.harness.core.options import AsJson
from dtbench.harness.view.request import ViewOptions


@with_options
def view_command(options: ViewOptions, as_json: AsJson = False) -> None:
    """Serve a live report of all runs below a folder, to a browser on this machine.

    A list of the runs links to reports of one run or several. It only reads what runs have written.
    """
    from dtbench.harness.view.index import RunIndex
    from dtbench.harness.view.pages import ReportPages
    from dtbench.harness.view.server import ViewServer, serve

    index = RunIndex(options.folder)
    runs = len(index.update())
    if not options.is_loopback:
        print_note(f"--host {options.host}: whoever reaches this machine can read these runs; there is no password")

    def ready(url: str) -> None:
        if as_json:
            typer.echo(json.dumps({"url": url, "folder": str(options.folder), "runs": runs}))
        else:
            found = f"{runs} run{'' if runs == 1 else 's'} below {options.folder}"
            typer.echo(one_line(f"view {url} ({found}; Ctrl-C ends)"))

    pages = ReportPages(options.folder, options.data_dir, options.task_file)
    asyncio.run(serve(ViewServer(index, pages, options.host), options.host, options.port, ready))
