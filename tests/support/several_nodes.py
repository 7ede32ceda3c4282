"""A training on three nodes of this machine: processes of `dtbench train --role auto` that are killed and come back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kills import dtbench
from processes import Running, descendants
from runs import PATIENCE

NODES = ("trainer 0", "trainer 1", "rollout 0")
LOST = 3
"""Seconds after which a silent node is lost."""


def free_port() -> int:
    """A port of the loopback interface that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def on_three_nodes() -> Sequence[tuple[str, str]]:
    """What a short recipe says of two trainers and a node that answers."""
    machines = f'nodes = 2\nport = {free_port()}\nrollout_port = {free_port()}\nrollouts = "server"'
    return (('rollouts = "transformers"', machines), ("micro_batch = 8", "micro_batch = 4"))


@dataclass
class SeveralNodes:
    """Starts the nodes, and starts those anew that were killed."""

    recipe: Path
    out: Path
    environment: Mapping[str, str]
    names: Sequence[str] = NODES
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    killed: list[str] = field(default_factory=list)

    def start(self, *nodes: int) -> None:
        """Start these, or all of them."""
        for node in nodes or range(len(self.names)):
            own = {
                "NNODES": str(len(self.names)),
                "NODE_RANK": str(node),
                "DTBENCH_NODE_ADDRESS": "127.0.0.1",
                "DTBENCH_NODE_LOST": str(LOST),
                "DTBENCH_NODE_PATIENCE": str(PATIENCE),
            }
            command = dtbench("train", self.recipe, "--out", self.out, "--role", "auto", "--json")
            log = (self.out.parent / f"said-{node}.txt").open("ab")
            with log:
                self.running[node] = subprocess.Popen(
                    command, env={**os.environ, **self.environment, **own}, stdout=log, stderr=log
                )

    def kill(self, node: int) -> None:
        """Kill a node's `dtbench train`, and start it anew."""
        process = self.running[node]
        process.kill()
        assert process.wait() == -signal.SIGKILL
        self.killed.append(self.names[node])
        self.start(node)

    def wait_until(self, reached: Callable[[], object]) -> None:
        """Wait, while none ends."""
        end = time.monotonic() + PATIENCE
        while not reached():
            ended = {node: code for node, process in self.running.items() if (code := process.poll()) is not None}
            assert not ended, (ended, self.said())
            assert time.monotonic() < end, self.said()
            time.sleep(0.004)

    def codes(self) -> list[int]:
        """The exit statuses once all have ended."""
        end = time.monotonic() + PATIENCE
        return [process.wait(max(0.1, end - time.monotonic())) for _, process in sorted(self.running.items())]

    def end(self) -> None:
        """Leave none."""
        for process in self.running.values():
            process.kill()
            process.wait()

    def said(self) -> str:
        """What each printed last."""
        return "\n".join(path.read_text()[-2000:] for path in sorted(self.out.parent.glob("said-*.txt")))

    def state(self) -> Mapping[str, Any]:
        """train.json: the state of `base` and of each stage."""
        try:
            content = json.loads((self.out / "train.json").read_bytes())
        except OSError:
            return {}
        return {"base": content["base"], **{stage["name"]: stage["state"] for stage in content["stages"]}}

    def report(self, node: int) -> Mapping[str, Any]:
        """What a node says of itself."""
        try:
            return dict(json.loads((self.out / "nodes" / f"node-{node}.json").read_bytes()))
        except OSError:
            return {"state": None, "attempt": 0}

    def attempts(self) -> list[Mapping[str, Any]]:
        """Every attempt, the first first."""
        files = sorted((self.out / "nodes").glob("attempt-*.json"), key=lambda one: int(one.stem[8:]))
        return [json.loads(file.read_bytes()) for file in files]

    def processes(self, word: str, node: int) -> list[Running]:
        """The processes of a node whose command has this word."""
        return [one for one in descendants(self.running[node].pid) if word in one.command]
