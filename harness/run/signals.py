"""Ctrl-C while a run asks: the first one ends it after what is in flight, the second one, and SIGTERM, at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dtbench.harness.run.loop import Stop

FIRST = "stopping: what is in flight is finished; Ctrl-C once more to stop at once"
SECOND = "stopped: what was in flight is given up"


@contextmanager
def heeded(stop: Stop, say: Callable[[str], None]) -> Iterator[None]:
    """Within the block, of a coroutine, signals are wishes to stop; what was to be awaited in it may be given up."""
    loop, asking = asyncio.get_running_loop(), asyncio.current_task()
    assert asking is not None

    def at_once() -> None:
        if not stop.now:
            say(SECOND)
            asking.cancel()
        stop.wanted = stop.now = True

    def first_or_second() -> None:
        if stop.wanted:
            at_once()
        else:
            say(FIRST)
        stop.wanted = True

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    loop.add_signal_handler(signal.SIGINT, first_or_second)
    loop.add_signal_handler(signal.SIGTERM, at_once)
    try:
        yield
    except asyncio.CancelledError:
        if not stop.now:
            raise
        asking.uncancel()
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


@contextmanager
def terminable() -> Iterator[None]:
    """Within the block, SIGTERM is as Ctrl-C: what is open is closed in good order."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
