"""What every command says to the user, beside what it prints."""

from __future__ import annotations

import typer

from dtbench.harness.core.errors import one_line


def say(message: str) -> None:
    """One line on stderr, whatever the names and values in the message hold."""
    typer.echo(one_line(f"dtbench: {message}"), err=True)
