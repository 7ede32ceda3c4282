"""The files in D/nodes/ by which nodes find and follow each other; the folder of a training is on a disk that all see.

Each node rewrites one file again and again, with a number that rises. A node lives while others see its number rise by
their own clocks, so clocks need not agree, and what an earlier allocation left there is never taken for a node.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict, cast

from dtbench.harness.core.errors import DtbenchError, UserError
from dtbench.harness.store.atomic import replace_unsynced, replace_whole
from dtbench.training.nodes.place import NodePlace, Role

_LOG = logging.getLogger(__name__)
LOST_VARIABLE, PATIENCE_VARIABLE = "DTBENCH_NODE_LOST", "DTBENCH_NODE_PATIENCE"
NodeState = Literal["idle", "starting", "ready", "running", "ended", "failed", "left"]
"""ready: a server answers; ended, failed: its process in an attempt; left: its `dtbench train` has ended."""


class NodeReport(TypedDict):
    """What a node says of itself."""

    token: str
    """Drawn at its start: another one in its place has another."""
    allocation: str
    recipe: str
    """A digest of the recipe."""
    beat: int
    role: Role
    rank: int
    address: str
    state: NodeState
    attempt: int
    """The attempt that it takes part in; 0 for none. Of node 0: the one that goes on."""
    why: str
    end: int | None
    """Of node 0: the exit status with which every node ends."""


class Member(TypedDict):
    """A node of an attempt."""

    index: int
    role: Role
    rank: int
    address: str
    token: str


class Attempt(TypedDict):
    """One start of all processes of a stage."""

    attempt: int
    stage: str
    resume: str | None
    """The checkpoint that every trainer resumes from."""
    leader: str
    """The token of node 0."""
    nodes: list[Member]
    addresses: dict[str, str]
    """What placeholders of the engine's command stand for on every node."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long nodes wait for each other, in seconds."""

    lost: float = 60.0
    """A node whose file has not changed for so long is lost: longer than a shared disk keeps old contents."""
    patience: float = 1800.0
    """For nodes to come, for servers to be healthy, for node 0 to come back."""

    @property
    def beat(self) -> float:
        """Seconds between two writes of a node's file."""
        return min(2.0, self.lost / 8)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Waits:
        """Read them from the environment."""
        return cls(_seconds(environment, LOST_VARIABLE, cls().lost), _seconds(environment, PATIENCE_VARIABLE, 1800.0))


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, "")
    try:
        seconds = float(text) if text else default
    except ValueError:
        seconds = 0.0
    if not 0.5 <= seconds < float("inf"):
        raise UserError(f"{name} = {text!r}: seconds are expected, 0.5 or more.")
    return seconds


class NodesFolder:
    """Paths and files in D/nodes/."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.judge_key = root / "judge.key"
        """The key of the judge's server, for its user alone."""

    def report(self, index: int) -> Path:
        """Return the file that a node rewrites."""
        return self.root / f"node-{index}.json"

    def lock(self, index: int) -> Path:
        """Return the lock of a node's own `dtbench train`."""
        return self.root / f"node-{index}.lock"

    def process_lock(self, index: int) -> Path:
        """Return the lock that lives as long as a node's engine or server."""
        return self.root / f"node-{index}.engine.lock"

    def log(self, index: int) -> Path:
        """Return the output of what a node other than 0 runs."""
        return self.root / f"node-{index}.log"

    def read_report(self, index: int) -> NodeReport | None:
        """Return what a node said last; None where there is nothing."""
        return cast("NodeReport | None", _read(self.report(index)))

    def read_attempt(self, number: int) -> Attempt | None:
        """Return an attempt; None where there is none."""
        return cast("Attempt | None", _read(self._attempt(number)))

    def write_attempt(self, attempt: Attempt) -> None:
        """Write an attempt."""
        replace_whole(self._attempt(attempt["attempt"]), json.dumps(attempt, indent=1).encode())

    def last_attempt(self) -> int:
        """Return the number of the last attempt of any allocation; 0 where there is none."""
        numbers = (path.stem.removeprefix("attempt-") for path in self.root.glob("attempt-*.json"))
        return max((int(number) for number in numbers if number.isdigit()), default=0)

    def _attempt(self, number: int) -> Path:
        return self.root / f"attempt-{number}.json"

    def read_key(self) -> str:
        """Return the key of the judge's server."""
        return self.judge_key.read_text(encoding="ascii").strip()

    def make_key(self) -> str:
        """Return the key of the judge's server, and make one where there is none."""
        try:
            descriptor = os.open(self.judge_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return self.read_key()
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
        return self.read_key()


def _read(path: Path) -> Mapping[str, object] | None:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):  # not there, or of a disk that shows half of it
        return None
    return content if isinstance(content, dict) else None


class Beacon:
    """Rewrites the file of this node, from its making to close()."""

    def __init__(self, path: Path, report: NodeReport, waits: Waits) -> None:
        self._path, self._report, self._period = path, report, waits.beat
        self._lock, self._closed = threading.Lock(), threading.Event()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    @property
    def report(self) -> NodeReport:
        """What it says."""
        return self._report

    def say(self, state: NodeState, attempt: int = 0, why: str = "", end: int | None = None) -> None:
        """Say something else, at once."""
        with self._lock:
            changed = (state, attempt, why, end) != tuple(
                self._report[key] for key in ("state", "attempt", "why", "end")
            )
            self._report |= {"state": state, "attempt": attempt, "why": why, "end": end}
        if changed:
            self._write()

    def close(self) -> None:
        """Stop."""
        self._closed.set()
        self._thread.join()

    def _write(self) -> None:
        with self._lock:
            self._report["beat"] += 1
            replace_unsynced(self._path, json.dumps(self._report).encode())

    def _beat(self) -> None:
        while not self._closed.wait(self._period):
            try:
                self._write()
            except DtbenchError as error:  # the disk may come back before others count this node as lost
                _LOG.warning("%s", error)


def new_report(place: NodePlace, address: str, allocation: str, recipe: str) -> NodeReport:
    """Return what a node says first."""
    return {
        "token": secrets.token_hex(8),
        "allocation": allocation,
        "recipe": recipe,
        "beat": 0,
        "role": place.role,
        "rank": place.rank,
        "address": address,
        "state": "idle",
        "attempt": 0,
        "why": "",
        "end": None,
    }


@dataclass(slots=True)
class _Sight:
    """What was seen of a node's file."""

    mark: tuple[str, int]
    moved: float | None
    """When it last changed, by our clock; None where it did not since we look."""


class NodeWatch:
    """Looks at the files of other nodes, and says which of them live."""

    def __init__(self, folder: NodesFolder, waits: Waits) -> None:
        self._folder, self._waits = folder, waits
        self._sights: dict[int, _Sight] = {}

    def look(self, index: int) -> NodeReport | None:
        """Return what a node says that lives; None for one that is not there or is silent."""
        report = self._folder.read_report(index)
        mark = ("", -1) if report is None else (report["token"], report["beat"])
        now, sight = time.monotonic(), self._sights.get(index)
        if sight is None:
            self._sights[index] = _Sight(mark, None)
            return None
        if report is not None and mark != sight.mark:
            sight.mark, sight.moved = mark, now
        if report is None or sight.moved is None or now - sight.moved > self._waits.lost:
            return None
        return report


def members(reports: Mapping[int, NodeReport]) -> Sequence[Member]:
    """Return these nodes as an attempt names them."""
    return [
        {
            "index": index,
            "role": report["role"],
            "rank": report["rank"],
            "address": report["address"],
            "token": report["token"],
        }
        for index, report in sorted(reports.items())
    ]
