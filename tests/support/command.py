"""dtbench as a user runs it: as a process of its own, or the same entry point in this one where that is enough."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from dtbench.harness.cli.main import main

COMMAND = (sys.executable, "-m", "dtbench.harness.cli.main")


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """What it printed on stderr before what to type next."""
        return self.err.partition("What to type next:\n")[0]

    @property
    def next(self) -> list[list[str]]:
        """The commands that it says to type next, each as a shell splits it."""
        lines = self.err.partition("What to type next:\n")[2].splitlines()
        return [shlex.split(line, comments=True) for line in lines if line.startswith("  dtbench ")]

    def refusal(self, code: int = 2) -> str:
        """The one line that says what was wrong, where nothing but it was printed."""
        assert (self.code, self.out) == (code, ""), self
        (line,) = self.err.splitlines()
        assert line.startswith("error: "), line
        return line


def process(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> Done:
    """Run dtbench in a process of its own."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def call(*arguments: str | Path) -> Done:
    """Run dtbench's entry point here."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    code: object = None
    with (
        patch.object(sys, "argv", ["dtbench", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
        written = [_written(stream) for stream in (out, err)]
    assert isinstance(code, int), code
    return Done(code, *written)


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()
