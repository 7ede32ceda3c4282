"""Run a command in a session of its own, and end all its processes when the process that started this is gone.

Only the standard library, and started with `python -I -S`: it must start at once and cost nothing.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

GRACE = 10.0
"""Seconds for the group to end by itself."""


def main() -> int:
    """Run the command until it ends, or until the pipe on standard input is closed at its other end."""
    # Ignore Ctrl-C and its kin: the pipe says when to end.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_heed_signals)
    with contextlib.suppress(OSError):  # a pipe, at whose other end nobody can hear
        os.write(0, b"%d" % process.pid)
    try:
        while process.poll() is None:
            # A child that ends does not wake a select: hence the clock.
            if select.select([sys.stdin], [], [], 0.2)[0] and not os.read(0, 1):
                break
    finally:
        end_group(process.pid, process)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _heed_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def end_group(group: int, leader: subprocess.Popen[bytes] | None = None) -> None:
    """End every process of a group, also those that outlived their leader, which may be a child of ours."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        _send(group, number, leader)
        until = time.monotonic() + GRACE
        while time.monotonic() < until:
            if not _send(group, 0, leader):
                return
            time.sleep(0.05)


def _send(group: int, number: int, leader: subprocess.Popen[bytes] | None) -> bool:
    """Send a signal to the group; return whether it still had a process."""
    if leader is not None:
        leader.poll()  # one that has ended stays in its group until it is asked for
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
