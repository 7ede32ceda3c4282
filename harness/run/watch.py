"""Look at a run that goes on elsewhere: what its folder says, and whether somebody still writes to it.

Nothing is locked and nothing is written. The records of a task, of all its shards, are counted as they are appended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.regular_files import open_regular
from dtbench.harness.run.live_line import LiveFigure, LiveState, duration
from dtbench.harness.run.progress import FAILED, RIGHT, UNANSWERED, pace_figures, token_figures
from dtbench.harness.run.worker_pool import Progress
from dtbench.harness.store.jsonl import Key
from dtbench.harness.store.locks import LOCK_NAME
from dtbench.harness.store.measure_types import RunMeasures
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import read_info
from dtbench.harness.store.shard_states import read_shards
from dtbench.harness.store.shards import record_files
from dtbench.harness.store.types import ErrorRecord, StartInfo

FRESH_SECONDS = 60.0
"""Whoever wrote so lately is alive."""
_CLOCK_SECONDS = 5.0
"""By which two clocks of a machine may differ."""
_LISTED = 4
RUNNING, KILLED = "running", "killed"
_RIGHT, _WRONG, _UNANSWERED, _DONE, _REJECTED, _FAILED = "right", "wrong", "unanswered", "done", "rejected", "failed"
_LOST = {"run": "failed", "judge": "without verdict", "cot": "failed", "faithful": "failed"}


class _Verdict(TypedDict, total=False):
    correct: bool | None
    waits: list[str]


class _Reply(TypedDict, total=False):
    usage: dict[str, int]
    attempts: int


class _CountedLine(TypedDict, total=False):
    """What is counted of a record of any kind."""

    id: str
    sample: int
    error: ErrorRecord
    score: _Verdict
    response: _Reply
    verdict: dict[str, Any]
    rejected: str
    usage: dict[str, int]


class RecordCounter:
    """Counts the answers to a task while others append them."""

    def __init__(self, folder: Path, task: str, about: Mapping[str, Any]) -> None:
        self._folder = folder
        self._stem = task.replace(":", ".")
        self._ids = frozenset(about["ids"]) if "ids" in about else None
        self._samples: int | None = about.get("samples") if "questions" in about else None
        self._read: dict[Path, int] = {}
        self._outcomes: dict[Key, str] = {}
        self._retries: dict[Key, int] = {}
        self.tokens = 0

    def update(self) -> None:
        """Read what was appended since the last call."""
        for path in record_files(self._folder, self._stem):
            for line in self._new_lines(path):
                self._add(line)

    def progress(self, expected: int) -> Progress:
        """Return the counts."""
        counts = [*self._outcomes.values()]
        progress = Progress(expected, len(counts), tokens=self.tokens, retries=sum(self._retries.values()))
        progress.correct, progress.unanswered = counts.count(_RIGHT), counts.count(_UNANSWERED)
        progress.rejected, progress.failed = counts.count(_REJECTED), counts.count(_FAILED)
        return progress

    @property
    def read(self) -> int:
        """How many answers were right or wrong."""
        return sum(outcome in {_RIGHT, _WRONG} for outcome in self._outcomes.values())

    def _new_lines(self, path: Path) -> Iterator[bytes]:
        try:
            with open_regular(path) as file:
                begin = self._read.get(path, 0)
                if file.seek(0, os.SEEK_END) < begin:  # a torn line was taken away
                    begin = 0
                file.seek(begin)
                whole, newline, _ = file.read().rpartition(b"\n")
        except OSError:  # not there yet
            return
        self._read[path] = begin + len(whole) + len(newline)
        yield from whole.splitlines()

    def _add(self, line: bytes) -> None:
        import msgspec

        try:
            record = msgspec.json.decode(line, type=_CountedLine)
            key = Key(record["id"], record["sample"])
        except (msgspec.DecodeError, KeyError):  # what a kill left of a line
            return
        if (self._ids is not None and key.id not in self._ids) or key.sample >= (self._samples or key.sample + 1):
            return
        usage = record.get("response", {}).get("usage") or record.get("usage") or {}
        counted = Progress(0)
        counted.add_tokens(usage)
        self.tokens += counted.tokens
        attempts = record.get("error", {}).get("attempts") or record.get("response", {}).get("attempts") or 1
        self._retries[key] = attempts - 1
        outcome = _outcome(record)
        if outcome != _FAILED or self._outcomes.get(key, _FAILED) == _FAILED:
            self._outcomes[key] = outcome


def _outcome(record: _CountedLine) -> str:
    if "error" in record:
        return _FAILED
    if "rejected" in record:
        return _REJECTED
    if "score" not in record:
        return _DONE
    correct = record["score"].get("correct")
    if correct is None and record["score"].get("waits"):
        return _DONE
    return _UNANSWERED if correct is None else _RIGHT if correct else _WRONG


class WatchedTask(NamedTuple):
    """How far one task of a run is."""

    name: str
    state: LiveState
    counts: Progress
    measures: RunMeasures | None = None
    """Of an evaluation of a training that is done."""

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        names = ("correct", "unanswered", "rejected", "failed", "tokens", "retries")
        counts = {name: getattr(self.counts, name) for name in names}
        measures = {} if self.measures is None else {"measures": self.measures}
        return {"task": self.name, "done": self.state.done, "expected": self.state.expected, **counts, **measures}


class WatchedFolder(NamedTuple):
    """What a folder says of itself at one moment."""

    path: Path
    kind: str
    status: str
    """As in run.json, or `killed` where nobody writes any more."""
    liveness: str
    """When something was written last, and by whom."""
    tasks: Sequence[WatchedTask]

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        about = {"run": str(self.path), "kind": self.kind, "status": self.status, "liveness": self.liveness}
        return {**about, "tasks": [task.as_json() for task in self.tasks]}


class RunWatch:
    """Follows the folder of a run, a judge or `dtbench cot`."""

    def __init__(self, path: Path) -> None:
        self.path = StoredRun.open(path, _kind_of(path)).path
        self._counters: dict[str, RecordCounter] = {}
        self._asked: dict[str, object] = {}
        self._begun: dict[str, tuple[float, int, int]] = {}
        """Task -> when its counts were taken first, how many answers and tokens there were."""

    def update(self) -> WatchedFolder:
        """Read what is new, and return how far each task is."""
        kind = _kind_of(self.path)
        info: Any = StoredRun.open(self.path, kind).info
        tasks = [self._watched(name, about, info) for name, about in info["tasks"].items()]
        return WatchedFolder(self.path, kind, *_standing(self.path, info), tasks)

    def _watched(self, name: str, about: Mapping[str, Any], info: Mapping[str, Any]) -> WatchedTask:
        asked = (about.get("ids"), about.get("samples"))
        if name not in self._counters or self._asked[name] != asked:
            self._counters[name], self._asked[name] = RecordCounter(self.path, name, about), asked
            self._begun.pop(name, None)
        counter = self._counters[name]
        counter.update()
        each = about["questions"] * about["samples"] if "samples" in about else None
        expected = each if each is not None else info.get("planned", {}).get(name)
        counts = counter.progress(expected or 0)
        return WatchedTask(name, self._state(name, counts, expected, info), counts)

    def _state(self, name: str, counts: Progress, expected: int | None, info: Mapping[str, Any]) -> LiveState:
        begun, done, tokens = self._begun.setdefault(name, _first_counts(counts, info))
        seconds = (moment_of(info["end"]) if info["status"] != RUNNING and info["end"] else time.time()) - begun
        seconds = max(0.0, seconds)  # the clock may have been set back since
        pace = Progress(counts.expected, counts.done, counts.done - done, tokens=counts.tokens - tokens)
        pace.retries = counts.retries
        figures = [one for one in pace_figures(pace, seconds) if expected or not one.text.endswith(" left")]
        if read := self._counters[name].read:
            figures.append(LiveFigure(f"{counts.correct / (read + counts.unanswered):.1%} right", RIGHT))
        if info["kind"] == "run":
            figures.append(LiveFigure(f"{counts.unanswered} unanswered", UNANSWERED))
        if info["kind"] == "cot":
            figures.append(LiveFigure(f"{counts.rejected} rejected", UNANSWERED))
        figures.append(LiveFigure(f"{counts.failed} {_LOST[info['kind']]}", FAILED))
        unit = "calls" if info["kind"] == "judge" else ""
        return LiveState(counts.done, expected, [*figures, *token_figures(pace, seconds)], unit)


def run_to_watch(path: Path) -> Path:
    """Return the folder itself where it has a run, else the one inside: the only one, or the only one that goes on.

    So the --out of `cot`, of `mine` and of a sweep can be named. A UserError lists the runs where it could be several.
    """
    inside = [] if (path / "run.json").exists() else [one.parent for one in sorted(path.glob("*/run.json"))]
    if len(inside) > 1:
        inside = [one for one in inside if read_info(one)["status"] == RUNNING] or inside
    if len(inside) > 1:
        listed = ", ".join(str(one) for one in inside[:_LISTED])
        more = f" and {len(inside) - _LISTED} more" if len(inside) > _LISTED else ""
        raise UserError(f"{path}: holds several runs: name one of {listed}{more}.")
    return inside[0] if inside else path


def _kind_of(path: Path) -> str:
    try:
        return read_info(path)["kind"]
    except OSError:
        return "run"  # which says what is missing


def _first_counts(counts: Progress, info: Mapping[str, Any]) -> tuple[float, int, int]:
    """Return from when on answers are counted: of a run that was started once, from its start; else from now."""
    if len(info["starts"]) == 1 and len(info["tasks"]) == 1:
        return moment_of(info["starts"][0]["start"]), 0, 0
    return time.time(), counts.done, counts.tokens


def moment_of(stored: str) -> float:
    """Return a stored time as seconds since the epoch."""
    return datetime.fromisoformat(stored).timestamp()


def _standing(path: Path, info: Mapping[str, Any]) -> tuple[str, str]:
    """Return the status of a run, `killed` where nobody writes any more, and how that is known."""
    waiting = _not_started(path) if info["status"] == "interrupted" else 0
    if waiting:
        return RUNNING, f"{waiting} shard{'s' if waiting > 1 else ''} not started yet"
    if info["status"] != RUNNING:
        return info["status"], f"ended {_ago(time.time() - moment_of(info['end']))}" if info["end"] else ""
    running = [one for one in info["starts"] if one["status"] == RUNNING]
    silent = time.time() - last_written(path)
    alive = [one for one in running if _may_live(path, one, silent)]
    last = f"last written {_ago(silent)}"
    if not alive:
        who = ", ".join(f"pid {one['pid']} on {one['host']}" for one in running)
        return KILLED, f"nobody writes any more ({who}), {last}"
    what = f"{len(alive)} of {len(running)} processes alive, " if len(running) > 1 else ""
    return RUNNING, f"{what}{last}"


def _not_started(path: Path) -> int:
    """Return how many shards of the last number of shards were never started."""
    shards = read_shards(path)
    if not shards:
        return 0
    of = shards[-1]["of"]
    return of - len({one["shard"] for one in shards if one["of"] == of})


def _may_live(folder: Path, start: StartInfo, silent: float) -> bool:
    """Whether a process is there; of one on another machine nobody knows here."""
    if abs(silent) < FRESH_SECONDS / 10 or start["host"] != os.uname().nodename:
        return True
    return process_lives(start["pid"], moment_of(start["start"]), folder)


def process_lives(pid: int, since: float, folder: Path) -> bool:
    """Whether the process of this machine is there that had this number then, and not a later one.

    One that has a lock of the folder is, whatever the clock says, which may have been set since.
    """
    try:
        os.kill(pid, 0)
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except ProcessLookupError:
        return False
    except OSError:  # not ours to signal, or a system without /proc
        return True
    age = uptime - float(fields[19]) / os.sysconf("SC_CLK_TCK")
    return fields[0] != "Z" and (_has_lock(pid, folder) or time.time() - age < since + _CLOCK_SECONDS)


def _has_lock(pid: int, folder: Path) -> bool:
    """Whether a process has locked a folder or one of its locks, as far as the system tells."""
    try:
        files = {str(path.stat().st_ino) for path in (folder, *folder.glob(f"{LOCK_NAME}*"))}
        locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    except OSError:
        return False
    return any(len(lock) > 5 and lock[4] == str(pid) and lock[5].rpartition(":")[2] in files for lock in locks)


def last_written(folder: Path) -> float:
    """Return when something was written to a folder last."""
    moments = [folder.stat().st_mtime]
    for path in folder.iterdir():
        try:
            moments += [path.stat().st_mtime] if path.suffix in {".jsonl", ".json", ".log"} else []
        except OSError:  # replaced meanwhile
            continue
    return max(moments)


def _ago(seconds: float) -> str:
    return f"{duration(max(0.0, seconds))} ago"
