"""A process of an engine: it ends with us, however that happens, and never starts beside one that still runs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.models.vllm import watchdog
from dtbench.training.engines.contract import Command

LOOK_EVERY = 0.5
ENDING = 60.0
"""Seconds for an earlier engine, or one that is told to, to end."""
_PLACE = re.compile(r"\$\{(\w+)\}")


def filled(command: Command, environment: Mapping[str, str]) -> Command:
    """The command with what only this machine knows, such as `${NODE_RANK}`, put in."""

    def known(found: re.Match[str]) -> str:
        if found[1] not in environment:
            raise UserError(f"{found[1]} is not set: the recipe needs it in the environment of each node.")
        return environment[found[1]]

    def fill(text: str) -> str:
        return _PLACE.sub(known, text)

    given = {name: fill(value) for name, value in command.environment.items()}
    return Command([fill(part) for part in command.arguments], given)


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[int]:
    """A lock that lives as long as any process that is given it; waits for an engine that is still ending."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        until = time.monotonic() + ENDING
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise MachineryError(f"{lock}: an engine of an earlier start still runs. End it first.") from None
                time.sleep(LOOK_EVERY)
        yield descriptor
    finally:
        os.close(descriptor)


def carried_out(command: Command, log: Path, lock: Path, look: Callable[[], None]) -> int:
    """Run a command to its end and tell its exit status; `look` is called all the while, and may raise to end it."""
    with alone(lock) as descriptor, log.open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__, *command.arguments],
            env={**os.environ, **command.environment},
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            start_new_session=True,  # Ctrl-C is for us, who end it in good order
            pass_fds=(descriptor,),
        )
        try:
            while process.poll() is None:
                look()
                time.sleep(LOOK_EVERY)
            look()
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
        return process.returncode
