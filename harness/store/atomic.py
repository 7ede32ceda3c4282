"""Write files whole or not at all, one process at a time; an error says in one line why a write failed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from dtbench.harness.core.errors import DtbenchError, MachineryError, UserError, one_line

LOCK_NAME = ".lock"
_LONGEST_NOTE = 200
_WRONG_PLACE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
}


def write_failure(path: Path, error: OSError) -> DtbenchError:
    """Make the error for a file that could not be written: the user's, where the place is wrong, else the machine's."""
    why = f"{path}: cannot be written ({error.strerror or error})"
    if error.errno in _WRONG_PLACE:
        return UserError(f"{why}. Name a folder that you may write to.")
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return MachineryError(f"{why}. Make room; what was stored before is whole.")
    return MachineryError(f"{why}. What was stored before is whole.")


def append_whole(descriptor: int, line: bytes, path: Path) -> None:
    """Append a line with one write; where not all of it fits, none of it stays and a MachineryError is raised."""
    try:
        written = os.write(descriptor, line)
    except OSError as error:
        raise write_failure(path, error) from error
    if written == len(line):
        return
    with contextlib.suppress(OSError):  # what stays then is a torn last line, which readers know
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
    raise write_failure(path, OSError(errno.ENOSPC, f"{written} of {len(line)} bytes fitted, the disk is full"))


def replace_whole(path: Path, content: bytes) -> None:
    """Put a file in the place of another, on disk, so that at any moment one of the two is there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise write_failure(path, error) from error


def temporary_files(folder: Path) -> Iterator[Path]:
    """Return what replace_whole leaves where it is killed."""
    return (path for name in ("run.json", "summary.json") for path in folder.glob(f".{name}.*.tmp"))


def sync_folder(folder: Path) -> None:
    """Sync new names in the folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class RunLock:
    """The lock of a folder, from its making to close(). It is the kernel's: it ends when the process does, however."""

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_NAME
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise write_failure(path, error) from error
        try:
            self._take(folder, path)
        except BaseException:
            self.close()
            raise

    @property
    def held(self) -> bool:
        """Whether the folder is still ours."""
        return self._descriptor >= 0

    def close(self) -> None:
        """Let the next process in; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, folder: Path, path: Path) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, _LONGEST_NOTE, 0).decode(errors="replace")
            raise UserError(
                f"--out {folder}: a run is writing there already ({one_line(holder) or 'just starting'}). "
                f"Wait for its end or stop it, or name another --out."
            ) from None
        except OSError as error:
            raise MachineryError(f"{path}: cannot be locked ({error.strerror}): name another --out.") from error
        note = f"pid {os.getpid()} on {os.uname().nodename}".encode()[:_LONGEST_NOTE]
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, note, 0)
        except OSError as error:
            raise write_failure(path, error) from error
