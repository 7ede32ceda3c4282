"""Write files whole or not at all; an error says in one line why a write failed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from dtbench.harness.core.errors import DtbenchError, MachineryError, UserError
from dtbench.harness.store.leftovers import (
    locked_file,
    remove_every_leftover_once,
    remove_leftovers,
    temporary_beside,
)

_TRIES = 3

WRONG_PLACE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
}
"""Errors of a place that the user named, not of the machine."""


def write_failure(path: Path, error: OSError) -> DtbenchError:
    """Make the error for a file that could not be written: the user's, where the place is wrong, else the machine's."""
    why = f"{path}: cannot be written ({error.strerror or error})"
    if error.errno == errno.EISDIR:
        return UserError(f"{path}: this is a folder; name a file.")
    if error.errno in WRONG_PLACE:
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


def replace_whole(path: Path, content: bytes, *, writer: str | None = None) -> None:
    """Put a file in the place of another, on disk, so that at any moment one of the two is there.

    A device or a pipe, such as /dev/null, is written to and stays; of a link, what it leads to is replaced.
    `writer` distinguishes processes that write it at once from several machines, on which a process id may be the same.
    """
    if _is_device(path):
        try:
            path.write_bytes(content)
        except OSError as error:
            raise write_failure(path, error) from error
        return
    path = path.resolve() if path.is_symlink() else path
    try:
        remove_leftovers(path)
        _place(path, content, lambda temporary: temporary.replace(path), writer)
        sync_folder(path.parent)
    except OSError as error:
        raise write_failure(path, error) from error


def replace_unsynced(path: Path, content: bytes) -> None:
    """Put a file in the place of another, as replace_whole() does, without waiting for the disk.

    For what is made anew where it is found torn: after a crash of the machine it may be.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_every_leftover_once(path.parent)
        _place(path, content, lambda temporary: temporary.replace(path), synced=False)
    except OSError as error:
        raise write_failure(path, error) from error


def _is_device(path: Path) -> bool:
    """Whether a pipe, a socket or a device is there, to which `> FILE` of a shell would write."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def create_whole(path: Path, content: bytes, *, writer: str) -> bool:
    """Put a file where none is, whole and on disk; False where another process was faster."""
    try:
        _place(path, content, path.hardlink_to, writer)
        sync_folder(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise write_failure(path, error) from error
    return True


@contextlib.contextmanager
def writing_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the place of another at the end of the block, on disk; or not, at an error."""
    remove_leftovers(path)
    temporary = temporary_beside(path, _this_thread())
    try:
        with locked_file(temporary) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
        sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _place(
    path: Path, content: bytes, place: Callable[[Path], object], writer: str | None = None, *, synced: bool = True
) -> None:
    """Write a temporary file and put it in its place, which is where it ends whatever happens.

    Another machine may not see that it is locked and remove it: then it is written again.
    """
    temporary = temporary_beside(path, writer or _this_thread())
    try:
        for left in reversed(range(_TRIES)):
            with locked_file(temporary) as file:
                file.write(content)
                file.flush()
                if synced:
                    os.fsync(file.fileno())
                try:
                    place(temporary)
                    return
                except FileNotFoundError:
                    if not left:
                        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _this_thread() -> str:
    """Return a name that no other writer on this machine has; of a process with one thread it is the process id."""
    return str(threading.get_native_id())


def is_temporary(name: str) -> bool:
    """Whether a file of this name is what replace_whole leaves where it is killed."""
    return any(fnmatchcase(name, f".{whole}.*.tmp") for whole in ("run.json", "run.*-of-*.json", "summary.json"))


def temporary_files(folder: Path) -> Iterator[Path]:
    """Return what replace_whole leaves where it is killed."""
    return (path for path in folder.iterdir() if is_temporary(path.name))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where there are none, with their names on disk."""
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one in reversed(new):
            sync_folder(one.parent)
    except OSError as error:
        raise write_failure(folder, error) from error


def sync_folder(folder: Path) -> None:
    """Sync new names in the folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
