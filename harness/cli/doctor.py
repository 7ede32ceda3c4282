"""`dtbench doctor`: what is installed, what works here, and what to install for what."""

from __future__ import annotations

import json
from collections.abc import Sequence

import typer

from dtbench.harness.cli.help_pages import Row, column_of, section
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.options import AsJson
from dtbench.harness.doctor.checks import examine
from dtbench.harness.doctor.finding import Finding

BROKEN = 3
_MARKS = {"ok": "ok", "missing": "--", "broken": "!!"}


@with_options
def doctor_command(as_json: AsJson = False) -> None:
    """Show what is installed, what works on this machine, and what to install for the rest.

    It changes nothing, sends nothing, and shows only the names of keys. `--` marks optional parts that are missing,
    `!!` parts that are installed but do not work.
    """
    findings = examine()
    broken = [one for one in findings if one.state == "broken"]
    if as_json:
        typer.echo(json.dumps({"ok": not broken, "findings": [one._asdict() for one in findings]}))
    else:
        _print(findings)
        typer.echo("\n" + (_complaint(broken) if broken else "all is well; a first score: dtbench demo"))
    if broken:
        raise typer.Exit(BROKEN)


def _print(findings: Sequence[Finding]) -> None:
    panels: dict[str, list[Row]] = {}
    for one in findings:
        rows = panels.setdefault(one.section, [])
        rows.append(Row(f"{_MARKS[one.state]} {one.name}", f"{one.detail} ({one.use})" if one.use else one.detail))
        if one.fix:
            rows.append(Row("", one.fix))  # on a line of its own, to be copied
    column = column_of(row for rows in panels.values() for row in rows)
    for title, rows in panels.items():
        for line in section(title, rows, column):
            typer.echo(line)


def _complaint(broken: Sequence[Finding]) -> str:
    names = ", ".join(one.name for one in broken)
    return f"{len(broken)} broken: {names}"
