"""Runs by shards: several processes of `dtbench run --shard I/N` on one folder."""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from command import COMMAND
from runs import PATIENCE, Arguments

from dtbench.harness.store.jsonl import Key, RecordLine, read_lines
from dtbench.harness.store.shards import record_files


@contextmanager
def shards_of(asked: Arguments, count: int) -> Iterator[dict[int, subprocess.Popen[bytes]]]:
    """All shards of a run, each in a process of its own, killed at the end of the block where they still run."""
    running = {number: start_shard(asked, number, count) for number in range(1, count + 1)}
    try:
        yield running
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def start_shard(asked: Arguments, number: int, count: int) -> subprocess.Popen[bytes]:
    """One shard in a process of its own, which says nothing."""
    command = [*COMMAND, "run", *map(str, asked), "--shard", f"{number}/{count}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_and_restart(
    running: dict[int, subprocess.Popen[bytes]], asked: Arguments, kills: int, chance: random.Random
) -> int:
    """Kill shards at random and start each again at once, `kills` times or until all have ended; how often it was."""
    killed = 0
    while killed < kills and (alive := [number for number, one in running.items() if one.poll() is None]):
        number = chance.choice(alive)
        time.sleep(chance.uniform(0.0, 0.4))
        running[number].kill()
        if running[number].wait() != 0:
            killed += 1
            running[number] = start_shard(asked, number, len(running))
    return killed


def codes_of(running: dict[int, subprocess.Popen[bytes]]) -> set[int]:
    """How they end by themselves."""
    return {process.wait(timeout=PATIENCE) for process in running.values()}


def answers_in_files(out: Path, task: str) -> Counter[Key]:
    """How often each answer stands in the files of a task, those that another one replaced too."""
    lines = [line for path in record_files(out, task) for line in read_lines(path, path.stat().st_size)]
    return Counter(line.key() for line in lines if isinstance(line, RecordLine) and not line.failed())
