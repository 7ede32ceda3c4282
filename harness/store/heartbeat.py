"""Show on a shared disk that a run lives, also while it waits for an answer and writes nothing.

The lock of a shared folder need not reach from one machine to another. Whoever starts there looks for what changes; a
run that is silent for longer than that, as over one long answer, touches its log meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

PULSE_SECONDS = 20.0
"""A third of the time after which who is silent is taken for killed."""


class Heartbeat:
    """Touches a file again and again, from its making to stop()."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Touch it no more."""
        self._stopped.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stopped.wait(PULSE_SECONDS):
            with contextlib.suppress(OSError):  # the disk is away for a while, or the folder for good
                os.utime(self._file)
