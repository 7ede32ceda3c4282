"""Run coroutines on a clock that jumps to whatever is due next: a minute takes no time, and its order stays."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from dtbench.harness.run.pace import Clock

T = TypeVar("T")


class _NoWait(selectors.DefaultSelector):
    """Moves the clock on in place of waiting."""

    now = 3600.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing is due any more: it would wait for ever"
        self.now += timeout
        return super().select(0)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is not the world's."""

    def __init__(self) -> None:
        self._waits = _NoWait()
        super().__init__(self._waits)

    def time(self) -> float:
        return self._waits.now


def simulated_clock() -> Clock:
    """The clock of a pace, in the loop that runs."""
    return Clock(asyncio.get_running_loop().time, asyncio.sleep, lambda: 0.5)


def simulated(work: Coroutine[Any, Any, T]) -> T:
    """Run something to its end."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(work)
