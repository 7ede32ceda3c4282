"""A process of `vllm serve` on this machine: its command, its start, its log, its end."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DtbenchError, UserError, one_line
from dtbench.models.endpoint.address import Address
from dtbench.models.endpoint.connection import AwayError, Connections, DroppedError
from dtbench.models.endpoint.reply import GarbledError
from dtbench.models.endpoint.wire import request_head
from dtbench.models.vllm import watchdog
from dtbench.models.vllm.diagnose import last_log_line, likely_cause

SERVED = "model"
"""The name under which the engine serves it."""
LOOK_EVERY = 0.25
SAY_EVERY = 10.0
HEALTH_WITHIN = 30.0
"""Seconds for an engine that is up to say so; one that hangs says nothing."""
ENDING = 60.0
Notify = Callable[[str], None]


class Launch(NamedTuple):
    """What is started."""

    checkpoint: str
    flags: Mapping[str, str | bool]
    environment: Mapping[str, str]
    patience: float
    """Seconds until it must be ready."""


class VllmProcess:
    """One process, from its start to its end; the log of one that failed stays on disk."""

    def __init__(self, launch: Launch, executable: str) -> None:
        self.address = Address(False, "127.0.0.1", _free_port(), "/v1")
        self._launch = launch
        self._command = [executable, "serve", launch.checkpoint, *_arguments(launch.flags)]
        self._command += ["--served-model-name", SERVED, "--host", "127.0.0.1", "--port", str(self.address.port)]
        self._process: asyncio.subprocess.Process | None = None
        handle, name = tempfile.mkstemp(prefix="dtbench-vllm-", suffix=".log")
        os.close(handle)
        self.log = Path(name)
        """Everything that it says."""

    async def start(self, say: Notify) -> None:
        """Start it, and come back once it answers; an error with the likely cause where it does not get there."""
        began = said = time.monotonic()
        await self._spawn()
        say(f"vLLM: starting {self._launch.checkpoint}; its log is {self.log}")
        while not await self.healthy(within=5.0):
            if self.ended:
                raise self._failure(f"vLLM ended while it started (exit {await self._exit_code()})")
            now = time.monotonic()
            if now - began > self._launch.patience:
                await self.stop()
                raise self._failure(
                    f"vLLM was not ready within {self._launch.patience:g} s (-M start_timeout=SECONDS allows more)"
                )
            if now - said >= SAY_EVERY:
                said = now
                say(f"vLLM: {now - began:.0f} s so far: {last_log_line(self.log)}")
            await asyncio.sleep(LOOK_EVERY)
        say(f"vLLM: ready after {time.monotonic() - began:.0f} s")

    @property
    def ended(self) -> bool:
        """Whether there is no process any more."""
        return self._process is None or self._process.returncode is not None

    async def healthy(self, within: float = HEALTH_WITHIN) -> bool:
        """Whether it says that it is."""
        connections = Connections(self.address)
        head = request_head("GET", self.address, "/health", None)
        try:
            return (await connections.request(lambda: [head + b"\r\n"], within)).status == 200
        except (AwayError, DroppedError, GarbledError, TimeoutError):
            return False
        finally:
            await connections.aclose()

    async def stop(self, *, keep_log: bool = True) -> None:
        """End it and all its workers."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            try:
                await asyncio.wait_for(self._process.wait(), ENDING)
            except TimeoutError:
                self._process.kill()
        if not keep_log:
            self.log.unlink(missing_ok=True)

    async def _spawn(self) -> None:
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", watchdog.__file__),
                *self._command,
                env=dict(self._launch.environment),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: what is in flight shall be finished
            )

    async def _exit_code(self) -> int:
        return -1 if self._process is None else await self._process.wait()

    def _failure(self, what: str) -> DtbenchError:
        cause = likely_cause(self.log)
        return cause.error(f"{what}: {cause.text} The whole log: {self.log}")


def vllm_is_installed() -> bool:
    """Whether there is a vLLM to start."""
    return _command() is not None


def _command() -> str | None:
    beside = Path(sys.executable).with_name("vllm")
    return str(beside) if beside.is_file() else shutil.which("vllm")


def find_executable() -> str:
    """The command of vLLM, of this environment before any other; a UserError where there is none."""
    found = _command()
    if found is None:
        raise UserError(
            "vLLM is not installed here: `pip install 'dtbench[vllm]'` (it needs a GPU), take --backend local, "
            "or name an endpoint that runs already by its URL."
        )
    return found


def _arguments(flags: Mapping[str, str | bool]) -> Sequence[str]:
    """Flags as vLLM's command line has them."""
    arguments: list[str] = []
    for name, value in flags.items():
        dashed = name.replace("_", "-")
        if isinstance(value, bool):
            arguments.append(f"--{dashed}" if value else f"--no-{dashed}")
        else:
            arguments += [f"--{dashed}", one_line(value)]
    return arguments


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
