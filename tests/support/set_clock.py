"""dtbench on a machine whose clock is set while it runs: by libfaketime, or in Python alone where that is not there.

Run with the file that says how the clock is set, as libfaketime has it (`+86400`, or a date at which it stands still),
and the arguments of dtbench.
"""

from __future__ import annotations

import datetime
import sys
import time
from pathlib import Path
from typing import Any

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
STOPPED = "2020-01-01 00:00:00"
_Real = datetime.datetime
_real_time = time.time


def shown(setting: str) -> float:
    """The time that a clock shows which is set so."""
    if setting == STOPPED:
        return _Real.fromisoformat(STOPPED).replace(tzinfo=datetime.UTC).timestamp()
    return _real_time() + float(setting)


def set_by(file: Path) -> None:
    """Let the clock of this process show what a file says."""

    def now() -> float:
        return shown(file.read_text())

    class Moment(_Real):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls.fromtimestamp(now(), tz)

    time.time = now
    datetime.datetime = Moment  # type: ignore[misc]


def environment(file: Path) -> dict[str, str]:
    """What lets libfaketime do so, for a process of its own."""
    return {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        "TZ": "UTC",
    }


if __name__ == "__main__":
    set_by(Path(sys.argv.pop(1)))
    from dtbench.harness.cli.main import main

    main()
