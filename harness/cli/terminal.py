"""What a terminal shows that a pipe does not get: colours, and lines that break where a word ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import textwrap
from typing import TextIO

import typer

from dtbench.harness.core.errors import one_line

RED, YELLOW = "1;31", "33"


def print_error(message: str) -> None:
    """Print an error on stderr."""
    _print_labelled("error", message, RED)


def print_note(message: str) -> None:
    """Print a note on stderr, whatever is in the names and values of the message."""
    _print_labelled("note", message, YELLOW)


def print_line(text: str, indent: int = 0) -> None:
    """Print one line of a result on stdout, whatever is in the names and values of the text."""
    typer.echo(fitted(one_line(text), indent))


def _print_labelled(label: str, message: str, code: str) -> None:
    """Print a message in one line, which a terminal gets broken at its width."""
    from dtbench.harness.store.redact import mask_message

    text = one_line(f"{label}: {mask_message(message)}")
    if _is_terminal(sys.stderr):
        text = textwrap.fill(text, _width(sys.stderr), break_long_words=False, break_on_hyphens=False)
    with contextlib.suppress(OSError, ValueError):  # stderr is full or closed: the exit code still says it
        typer.echo(f"{styled(f'{label}:', code, sys.stderr)}{text.removeprefix(f'{label}:')}", err=True)


def fitted(text: str, indent: int = 0) -> str:
    """Return a line of stdout, which a terminal gets broken at its width where a word ends; a pipe gets it whole."""
    if not _is_terminal(sys.stdout):
        return text
    width, blanks = _width(sys.stdout), " " * indent
    return textwrap.fill(text, width, subsequent_indent=blanks, break_long_words=False, break_on_hyphens=False)


def styled(text: str, code: str, stream: TextIO | None = None) -> str:
    """Return the text in this style where the stream, stdout if none is given, shows colours."""
    return f"\x1b[{code}m{text}\x1b[0m" if _shows_colours(stream or sys.stdout) else text


def _shows_colours(stream: TextIO) -> bool:
    return _is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _width(stream: TextIO) -> int:
    """Return the columns of a terminal; those of stdout may be others, or it may be none."""
    try:
        return max(int(os.environ.get("COLUMNS") or os.get_terminal_size(stream.fileno()).columns), 20)
    except (ValueError, OSError):
        return shutil.get_terminal_size().columns
