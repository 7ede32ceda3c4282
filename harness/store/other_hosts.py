"""A run that another machine may still write: the lock of a shared folder need not reach from one to the other.

Whoever has the lock here looks at what run.json says. Where a start on another machine has not ended and something was
written lately, the files are watched for a while: what grows is written by somebody, lock or no lock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from dtbench.harness.core.errors import UserError
from dtbench.harness.store.locks import LOCK_NAME
from dtbench.harness.store.run_json import read_info
from dtbench.harness.store.shard_states import with_shards
from dtbench.harness.store.shards import Shard, state_file
from dtbench.harness.store.types import StartInfo

FRESH_SECONDS = 60.0
"""Whoever wrote so lately may live."""
LOOK_SECONDS = 3.0
"""How long files are watched on a file system whose locks hold for all who can reach it."""
_GLANCE = 0.1
_SHARED = (
    "nfs",
    "cifs",
    "smb",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "fuse",
    "9p",
    "virtiofs",
    "afs",
    "gluster",
    "panfs",
)
"""How the kinds of file systems begin that several machines can reach."""
_Signs = dict[str, tuple[int, int, int]]


def refuse_writer_elsewhere(folder: Path, shard: Shard | None) -> None:
    """Refuse to write where a process of another machine does, which the lock in our hands did not keep out."""
    starts = _running_elsewhere(folder, shard)
    before = _signs(folder, shard)
    if not starts or not before:
        return
    lock = folder / (LOCK_NAME if shard is None else f"{LOCK_NAME}.{shard.label}")
    lock.touch()  # by the clock of the disk, as the others are
    silent = lock.stat().st_mtime - max(written for _, _, written in before.values()) / 1e9
    if silent > FRESH_SECONDS:
        return
    wait = FRESH_SECONDS - max(0.0, silent) if is_shared(folder) else LOOK_SECONDS
    who = ", ".join(f"pid {one['pid']} on {one['host']}" for one in starts)
    import logging  # which reading a run can do without

    log = logging.getLogger(__name__)
    what = "%s: %s wrote here %.0f s ago and has not ended: looking for %.0f s whether it still writes"
    log.warning(what, folder, who, max(0.0, silent), wait)
    end = time.monotonic() + wait
    while time.monotonic() < end:
        time.sleep(_GLANCE)
        if _signs(folder, shard) != before:
            raise UserError(
                f"--out {folder}: a run is writing there already ({who}), and locks do not reach from that machine to "
                f"this one ({os.uname().nodename}). Wait for its end or stop it, or name another --out."
            )
    log.warning("%s: %s writes no more and is taken for killed; if it still runs, stop it", folder, who)


def _running_elsewhere(folder: Path, shard: Shard | None) -> Sequence[StartInfo]:
    """Return the starts of other machines that have not ended; of a shard, its own."""
    try:
        if shard is None:
            info = with_shards(folder, read_info(folder))
        else:
            info = read_info(folder, state_file(folder, shard).name)
    except OSError:  # none yet
        return []
    here = os.uname().nodename
    return [one for one in info["starts"] if one["status"] == "running" and one["host"] != here]


def _signs(folder: Path, shard: Shard | None) -> _Signs:
    """Return what changes in the files of a run when somebody writes it: their numbers, sizes and times."""
    signs: _Signs = {}
    for path in folder.iterdir():
        if path.suffix in {".jsonl", ".json", ".log"} and (shard is None or f".{shard.label}." in path.name):
            try:
                about = path.stat()
            except OSError:  # replaced meanwhile
                continue
            signs[path.name] = about.st_ino, about.st_size, about.st_mtime_ns
    return signs


def is_shared(folder: Path) -> bool:
    """Whether several machines can reach the file system of a folder, as far as its kind tells."""
    place, kind = Path("/"), ""
    resolved = folder.resolve()
    try:
        mounts = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return False
    for mount in mounts:
        _, point, found, *_ = mount.split(" ")
        at = Path(point.replace("\\040", " "))
        if resolved.is_relative_to(at) and len(at.parts) >= len(place.parts):
            place, kind = at, found
    return kind.startswith(_SHARED)
