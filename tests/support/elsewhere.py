"""A process on another machine, whose locks do not reach this one: run with its name, how locks fail, and a folder.

With `silent` as its shard it is on a shared disk, and waits for an answer without end.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import sys
import time
from pathlib import Path
from typing import Any

from run_records import SETTINGS, TASK, record


def move_to(host: str, locks: str) -> None:
    """Let this process be on another machine; `local` locks hold there alone, others fail with that error."""
    kind, _, *others = os.uname()

    def flock(descriptor: int, operation: int) -> None:
        if locks != "local":
            number = getattr(errno, locks)
            raise OSError(number, os.strerror(number))

    uname: Any = os.uname_result((kind, host, *others))
    os.uname = lambda: uname
    fcntl.flock = flock  # type: ignore[assignment]


if __name__ == "__main__":
    from dtbench.harness.store import heartbeat, other_hosts
    from dtbench.harness.store.run_folder import RunFolder
    from dtbench.harness.store.shards import parse_shard

    move_to(sys.argv[1], sys.argv[2])
    shard, is_silent = None, sys.argv[4:] == ["silent"]
    if is_silent:
        vars(other_hosts)["_SHARED"] = ("",)
        heartbeat.PULSE_SECONDS = 0.1
    elif len(sys.argv) > 4:
        shard = parse_shard(sys.argv[4])
    with RunFolder.start(Path(sys.argv[3]), SETTINGS, shard=shard) as run:
        for number in itertools.count(len(run.finished(TASK))):
            run.append(TASK, record(number))
            print(number, flush=True)
            time.sleep(3600 if is_silent else 0.02)
