"""run.I-of-N.json: the starts of each shard of a run, and how the run stands by them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from dtbench.harness.store.locks import running_shards
from dtbench.harness.store.run_json import new_info, read_info
from dtbench.harness.store.shards import Shard, state_file, state_files
from dtbench.harness.store.types import AnyInfo, RunStatus, ShardInfo, StartInfo


class ShardState(NamedTuple):
    """How one shard of a run stands."""

    shard: Shard
    info: ShardInfo | None
    """None where it has not been started on these questions."""
    running: bool
    """Whether its lock is held, as far as this machine can see."""

    @property
    def has_finished(self) -> bool:
        """Whether its last start on these questions came to its end, though its process may still be there."""
        return self.info is not None and self.info["status"] != "running"

    @property
    def ended(self) -> bool:
        """Whether each of its questions has a record."""
        return self.info is not None and self.info["missing"] == 0

    @property
    def standing(self) -> str:
        """Return in a few words how it stands."""
        if self.info is None:
            return "starting" if self.running else "not started"
        start, missing = self.info["starts"][-1], self.info["missing"]
        if self.running:
            return f"running (pid {start['pid']} on {start['host']})"
        if self.info["status"] == "running":
            elsewhere = "" if start["host"] == os.uname().nodename else ", or its lock cannot be seen from here"
            return f"killed (it was pid {start['pid']} on {start['host']}{elsewhere})"
        return f"{self.info['status']}, {missing} answers missing" if missing else self.info["status"]


def read_shards(folder: Path) -> list[ShardInfo]:
    """Return what the shards of a folder say of their starts, whatever their N, in the order of their last starts."""
    infos: list[ShardInfo] = []
    for path in state_files(folder):
        with contextlib.suppress(FileNotFoundError):  # a whole run has taken its starts over meanwhile
            infos.append(cast("ShardInfo", read_info(folder, path.name)))
    return sorted(infos, key=lambda info: info["starts"][-1]["start"])


def questions_hash(info: AnyInfo) -> str:
    """Return a hash of which questions a run asks, and how often."""
    tasks = cast("Mapping[str, Mapping[str, Any]]", info["tasks"])
    asked = [(name, about.get("ids_sha256"), about.get("samples")) for name, about in sorted(tasks.items())]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]


def new_shard_info(folder: Path, shard: Shard, info: AnyInfo) -> ShardInfo:
    """Return run.I-of-N.json of a shard that begins with these questions; its earlier starts stay in it."""
    settings = {"kind": "shard", "shard": shard.number, "of": shard.of, "questions": questions_hash(info)}
    fresh = cast("ShardInfo", new_info({**settings, "missing": None}))
    with contextlib.suppress(FileNotFoundError):
        fresh["starts"] = read_info(folder, state_file(folder, shard).name)["starts"]
    return fresh


def shard_states(folder: Path, info: AnyInfo) -> list[ShardState]:
    """Return how each shard stands, of the N that started last; nothing where a folder has no shards."""
    infos = read_shards(folder)
    if not infos:
        return []
    of, questions = infos[-1]["of"], questions_hash(info)
    current = {one["shard"]: one for one in infos if one["of"] == of and one["questions"] == questions}
    held = running_shards(folder)
    states = [ShardState(Shard(of, number), current.get(number), running=True) for number in range(1, of + 1)]
    return [state._replace(running=state.shard in held and not state.has_finished) for state in states]


def with_shards(folder: Path, info: AnyInfo) -> AnyInfo:
    """Return run.json with the starts of the shards; its status is theirs, where it does not tell how the run ended."""
    infos = read_shards(folder)
    if not infos:
        return info
    starts = _all_starts(info["starts"], [start for one in infos for start in one["starts"]])
    states = {one["status"] for one in infos if one["of"] == infos[-1]["of"]}
    status: RunStatus = info["status"]
    if "running" in states:
        status = "running"
    elif status == "running":
        status = "failed" if "failed" in states else "interrupted"
    end = None if status == "running" else max((start["end"] or start["start"] for start in starts), default=None)
    return cast("AnyInfo", {**info, "status": status, "start": starts[0]["start"], "end": end, "starts": starts})


def _all_starts(of_run: Sequence[StartInfo], of_shards: Sequence[StartInfo]) -> list[StartInfo]:
    """Return all starts in order; those of shards may stand in run.json too, since a shard that summed up."""
    copied = Counter(map(_start_key, of_shards))
    own = []
    for start in of_run:
        copied[_start_key(start)] -= 1
        if copied[_start_key(start)] < 0:
            own.append(start)
    return sorted([*own, *of_shards], key=_start_key)


def _start_key(start: StartInfo) -> tuple[str, str, int]:
    return start["start"], start["host"], start["pid"]
