"""`dtbench run` as a user runs it: data to ask about, models that take their time, and what a run leaves behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from command import COMMAND, Done
from small_data import TOPICS, Item, mmar_items, write_json
from sounds import encoded, sine

from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import Record

Arguments = tuple[str | Path, ...]
Script = Mapping[str, Any]
PATIENCE = 600.0
"""Seconds after which what a test waits for is not going to happen."""


def mmar_data(folder: Path, count: int) -> list[Item]:
    """The questions of a made-up MMAR; none of their clips is there."""
    items = mmar_items(count)
    write_json(folder / "MMAR-meta.jsonl", items)
    return items


def pitch_of(topic: str) -> float:
    """What a topic sounds like, in Hz."""
    return 400.0 + 200.0 * TOPICS.index(topic)


def topic_of(hertz: float) -> str | None:
    """The topic that sounds so."""
    return next((topic for topic in TOPICS if abs(pitch_of(topic) - hertz) < 50), None)


def audible_data(folder: Path, count: int) -> list[Item]:
    """A made-up MMAR whose clips say the right answer to whoever listens; it has four options, in any order."""
    items = mmar_items(count)
    for number, item in enumerate(items):
        options = [TOPICS[(number + step) % len(TOPICS)] for step in range(4)]
        item["choices"] = options[number % 4 :] + options[: number % 4]
        clip = folder / item["audio_path"]
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.write_bytes(encoded(sine(pitch_of(item["answer"]), 0.1, 16000), 16000).data)
    write_json(folder / "MMAR-meta.jsonl", items)
    return items


def write_script(path: Path, lines: Iterable[Script]) -> Sequence[str]:
    """A script for the scripted model; the options that name both."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return ("--model", "scripted", "-M", f"script={path}")


@contextlib.contextmanager
def started(*arguments: str | Path, command: str = "run") -> Iterator[subprocess.Popen[bytes]]:
    """`dtbench run`, or another command, in a process of its own, killed at the end of the block if it still runs."""
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, command, *map(str, arguments)], stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[bytes], seconds: float = PATIENCE) -> Done:
    """What it left, once it ended by itself."""
    out, err = process.communicate(timeout=seconds)
    return Done(process.returncode, out.decode(), err.decode())


def wait_until(happened: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Look again and again until it is so."""
    patience = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < patience, "it never came"
        time.sleep(0.005)


def lines_of(out: Path, task: str = "mmar") -> int:
    """How many lines of records a task has, right now."""
    path = out / f"{task}.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def record_files_of(out: Path) -> list[Path]:
    """The files of records in a run folder."""
    return sorted(path for path in out.glob("*.jsonl") if not path.name.endswith(".questions.jsonl"))


def forget_questions(*runs: str | Path) -> None:
    """Leave runs as an older dtbench did: with their answers alone."""
    for run in runs:
        files = list(Path(run).glob("*.questions.jsonl"))
        assert files
        for path in files:
            path.unlink()


def records(out: Path, task: str = "mmar") -> list[Record]:
    """A task's records as read back."""
    return list(StoredRun.open(out).records(task))


def assert_each_once(out: Path, ids: Iterable[str], *, repeats: int = 1, task: str = "mmar") -> None:
    """Every answer is there as read back, once."""
    found = Counter((record["id"], record["sample"]) for record in records(out, task))
    assert found == Counter((id_, repeat) for id_ in ids for repeat in range(repeats))


def summary(out: Path) -> str:
    """summary.json less its own place and what depends on the clock."""
    told = json.loads((out / "summary.json").read_text())
    del told["run"]
    for task in told["tasks"]:
        del task["seconds"]
    return json.dumps(told, indent=1)


def status(out: Path) -> str:
    """How the run stands, as run.json says."""
    return str(StoredRun.open(out).info["status"])


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C."""
    os.kill(process.pid, signal.SIGINT)
