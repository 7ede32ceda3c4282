"""Run a client on an event loop of its own: engines call rewards from anywhere, some from a new loop each time."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class BackgroundClient(Generic[T]):
    """Keeps a client on a loop in a thread, so that its connections outlive the call that opened them.

    It is opened at first use, and again after a fork, which does not copy the thread.
    """

    def __init__(self, open_client: Callable[[], T], close_client: Callable[[T], Coroutine[Any, Any, None]]) -> None:
        self._open_client, self._close_client = open_client, close_client
        self._open: tuple[T, asyncio.AbstractEventLoop, threading.Thread] | None = None
        self._process = 0

    def client(self) -> T:
        """Return the client, open."""
        return self._opened()[0]

    def run(self, call: Callable[[T], Coroutine[Any, Any, R]]) -> R:
        """Run a coroutine with the client, and wait for its result."""
        client, loop, _ = self._opened()
        return asyncio.run_coroutine_threadsafe(call(client), loop).result()

    def close(self) -> None:
        """Close the client and end the thread, unless they are those of the process that forked."""
        if self._open is not None and self._process == os.getpid():
            self.run(self._close_client)
            _, loop, thread = self._open
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
        self._open = None

    def _opened(self) -> tuple[T, asyncio.AbstractEventLoop, threading.Thread]:
        if self._open is None or self._process != os.getpid():
            client, loop = self._open_client(), asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="dtbench rewards", daemon=True)
            thread.start()
            self._open, self._process = (client, loop, thread), os.getpid()
        return self._open
