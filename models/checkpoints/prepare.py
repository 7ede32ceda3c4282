"""Folders that are made of a checkpoint before an engine loads it: merged with an adapter, or in another layout.

They lie in a cache, by the content that they were made of, so the next run and every shard of one find them there.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.model import Notify
from dtbench.models.checkpoints.adapters import Adapter
from dtbench.models.checkpoints.checkpoint import Checkpoint, refuse_no_weights
from dtbench.models.checkpoints.hub import fetch
from dtbench.models.checkpoints.merge import merge
from dtbench.models.checkpoints.tensors import checkpoint_tensors, refuse_cut_weights

T = TypeVar("T")
_RECIPE = "1"
"""Changes where what is made of the same content changes."""
_UNUSED_DAYS = 30
_UNFINISHED = ".new"


def prepared_root() -> Path:
    """Return the folder of prepared checkpoints: $DTBENCH_CHECKPOINTS, or the cache in the home folder."""
    variable = os.environ.get("DTBENCH_CHECKPOINTS")
    return Path(variable).expanduser() if variable else Path.home() / ".cache" / "dtbench" / "checkpoints"


async def prepare_merged(checkpoint: Checkpoint, notify: Notify) -> Checkpoint:
    """Return the checkpoint with its adapter merged into it; one without an adapter to merge as it is."""
    return await in_a_thread(merged_checkpoint, checkpoint, notify)


async def in_a_thread(make: Callable[[Checkpoint, Notify], T], checkpoint: Checkpoint, notify: Notify) -> T:
    """Make something of a checkpoint, which can take minutes, beside the event loop."""
    loop = asyncio.get_running_loop()

    def tell(line: str) -> None:
        loop.call_soon_threadsafe(notify, line)

    return await loop.run_in_executor(None, make, checkpoint, tell)


def merged_checkpoint(checkpoint: Checkpoint, notify: Notify) -> Checkpoint:
    """Return the checkpoint with its adapter merged into it, and wait for that."""
    if checkpoint.is_local:
        folder = Path(checkpoint.source).expanduser()
        refuse_no_weights(folder)
        refuse_cut_weights(folder)
    adapter = checkpoint.adapter
    if adapter is None or adapter.mode != "merge":
        return checkpoint
    base = fetch(checkpoint.source, notify)
    here = checkpoint._replace(source=str(base))
    here.refuse_pickles()
    key = f"merged {here.content_hash()} {adapter.content_hash()}"
    name = f"{base.name}+{adapter.name}"
    folder = prepare_folder(name, key, lambda new: _announced_merge(base, adapter, new, notify), _size(base), notify)
    notify(f"the adapter {adapter.folder} is merged into {base}: {folder}")
    return here._replace(source=str(folder), adapter=None)


def _announced_merge(base: Path, adapter: Adapter, new: Path, notify: Notify) -> None:
    notify(f"merging the adapter {adapter.folder} into a copy of {base}")
    merge(base, Path(adapter.folder), new)


def prepare_folder(name: str, key: str, write: Callable[[Path], None], size: int, notify: Notify) -> Path:
    """Return the folder of this content; it is written where it is not there, whole or not at all."""
    mark = hashlib.sha256(f"{_RECIPE} {key}".encode()).hexdigest()[:12]
    root = prepared_root()
    folder = root / f"{name}-{mark}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _locked(root / f".{mark}.lock"):
            if not _is_whole(folder):
                shutil.rmtree(folder, ignore_errors=True)
                _remove_unused(root, notify)
                _require_space(root, size)
                new = root / f".{mark}{_UNFINISHED}"
                shutil.rmtree(new, ignore_errors=True)
                new.mkdir()
                try:
                    write(new)
                except BaseException:
                    shutil.rmtree(new, ignore_errors=True)
                    raise
                new.rename(folder)
            os.utime(folder)
    except OSError as error:
        raise MachineryError(
            f"{folder}: cannot be written ({error.strerror or error}); $DTBENCH_CHECKPOINTS names another place for it."
        ) from None
    return folder


def _is_whole(folder: Path) -> bool:
    """Whether it is there, with all that it links to."""
    return folder.is_dir() and all(entry.exists() for entry in folder.iterdir())


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock, so that shards on one machine wait for the first of them."""
    with path.open("w") as lock:
        with contextlib.suppress(OSError):  # a disk without locks: each writes its own, and the last one stays
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_unused(root: Path, notify: Notify) -> None:
    """Remove what no run has used for a month, and what was never finished a day ago."""
    for folder in (entry for entry in root.iterdir() if entry.is_dir()):
        days = (time.time() - folder.lstat().st_mtime) / 86400
        if days > (1 if folder.name.endswith(_UNFINISHED) else _UNUSED_DAYS):
            notify(f"removing {folder}: no run has used it for {days:.0f} days")
            shutil.rmtree(folder, ignore_errors=True)


def _require_space(root: Path, size: int) -> None:
    free = shutil.disk_usage(root).free
    if free < size:
        raise MachineryError(
            f"{root}: {size / 1e9:.1f} GB are needed there, {free / 1e9:.1f} GB are free: $DTBENCH_CHECKPOINTS names "
            "another place."
        )


def _size(folder: Path) -> int:
    """Return the bytes of a checkpoint's weights."""
    return sum(tensor.end - tensor.start for tensor in checkpoint_tensors(folder).values())
