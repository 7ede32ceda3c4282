"""A real vLLM server on this machine, with the settings that matter on a CPU."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engines import ONE_PROCESS, ONE_THREAD

READY_WITHIN = 900  # seconds; 25 on an idle machine, many times that on a busy one
QUIET = {
    **ONE_THREAD,
    **ONE_PROCESS,
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_HOST_IP": "127.0.0.1",  # else it asks the routing table for a way to the internet
    "TORCH_COMPILE_DISABLE": "1",  # log-probabilities would compile a kernel, which takes seconds and g++
    "VLLM_SERVER_DEV_MODE": "1",  # weight reloads and cache resets, for the tests of training
}


class ServerError(Exception):
    """The server did not come up; the message ends with its log."""


@dataclass
class Server:
    """A vLLM server on this machine."""

    checkpoint: Path
    log: Path
    model: str = "tiny"
    """The name that requests give the model."""
    url: str = field(default_factory=lambda: f"http://127.0.0.1:{_free_port()}")
    """The root of its API, without /v1."""
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Bring it up, at the same place as before where it had been up."""
        command = [str(Path(sys.executable).with_name("vllm")), "serve", str(self.checkpoint)]
        command += ["--served-model-name", self.model, "--host", "127.0.0.1", "--port", self.url.rpartition(":")[2]]
        command += ["--dtype", "float32", "--max-model-len", "2048", "--max-num-seqs", "16", "--enforce-eager"]
        command += ["--kv-cache-memory-bytes", "64M"]  # the default takes 92 % of the machine's memory
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=os.environ | QUIET,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # its workers are ended with it
            )
        self._wait_until_ready(self._process)

    def signal(self, sign: signal.Signals) -> None:
        """Send it, and its workers, a signal."""
        assert self._process is not None
        os.killpg(self._process.pid, sign)

    def stop(self) -> None:
        """Take it down with all its workers."""
        for sign, patience in ((signal.SIGTERM, 30), (signal.SIGKILL, 60)):
            if self._process is None:
                return
            try:
                self.signal(sign)
                self._process.wait(patience)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise ServerError(f"vllm serve ended with {process.returncode}:\n{_tail(self.log)}")
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        raise ServerError(f"vllm serve was not ready within {READY_WITHIN} s:\n{_tail(self.log)}")


@contextmanager
def serving(checkpoint: Path, log: Path) -> Iterator[Server]:
    """The checkpoint behind `vllm serve`, taken down with all its workers."""
    server = Server(checkpoint, log)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _tail(log: Path, lines: int = 40) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
