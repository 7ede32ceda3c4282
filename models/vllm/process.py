"""A process of `vllm serve` on this machine: its command and environment, its start, its log, its end."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DtbenchError, UserError, one_line
from dtbench.harness.core.installed import install_command
from dtbench.harness.core.model import Notify
from dtbench.harness.store.known_secrets import remember_secret
from dtbench.models.endpoint.access import Access
from dtbench.models.endpoint.address import ANY_KEY, Address
from dtbench.models.endpoint.hosts import key_variables
from dtbench.models.endpoint.http import AwayError, DroppedError, GarbledError, HttpClient, Request
from dtbench.models.vllm import watchdog
from dtbench.models.vllm.diagnose import last_log_line, likely_cause, log_last_words

_LOG = logging.getLogger(__name__)
SERVED = "model"
"""The name under which the engine serves it."""
POLL_EVERY = 0.25
REPORT_EVERY = 10.0
HEALTH_TIMEOUT = 30.0
"""Seconds for an engine that runs to answer; one that hangs never does."""
STOP_TIMEOUT = 60.0
REQUESTS_A_REPLICA = 64
"""Requests in flight for each replica: it takes 256 and more at a time, and answers come as fast with some waiting."""
CACHE_SHARE = 0.1
MAX_CACHE = 4 << 30
"""Bytes of a CPU's memory for the cache, at most; vLLM would take 92 % of all there is."""
_ALWAYS = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "0",  # else a request may name any folder as an adapter
    "VLLM_SERVER_DEV_MODE": "0",  # else requests without a key may run what they like in its workers
    "VLLM_ALLOW_INSECURE_SERIALIZATION": "0",  # pickles between its processes
}
_UNLESS_SET = {"VLLM_HOST_IP": "127.0.0.1"}  # else it asks the routing table for a way to the internet
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
_ON_CPU = {"TORCH_COMPILE_DISABLE": "1"}  # log-probabilities would compile a kernel: seconds, and a compiler
_KEY = "VLLM_API_KEY"
"""Where the engine reads its key: others can read a command line, and no environment of someone else's process."""
_WITHHELD = (_KEY, ANY_KEY)


class Launch(NamedTuple):
    """What to start, and how."""

    checkpoint: str
    flags: Mapping[str, str | bool]
    environment: Mapping[str, str]
    timeout: float
    """Seconds until it must be ready."""


class VllmProcess:
    """One process, from its start to its end; its log stays on disk where it failed."""

    def __init__(self, launch: Launch, executable: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = Address(False, "127.0.0.1", int(probe.getsockname()[1]), "/v1")
        self._key = secrets.token_urlsafe(32)
        remember_secret(self._key)
        self.access = Access({"authorization": f"Bearer {self._key}"})
        """What a request to it carries: the key of this one process."""
        self._launch = launch
        self._command = serve_command(executable, launch, str(self.address.port))
        self._process: asyncio.subprocess.Process | None = None
        handle, name = tempfile.mkstemp(prefix="dtbench-vllm-", suffix=".log")
        os.close(handle)
        self.log = Path(name)
        """All its output."""

    async def start(self, notify: Notify) -> None:
        """Start it and return once it answers; raise an error with the likely cause where it never does."""
        began = reported = time.monotonic()
        await self._spawn()
        notify(f"vLLM: starting {self._launch.checkpoint}; its log is {self.log}")
        while not await self.healthy(timeout=5.0):
            if self.ended:
                code = -1 if self._process is None else self._process.returncode
                raise self._failure(f"vLLM exited during start-up (exit {code})")
            now = time.monotonic()
            if now - began > self._launch.timeout:
                await self.stop()
                raise self._failure(
                    f"vLLM was not ready within {self._launch.timeout:g} s (-M start_timeout=SECONDS allows more)"
                )
            if now - reported >= REPORT_EVERY:
                reported = now
                notify(f"vLLM: {now - began:.0f} s so far: {last_log_line(self.log)}")
            await asyncio.sleep(POLL_EVERY)
        notify(f"vLLM: ready after {time.monotonic() - began:.0f} s")

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._process is None or self._process.returncode is not None

    async def healthy(self, timeout: float = HEALTH_TIMEOUT) -> bool:
        """Whether the engine answers that it is healthy."""
        client = HttpClient(self.address)
        try:
            return (await client.request(Request("GET", "/health", {}, of_root=True), timeout)).status == 200
        except (AwayError, DroppedError, GarbledError, TimeoutError):
            return False
        finally:
            await client.aclose()

    async def stop(self, *, keep_log: bool = True) -> None:
        """Stop it and all its workers."""
        if self._process is not None and self._process.stdin is not None:
            _LOG.info("vLLM: stopping it")
            self._process.stdin.close()
            try:
                await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT)
            except TimeoutError:
                self._process.kill()
        if not keep_log:
            self.log.unlink(missing_ok=True)

    async def _spawn(self) -> None:
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", watchdog.__file__),
                *self._command,
                env={**self._launch.environment, _KEY: self._key},
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: what is in flight shall be finished
            )

    def _failure(self, what: str) -> DtbenchError:
        log_last_words(self.log)
        cause = likely_cause(self.log)
        return cause.error(f"{what}: {cause.text} The whole log: {self.log}")


def vllm_command() -> str | None:
    """Find the command of vLLM, of this environment before any other."""
    beside = Path(sys.executable).with_name("vllm")
    return str(beside) if beside.is_file() else shutil.which("vllm")


def find_executable() -> str:
    """Find the command of vLLM; raise a UserError where there is none."""
    command = vllm_command()
    if command is None:
        raise UserError(
            f"vLLM is not installed here: `{install_command('vllm')}` (it needs a GPU), take --backend local, "
            "or name an endpoint that runs already by its URL."
        )
    return command


def serve_command(executable: str, launch: Launch, port: str) -> Sequence[str]:
    """Return the command that starts an engine on this machine."""
    flags = ["--served-model-name", SERVED, "--host", "127.0.0.1", "--port", port]
    return [executable, "serve", launch.checkpoint, *_arguments(launch.flags), *flags]


def _arguments(flags: Mapping[str, str | bool]) -> Sequence[str]:
    """Write flags as the command line of vLLM takes them."""
    arguments: list[str] = []
    for name, value in flags.items():
        dashed = name.replace("_", "-")
        if isinstance(value, bool):
            arguments.append(f"--{dashed}" if value else f"--no-{dashed}")
        else:
            arguments += [f"--{dashed}", one_line(value)]
    return arguments


def has_gpu() -> bool:
    """Whether the machine has a GPU, as far as can be found out without loading anything heavy."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all") in {"", "-1"}:
        return False
    drivers = ("/proc/driver/nvidia/version", "/dev/kfd")
    return any(Path(driver).exists() for driver in drivers) or shutil.which("nvidia-smi") is not None


def machine_flags() -> Mapping[str, str | bool]:
    """Return the flags of `vllm serve` for a machine without GPU; on a GPU its own defaults are right."""
    if has_gpu():
        return {}
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        memory = 8 << 30
    cache = int(min(MAX_CACHE, CACHE_SHARE * memory))
    return {
        "enforce_eager": True,  # compiling takes longer than most runs on a CPU
        "kv_cache_memory_bytes": str(cache),
        "max_model_len": "auto",
        "max_num_seqs": "16",
    }


def requests_at_once(flags: Mapping[str, str | bool]) -> int:
    """Return how many requests keep an engine with these flags busy."""
    replicas, sequences = (flags.get(name) for name in ("data_parallel_size", "max_num_seqs"))
    each = min(REQUESTS_A_REPLICA, _whole(sequences, REQUESTS_A_REPLICA))  # what is beyond max_num_seqs only queues
    return each * _whole(replicas, 1)


def _whole(value: str | bool | None, default: int) -> int:
    return int(value) if isinstance(value, str) and value.isdecimal() and int(value) else default


def vllm_environment(*, local: bool) -> Mapping[str, str]:
    """Return the environment of an engine: without keys, offline for a local checkpoint unless the user decides."""
    inherited = {name: value for name, value in os.environ.items() if name not in {*_WITHHELD, *key_variables()}}
    offline = _OFFLINE if local and _OFFLINE.keys().isdisjoint(inherited) else {}
    return _UNLESS_SET | inherited | _ALWAYS | offline | ({} if has_gpu() else _ON_CPU)
