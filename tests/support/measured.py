"""What a command costs, it and the processes it waited for: wall, CPU and peak memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# A process between us and the command: Linux counts the memory of whoever starts a program as that program's peak.
_BETWEEN = """
import json, resource, subprocess, sys, time
with open(sys.argv[1], "wb") as log:
    started = time.perf_counter()
    code = subprocess.call(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wall = time.perf_counter() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


class Cost(NamedTuple):
    """What one run of a command took."""

    wall: float
    cpu: float
    """User and system time."""
    megabytes: float
    """The peak of its largest process."""

    def least(self, other: Cost) -> Cost:
        """The smaller of each figure: noise only adds."""
        return Cost(*map(min, self, other))


class CommandError(Exception):
    """The command failed; the message is its last line."""


def measured(command: Sequence[str | Path], cwd: Path, env: Mapping[str, str], log: Path) -> Cost:
    """Run a command once, what it says in a file."""
    between = [sys.executable, "-I", "-S", "-c", _BETWEEN, str(log), *map(str, command)]
    done = subprocess.run(between, cwd=cwd, env=env, capture_output=True, text=True, check=True)
    code, wall, cpu, megabytes = json.loads(done.stdout)
    if code:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
        raise CommandError(f"exit {code}: {lines[-1][:300]}")
    return Cost(wall, cpu, megabytes)
