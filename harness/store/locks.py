"""Locks of a run folder: one process writes it, or several shards do, each with a lock of its own."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from dtbench.harness.core.errors import MachineryError, UserError, one_line
from dtbench.harness.store.atomic import write_failure
from dtbench.harness.store.shards import LABEL, Shard

LOCK_NAME = ".lock"
_LONGEST_NOTE = 200
_PATIENCE = 2.0
"""Seconds within which a lock that another process only looks at is free again."""
_RETRY_SECONDS = 0.02
_ADVICE = "Wait for its end or stop it, or name another --out."


class LockHeldError(Exception):
    """Another process holds a lock; the text is the holder's own note."""


def _flock(descriptor: int, *, shared: bool, patience: float) -> bool:
    """Take a lock within so many seconds; False where another process holds it."""
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_RETRY_SECONDS)
        else:
            return True


class FileLock:
    """A lock on a file, from its making to close(). It is the kernel's: it ends when the process does, however."""

    def __init__(self, path: Path, *, shared: bool = False, optional: bool = False, patience: float = 0.0) -> None:
        """Take the lock within so many seconds, alone or `shared`; without locks go on if it is `optional`."""
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise write_failure(path, error) from error
        try:
            if not _flock(self._descriptor, shared=shared, patience=patience):
                holder = os.pread(self._descriptor, _LONGEST_NOTE, 0).decode(errors="replace")
                raise LockHeldError(one_line(holder) or "just starting")
            if not shared:
                self._note(path)
        except OSError as error:
            if not optional:
                self.close()
                raise MachineryError(
                    f"{path}: cannot be locked ({error.strerror}): name an --out on a disk with locks, "
                    "or give --shard 1/1, which does without."
                ) from error
            import logging  # which reading a run can do without

            why = "%s: cannot be locked (%s): nothing keeps out a second start of this shard"
            logging.getLogger(__name__).warning(why, path, error.strerror)
        except BaseException:
            self.close()
            raise

    @property
    def held(self) -> bool:
        """Whether the lock is still ours."""
        return self._descriptor >= 0

    def close(self) -> None:
        """Let the next process in; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _note(self, path: Path) -> None:
        note = f"pid {os.getpid()} on {os.uname().nodename}".encode()[:_LONGEST_NOTE]
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, note, 0)
        except OSError as error:
            raise write_failure(path, error) from error


class FolderLock:
    """A lock on the folder itself, which holds where somebody deletes the lock file; some file systems have none."""

    def __init__(self, folder: Path, *, shared: bool = False, patience: float = 0.0) -> None:
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            taken = _flock(self._descriptor, shared=shared, patience=patience)
        except OSError:
            return
        if not taken:
            self.close()
            raise LockHeldError(f"its {LOCK_NAME} was deleted")

    def close(self) -> None:
        """Let the next process in; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class RunLock:
    """The lock of a whole folder, from its making to close()."""

    def __init__(self, folder: Path) -> None:
        try:
            self._lock = FileLock(folder / LOCK_NAME)
            try:
                self._folder = FolderLock(folder)
            except BaseException:
                self._lock.close()
                raise
        except LockHeldError as held:
            shards = running_shards(folder)
            if not shards:
                raise UserError(f"--out {folder}: a run is writing there already ({held}). {_ADVICE}") from None
            which = ", ".join(map(str, shards[:6])) + (f" and {len(shards) - 6} more" if len(shards) > 6 else "")
            raise UserError(
                f"--out {folder}: shards of a run are writing there already ({which}). "
                f"Wait for their end, or join them: --shard I/{shards[0].of}."
            ) from None

    @property
    def held(self) -> bool:
        """Whether the folder is still ours."""
        return self._lock.held

    def close(self) -> None:
        """Let the next process in; a second call does nothing."""
        self._lock.close()
        self._folder.close()


class ShardLock:
    """The lock of one shard: it keeps out the same shard, a whole run, and shards of another N."""

    def __init__(self, folder: Path, shard: Shard) -> None:
        self._locks: list[FileLock | FolderLock] = []
        try:
            self._take(folder, shard)
        except BaseException:
            self.close()
            raise

    @property
    def held(self) -> bool:
        """Whether the shard is still ours."""
        return bool(self._locks)

    def close(self) -> None:
        """Let the next process in; a second call does nothing."""
        while self._locks:
            self._locks.pop().close()

    def _take(self, folder: Path, shard: Shard) -> None:
        try:
            self._locks.append(FileLock(folder / LOCK_NAME, shared=True, optional=True, patience=_PATIENCE))
            self._locks.append(FolderLock(folder, shared=True, patience=_PATIENCE))
        except LockHeldError as held:
            raise UserError(f"--out {folder}: a run without --shard is writing there ({held}). {_ADVICE}") from None
        try:
            self._locks.append(FileLock(_lock_file(folder, shard), optional=True, patience=_PATIENCE))
        except LockHeldError as held:
            raise UserError(f"--shard {shard}: it is running already in {folder} ({held}). {_ADVICE}") from None
        others = [other for other in running_shards(folder) if other.of != shard.of]
        if others:
            raise UserError(
                f"--shard {shard}: shard {others[0]} is running in {folder}. Shards that run at once must have the "
                f"same N: give this one --shard I/{others[0].of}, or wait for the end of the others."
            )


def running_shards(folder: Path) -> list[Shard]:
    """Return the shards whose locks are held, whatever their N, as far as this machine can see."""
    labels = (path.name.removeprefix(f"{LOCK_NAME}.") for path in folder.glob(f"{LOCK_NAME}.*-of-*"))
    shards = sorted(Shard.named(label) for label in labels if LABEL.fullmatch(label))
    return [shard for shard in shards if _is_held(_lock_file(folder, shard))]


def _lock_file(folder: Path, shard: Shard) -> Path:
    return folder / f"{LOCK_NAME}.{shard.label}"


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
