"""Set an endpoint of several aside after failures in a row, and try it again after a pause that grows.

One that fails at once is always the least loaded: without this it would draw the requests of those that work.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from dtbench.harness.core.model import Notify

_LOG = logging.getLogger(__name__)
FAILURES = 3
"""In a row, after which an endpoint is set aside."""
COOL_DOWN = 5.0
"""Seconds until one that was set aside is tried again, with one request; twice as many after each failure of that."""
MOST_COOL_DOWN = 120.0


class EndpointHealth:
    """What the last requests to an endpoint say of it."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.notify: Notify = lambda line: None
        """Where messages to the user go."""
        self._name = name
        self._clock = clock
        self._failures = 0
        self._successes = 0
        self._pause = COOL_DOWN
        self._aside_until: float | None = None
        self._is_on_trial = False

    @property
    def is_fit(self) -> bool:
        """Whether the next request may go to it."""
        return self._aside_until is None or (self._is_due and not self._is_on_trial)

    @property
    def _is_due(self) -> bool:
        return self._aside_until is not None and self._clock() >= self._aside_until

    def begin(self) -> bool:
        """Note that a request goes to it; return whether it is the one that tries it again."""
        if not self._is_due or self._is_on_trial:
            return False
        self._is_on_trial = True
        return True

    def end(self, *, on_trial: bool) -> None:
        """Note that a request has ended, whatever it said of the endpoint."""
        if on_trial:
            self._is_on_trial = False

    def succeed(self, *, on_trial: bool) -> None:
        """Note an answer; one to an earlier request brings nothing back that was set aside since."""
        self._failures = 0
        self._successes += 1
        if on_trial:
            self._aside_until = None
            self._say(f"{self._name} answers again")
        elif self._successes >= FAILURES and self._aside_until is None:
            self._pause = COOL_DOWN

    def fail(self, reason: str, *, at_once: bool = False) -> None:
        """Note a failure; `at_once` sets it aside, however many there were."""
        self._successes = 0
        self._failures += 1
        if self._aside_until is None and (at_once or self._failures >= FAILURES):
            self._say(f"{self._name} is set aside ({reason}): its questions go elsewhere, and it is tried again later")
        elif self._is_due:
            _LOG.info("%s still fails (%s): it is tried again in %g s", self._name, reason, self._pause)
        else:
            return
        self._aside_until = self._clock() + self._pause
        self._pause = min(2 * self._pause, MOST_COOL_DOWN)

    def _say(self, line: str) -> None:
        _LOG.warning("%s", line)
        self.notify(line)
