"""Commands that are killed at random moments, by the clock or by how far they are, and what they leave behind."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from chat_server import Chat
from command import COMMAND
from processes import Running, descendants
from runs import PATIENCE, wait_until

Arguments = Sequence[str | Path]
_UNFINISHED = re.compile(r"\..+\.(tmp|new|part)|.+\.(part|incomplete)|\..+\.(unpacking-|saving-).+")
"""Names that a file or a folder has until it is whole."""


@dataclass
class Killing:
    """Starts commands in a folder of their own, kills them, and counts what goes wrong."""

    folder: Path
    chance: random.Random
    span: float = 1.0
    """Seconds within which a command is killed that is killed by the clock: what it takes undisturbed."""
    killed: int = 0
    leaked: list[str] = field(default_factory=list)
    """Processes, files and folders that were left."""
    _children: list[Running] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scratch.mkdir(parents=True, exist_ok=True)

    @property
    def scratch(self) -> Path:
        """Where temporary files of the commands go."""
        return self.folder / "scratch"

    def start(self, command: Sequence[str], **environment: str) -> subprocess.Popen[bytes]:
        """Start a program that says nothing."""
        quiet = subprocess.DEVNULL
        given = {**os.environ, "TMPDIR": str(self.scratch), **environment}
        return subprocess.Popen(command, env=given, stdin=quiet, stdout=quiet, stderr=quiet)

    def kill_one(self, command: Sequence[str], far: Callable[[], int], **environment: str) -> bool:
        """Start a program and kill it, by the clock or once it came a little further; whether it still ran."""
        process = self.start(command, **environment)
        end = time.monotonic() + (self.chance.uniform(0.0, self.span) if self.chance.random() < 0.4 else PATIENCE)
        goal = far() + self.chance.randint(1, 6)
        while process.poll() is None and time.monotonic() < end and far() < goal:
            time.sleep(0.002)
        return self.kill(process)

    def kill(self, process: subprocess.Popen[bytes]) -> bool:
        """Kill a program, after a stop now and then; whether it still ran."""
        if process.poll() is None and self.chance.random() < 0.3:
            process.send_signal(signal.SIGSTOP)
            if self.chance.random() < 0.5:
                time.sleep(0.02)
                process.send_signal(signal.SIGCONT)
        self._children += descendants(process.pid)
        process.kill()
        ran = process.wait() == -signal.SIGKILL
        self.killed += ran
        return ran

    def finish(self, command: Sequence[str], *codes: int, **environment: str) -> float:
        """Let a program end by itself; the seconds that it took."""
        began = time.monotonic()
        given = {**os.environ, "TMPDIR": str(self.scratch), **environment}
        done = subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode in {0, *codes}, (command, done.returncode, done.stdout, done.stderr)
        return time.monotonic() - began

    def look(self, *folders: Path) -> None:
        """Note what is left after a successful start: processes, what is half written, and whatever is in TMPDIR."""
        alive = [one for one in self._children if one.alive]
        self.leaked += [f"process {one.command}" for one in alive if not is_gone(one)]
        self.leaked += [str(path) for path in self.scratch.iterdir()]
        self.leaked += [
            str(path) for one in folders for path in sorted(one.rglob("*")) if _UNFINISHED.fullmatch(path.name)
        ]


def is_gone(one: Running) -> bool:
    """Whether a process ends within half a minute."""
    try:
        wait_until(lambda: not one.alive, 30.0)
    except AssertionError:
        return False
    return True


def dtbench(*arguments: str | Path) -> list[str]:
    """The command line of dtbench."""
    return [*COMMAND, *map(str, arguments)]


@dataclass
class Counting:
    """Holds what was asked at an endpoint against what was stored, across kills."""

    chat: Chat
    stored: Callable[[], int]
    at_once: int
    """How many requests may be in flight."""
    in_flight: int = 0
    """Over all kills, what was asked and not stored."""
    doubled: int = 0

    def after_kill(self) -> None:
        """Count what was in flight; more than may be was asked although it was stored."""
        wait_until(lambda: not self.chat.open)  # what the killed one had sent has come
        fresh = len(self.chat.asked) - self.stored() - self.in_flight
        self.doubled += max(0, fresh - self.at_once)
        self.in_flight += fresh

    def at_end(self) -> int:
        """How many requests were made although their answers were stored."""
        return self.doubled + abs(len(self.chat.asked) - self.stored() - self.in_flight)


def whole_lines(*files: Path) -> int:
    """How many whole lines some files have."""
    return sum(file.read_bytes().count(b"\n") for file in files if file.exists())


def half_written(paths: Sequence[Path]) -> list[str]:
    """Those of some files that are there and cannot be read to their end."""
    return [str(path) for path in paths if path.is_file() and not _is_whole(path)]


def _is_whole(path: Path) -> bool:
    content = path.read_bytes()
    try:
        if path.suffix == ".json":
            return isinstance(json.loads(content), dict | list)
        if path.suffix == ".jsonl":
            return all(isinstance(json.loads(line), dict) for line in content.splitlines())
        if path.suffix in {".zip", ".eval"}:
            with zipfile.ZipFile(path) as archive:
                return archive.testzip() is None
    except (ValueError, zipfile.BadZipFile):
        return False
    if path.suffix == ".parquet":
        return content[:4] == content[-4:] == b"PAR1"
    endings = {".html": (b"</html>", b"</p>"), ".svg": (b"</svg>",)}
    return content.rstrip().endswith(endings.get(path.suffix, (b"",)))


def beside(stack: ExitStack, killing: Killing, *commands: Sequence[str]) -> None:
    """Run commands beside another one until the block ends; each then ends by itself, without a traceback."""

    def ended(process: subprocess.Popen[bytes]) -> None:
        assert process.wait(timeout=PATIENCE) in {0, 2, 3}, process.args

    for command in commands:
        stack.callback(ended, killing.start(command))
