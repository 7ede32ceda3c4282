"""Find an engine and the environment that it is installed in, and run its process there.

The process ends when ours does, for whatever reason, and never starts beside one that still runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import dtbench
from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.models.vllm import watchdog
from dtbench.models.vllm.diagnose import read_tail
from dtbench.training.engines.contract import Engine, EngineCommand
from dtbench.training.engines.ms_swift import ENGINES
from dtbench.training.recipe.settings import EngineName

ENGINE_VARIABLE = "DTBENCH_ENGINE"
DEFAULT_ENVIRONMENT = Path(".venv-train")
"""Where `make train-env` puts it: the engine needs other versions than dtbench's extras."""
POLL_SECONDS = 0.5
LOCK_SECONDS = 60.0
"""How long to wait for the engine of an earlier start to end."""
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def get_engine(name: EngineName) -> Engine:
    """Return the engine of that name."""
    return ENGINES[name]


def find_environment(named: Path | None, program: str) -> Path:
    """Return the environment in which the program is installed; a UserError says how to install it."""
    candidates = [named] if named is not None else [DEFAULT_ENVIRONMENT, Path(sys.prefix)]
    if named is None and (own := os.environ.get(ENGINE_VARIABLE)):
        candidates.insert(0, Path(own))
    for environment in candidates:
        if (environment / "bin" / program).is_file():
            return environment.resolve()
    searched = ", ".join(map(str, candidates))
    raise UserError(
        f"no `{program}` in {searched}: ms-swift is not installed. `make train-env` installs it into "
        f"{DEFAULT_ENVIRONMENT}; for another environment give --engine FOLDER or set {ENGINE_VARIABLE}."
    )


def in_environment(command: EngineCommand, environment: Path) -> EngineCommand:
    """Return the command as that environment runs it, with this dtbench importable for the plug-in."""
    program, *rest = command.arguments
    path = os.pathsep.join([str(environment / "bin"), os.environ.get("PATH", "")])
    root = Path(dtbench.__file__).parent.parent
    # A checkout's folder holds nothing but dtbench; of an installed one all packages would come along.
    own = os.environ.get("PYTHONPATH")
    python = {"PYTHONPATH": os.pathsep.join([str(root), *([own] if own else [])])} if root.name == ".src" else {}
    return EngineCommand([str(environment / "bin" / program), *rest], {**command.environment, **python, "PATH": path})


def fill_placeholders(command: EngineCommand, values: Mapping[str, str]) -> EngineCommand:
    """Return the command with what only this machine knows, such as `${NODE_RANK}`, filled in."""

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise UserError(
                f"{match[1]} is not set: set this environment variable on each node, as the recipe needs it."
            )
        return values[match[1]]

    def fill(text: str) -> str:
        return _PLACEHOLDER.sub(value_of, text)

    environment = {name: fill(value) for name, value in command.environment.items()}
    return EngineCommand([fill(argument) for argument in command.arguments], environment)


@contextlib.contextmanager
def _process_lock(path: Path) -> Iterator[int]:
    """Hold a lock that lives as long as any process that inherits it; wait for one that is still ending."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise MachineryError(
                        f"{path}: an engine or an evaluation of an earlier start is still running: stop it first."
                    ) from None
                time.sleep(POLL_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


class WatchedProcess:
    """A process and all that it starts, under a watchdog: they end when we end or the watchdog is killed."""

    def __init__(self, command: EngineCommand, descriptor: int, output: BinaryIO | None) -> None:
        self._ours, its = socket.socketpair()
        with its:
            self.watchdog = subprocess.Popen(
                [sys.executable, "-I", "-S", watchdog.__file__, *command.arguments],
                env={**os.environ, **command.environment},
                stdin=its.fileno(),
                stdout=subprocess.DEVNULL if output is None else output,
                stderr=subprocess.PIPE if output is None else output,
                start_new_session=True,  # Ctrl-C is for us, who end it in good order
                pass_fds=(descriptor,),
            )
        self._tidier = threading.Thread(target=self._end_orphans, daemon=True)
        self._tidier.start()

    def end(self) -> None:
        """End what still runs."""
        self._ours.shutdown(socket.SHUT_WR)
        self.watchdog.communicate()
        self._tidier.join()
        self._ours.close()

    def _end_orphans(self) -> None:
        if self.watchdog.wait() < 0 and (group := self._ours.makefile("rb").read()):  # the watchdog says it at once
            watchdog.end_group(int(group))


@contextlib.contextmanager
def watched_processes(
    commands: Sequence[EngineCommand], lock: Path, output: BinaryIO | None = None
) -> Iterator[Sequence[WatchedProcess]]:
    """Run processes side by side that end with the block, once those of an earlier start have ended.

    They write into `output`; without one, stdout is dropped and stderr is a pipe.
    """
    with _process_lock(lock) as descriptor, contextlib.ExitStack() as started:
        processes = []
        for command in commands:
            processes.append(WatchedProcess(command, descriptor, output))
            started.callback(processes[-1].end)
        yield processes


def run_engine(command: EngineCommand, log: Path, lock: Path, poll: Callable[[], None]) -> int:
    """Run a command to its end and return its exit status; `poll` is called meanwhile, and may raise to end it."""
    with log.open("ab") as output, watched_processes([command], lock, output) as (process,):
        while process.watchdog.poll() is None:
            poll()
            time.sleep(POLL_SECONDS)
    poll()
    return process.watchdog.returncode


def failure_reason(log: Path, start: int = 0) -> str:
    """Return the line of the log that says why the engine failed, else its last; `start` skips earlier starts."""
    text = read_tail(log, start)
    signals = re.findall(r"\bSignal \d+ \(.*", text.rpartition("Root Cause")[2])  # torchrun's table
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"(?<!ChildFailed)Error: |^terminate called", line)]
    return (signals or errors or lines or ["it said nothing."])[-1][-300:]
