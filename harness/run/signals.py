"""Ctrl-C during a run: the first one ends it after what is in flight, the second one, and SIGTERM, at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from dtbench.harness.core.model import Notify
from dtbench.harness.run.worker_pool import Stop

Interrupts = Callable[[Stop, Notify], AbstractContextManager[None]]
"""How a block of a coroutine is ended early: stop_on_signals or no_signals."""
FIRST = "stopping: waiting for requests in flight; press Ctrl-C again to stop immediately"
SECOND = "stopped: requests in flight were dropped"


@contextmanager
def stop_on_signals(stop: Stop, notify: Notify) -> Iterator[None]:
    """Within this block of a coroutine, turn signals into requests to stop; at the second one its task is cancelled."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def at_once() -> None:
        if not stop.immediate:
            notify(SECOND)
            task.cancel()
        stop.requested = stop.immediate = True

    def first_or_second() -> None:
        if stop.requested:
            at_once()
        else:
            notify(FIRST)
        stop.requested = True

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    loop.add_signal_handler(signal.SIGINT, first_or_second)
    loop.add_signal_handler(signal.SIGTERM, at_once)
    try:
        yield
    except asyncio.CancelledError:
        if not stop.immediate:
            raise
        task.uncancel()
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def no_signals(stop: Stop, notify: Notify) -> AbstractContextManager[None]:
    """Leave signals to whoever called: the task of the coroutine can be cancelled."""
    return nullcontext()


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Within this block, treat SIGTERM like Ctrl-C, so that what is open is closed in good order."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
