"""What every command says to the user, beside what it prints."""

from __future__ import annotations

import typer

from dtbench.harness.core.errors import printable


def say(message: str) -> None:
    """One line on stderr, whatever the names and values in the message hold."""
    typer.echo(printable(f"dtbench: {message}"), err=True)
