"""What a command shows on a terminal of a given size."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from runs import PATIENCE

_MOVE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Shown(NamedTuple):
    """What came of a command on a terminal."""

    code: int
    screen: str
    """All that was written to the terminal, with the signs that move its cursor."""
    out: str
    """What was written to stdout, where that is no terminal."""

    @property
    def states(self) -> list[str]:
        """Each state that a line on the screen had, without the signs that move the cursor."""
        return [line for line in re.split(r"[\r\n]+", _MOVE.sub("", self.screen)) if line]

    @property
    def left(self) -> list[str]:
        """The lines that stay on the screen."""
        lines = []
        for line in self.screen.replace("\r\n", "\n").split("\n"):
            lines.append(_MOVE.sub("", line.rpartition("\r")[2]))
        return lines


def resize(descriptor: int, columns: int) -> None:
    """Make a terminal so wide."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def shown(
    command: Sequence[str],
    columns: int = 80,
    *,
    stdout_apart: bool = False,
    meanwhile: Callable[[str, int], None] = lambda said, terminal: None,
    **settings: str,
) -> Shown:
    """Run a command on a terminal; `meanwhile` gets all that was said so far and the terminal, each time it grows."""
    ours, theirs = pty.openpty()
    resize(theirs, columns)
    said: list[bytes] = []

    def listen() -> None:
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # its end
                return
            said.append(part)
            meanwhile(b"".join(said).decode(errors="replace"), ours)

    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    stdout = subprocess.PIPE if stdout_apart else theirs
    environment |= {"TERM": "xterm", **settings}
    with subprocess.Popen(command, stdin=theirs, stdout=stdout, stderr=theirs, env=environment) as process:
        os.close(theirs)
        listener = threading.Thread(target=listen)
        listener.start()
        out, _ = process.communicate(timeout=PATIENCE)
        listener.join()
    os.close(ours)
    return Shown(process.returncode, b"".join(said).decode(), (out or b"").decode())
