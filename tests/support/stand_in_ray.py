"""The part of Ray that launches a training: each task of a placement group is a process of this machine.

`install(folder)` makes the package `ray` of this file. A task that is cancelled gets an interrupt, as Ray's do.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
import types
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

BUNDLE = "STAND_IN_BUNDLE"


def install(folder: Path) -> Path:
    """Make a folder with the package, for PYTHONPATH."""
    package = folder / "ray" / "util"
    package.mkdir(parents=True)
    (folder / "ray" / "__init__.py").write_text(Path(__file__).read_text() + "\nfrom ray import util\n")
    (package / "__init__.py").write_text(
        "from ray import Group, address\n\n"
        "def placement_group(bundles, strategy):\n    return Group(bundles, strategy)\n\n"
        "def get_node_ip_address():\n    return address()\n"
    )
    (package / "scheduling_strategies.py").write_text("from ray import Placed as PlacementGroupSchedulingStrategy\n")
    return folder


class Group:
    """Bundles of machines."""

    def __init__(self, bundles: Sequence[dict[str, int]], strategy: str) -> None:
        assert strategy == "STRICT_SPREAD", strategy
        self.bundles = bundles

    def ready(self) -> Task:
        """A task that is done at once."""
        return Task(lambda: None, (), 0)


class Placed(NamedTuple):
    """A bundle of a group."""

    placement_group: Group
    placement_group_bundle_index: int


class RayError(Exception):
    """A task that is gone."""


class Task:
    """A call in a process of its own."""

    def __init__(self, function: Callable[..., Any], arguments: Sequence[Any], bundle: int) -> None:
        context = multiprocessing.get_context("fork")
        self.result, sender = context.Pipe(duplex=False)

        def work() -> None:
            os.environ[BUNDLE] = str(bundle)
            _send(sender, function, arguments)

        self.process = context.Process(target=work)
        self.process.start()
        sender.close()


def _send(sender: Connection, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    try:
        sender.send(function(*arguments))
    except KeyboardInterrupt:
        sys.exit(1)


class Remote:
    """A function as Ray calls it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.bundle = 0

    def options(self, *, num_cpus: int, num_gpus: int, max_retries: int, scheduling_strategy: Placed) -> Remote:
        """Say where it runs; what it asks for has to be in its bundle."""
        self.bundle = scheduling_strategy.placement_group_bundle_index
        there = scheduling_strategy.placement_group.bundles[self.bundle]
        assert num_cpus <= there["CPU"], (num_cpus, there)
        assert num_gpus <= there["GPU"], (num_gpus, there)
        assert max_retries == 0, "a training is not started anew behind our back"
        return self

    def remote(self, *arguments: Any) -> Task:
        """Start it."""
        return Task(self.function, arguments, self.bundle)


def init(*, address: str, log_to_driver: bool) -> None:
    """Connect to the cluster of this machine."""
    assert (address, log_to_driver) == ("auto", True)


def remote(function: Callable[..., Any]) -> Remote:
    """Make a task of a function."""
    return Remote(function)


def get(task: Task | Sequence[Task]) -> Any:
    """Return what tasks returned."""
    if not isinstance(task, Task):
        return [get(one) for one in task]
    try:
        return task.result.recv()
    except EOFError:
        raise RayError("a task has ended without a result") from None
    finally:
        task.process.join()


def wait(
    tasks: Sequence[Task], *, num_returns: int = 1, timeout: float | None = None
) -> tuple[Sequence[Task], Sequence[Task]]:
    """Wait until so many have ended."""
    end = time.monotonic() + (timeout or 600)
    while True:
        ended = [task for task in tasks if not task.process.is_alive() or task.result.poll()][:num_returns]
        if len(ended) == num_returns or time.monotonic() > end:
            return ended, [task for task in tasks if task not in ended]
        time.sleep(0.01)


def cancel(task: Task, *, force: bool) -> None:
    """Interrupt a task."""
    assert not force, "dtbench ends its engine in good order"
    if task.process.pid is not None and task.process.is_alive():
        os.kill(task.process.pid, signal.SIGINT)


def address() -> str:
    """Return the address of the node of a task."""
    return f"127.0.0.{int(os.environ[BUNDLE]) + 1}"


exceptions = types.SimpleNamespace(RayError=RayError)
