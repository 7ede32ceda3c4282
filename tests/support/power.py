"""A power failure at any moment: what a file system must still have by then, and no more than that.

A child writes a run folder while its real calls of fsync() are noted: of a file, its bytes at that time; of a folder,
which file each of its names stood for. From that the disk of any moment can be made again: a file has what was synced
of it and a piece of what was not, and a name stands for what it did when its folder was synced last.
"""

from __future__ import annotations

import json
import os
import random
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast
from unittest.mock import patch

import dtbench

STEP = 0.1
"""Seconds by which the child's clock moves on with each look at it."""


class Bytes(NamedTuple):
    """A file was synced: these bytes of it are on disk."""

    file: int
    content: bytes


class Names(NamedTuple):
    """A folder was synced: these names are on disk, and the files that they stand for."""

    folder: str
    files: dict[str, int]


class Said(NamedTuple):
    """The child was told that this is stored."""

    what: str


Event = Bytes | Names | Said


class Recorder:
    """Notes each sync of this process; the calls themselves are made."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._kept: dict[int, int] = {}
        """A descriptor of each file, so that no number is given to a second one."""
        self._really = os.fsync

    def sync(self, descriptor: int) -> None:
        """Sync, and note what is on disk now."""
        self._really(descriptor)
        about = os.fstat(descriptor)
        if stat.S_ISDIR(about.st_mode):
            folder = str(Path(f"/proc/self/fd/{descriptor}").readlink())
            self.events.append(Names(folder, {one.name: one.inode() for one in os.scandir(folder)}))
            return
        if about.st_ino not in self._kept:
            self._kept[about.st_ino] = os.dup(descriptor)
        path = f"/proc/self/fd/{descriptor}"
        self.events.append(Bytes(about.st_ino, Path(path).read_bytes()))

    def say(self, what: str) -> None:
        """Note that something was said to be stored."""
        self.events.append(Said(what))


def noted(writes: Callable[[Recorder, Path], None], folder: Path, journal: Path) -> None:
    """Write a folder, on a clock of its own, and keep what was synced when."""
    recorder = Recorder()
    ticks = iter(range(1_000_000_000))
    with (
        patch.object(os, "fsync", recorder.sync),
        patch.object(os, "fdatasync", recorder.sync),
        patch.object(time, "monotonic", lambda: next(ticks) * STEP),
    ):
        writes(recorder, folder)
    lines = [json.dumps([type(one).__name__, *map(_plain, one)]) for one in recorder.events]
    journal.write_text("\n".join(lines))


def _plain(value: Any) -> Any:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _event(line: str) -> Event:
    kind, *values = json.loads(line)
    if kind == "Bytes":
        return Bytes(values[0], values[1].encode("latin-1"))
    return Names(*values) if kind == "Names" else Said(*values)


def events_of(folder: Path, *arguments: str) -> Sequence[Event]:
    """What a child noted that wrote a folder."""
    journal = folder.parents[1] / "journal"
    environment = {**os.environ, "PYTHONPATH": str(Path(dtbench.__file__).parents[1])}
    command = [sys.executable, __file__, str(folder), str(journal), *arguments]
    subprocess.run(command, env=environment, check=True)
    return list(map(_event, journal.read_text().splitlines()))


def make_disk(events: Sequence[Event], moment: int, folder: Path, place: Path, chance: random.Random | None) -> None:
    """Make a folder again as it is where the power fails after so many events; none where it has no name yet.

    By chance, some of what was not synced is there too.
    """
    names: dict[str, dict[str, int]] = {one.folder: one.files for one in events[:moment] if isinstance(one, Names)}
    if any(path.name not in names.get(str(path.parent), {}) for path in (folder, folder.parent)):
        return
    synced = {one.file: one.content for one in events[:moment] if isinstance(one, Bytes)}
    later: dict[int, bytes] = {}
    for one in events[moment:]:
        if isinstance(one, Bytes):
            later.setdefault(one.file, one.content)
    place.mkdir(parents=True)
    for name, file in names.get(str(folder), {}).items():
        content = synced.get(file, b"")
        if chance is not None and content and (longer := later.get(file, b"")).startswith(content):
            content = longer[: chance.randint(len(content), len(longer))]
        (place / name).write_bytes(content)


def said_by(events: Sequence[Event], moment: int) -> list[str]:
    """What was said to be stored before a moment."""
    return [one.what for one in events[:moment] if isinstance(one, Said)]


def write(recorder: Recorder, folder: Path) -> None:
    """Append questions and answers, end, and say each of it."""
    from run_records import SETTINGS, TASK, record

    from dtbench.harness.store.run_folder import RunFolder
    from dtbench.harness.store.shards import parse_shard

    shard, ending, numbers = sys.argv[3], sys.argv[4], int(sys.argv[5])
    with RunFolder.start(folder, SETTINGS, shard=parse_shard(shard) if shard else None) as run:
        recorder.say("started")
        for number in range(numbers):
            run.append_question(TASK, cast("Any", question(number)))
            run.append(TASK, record(number, characters=100))
            recorder.say(f"item-{number}")
        if ending == "done":
            run.finish("done", missing=0 if shard else None)
            recorder.say("done")
    if ending == "reopened":
        again = RunFolder.reopen(folder)
        again.append(TASK, record(numbers))
        again.close()
        recorder.say(f"item-{numbers}")


def question(number: int) -> dict[str, Any]:
    """A question as it lies beside its answers."""
    head = {"id": f"item-{number}", "question_hash": "0" * 12, "place": number, "clips": []}
    return {**head, "question": "Which?", "options": ["Dog", "Cat"], "answer": "Dog", "groups": {}}


if __name__ == "__main__":
    noted(write, Path(sys.argv[1]), Path(sys.argv[2]))
