"""Write files whole or not at all; an error says in one line why a write failed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from dtbench.harness.core.errors import DtbenchError, MachineryError, UserError

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
    temporary = _temporary(path, writer)
    try:
        _write_synced(temporary, content)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
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
    temporary = _temporary(path, writer)
    try:
        _write_synced(temporary, content)
        path.hardlink_to(temporary)
        sync_folder(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise write_failure(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return True


def _temporary(path: Path, writer: str | None) -> Path:
    return path.with_name(f".{path.name}.{writer or os.getpid()}.tmp")


def _write_synced(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)  # a process killed in create_whole() leaves a link to the very file that it made
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def is_temporary(name: str) -> bool:
    """Whether a file of this name is what replace_whole leaves where it is killed."""
    return any(fnmatchcase(name, f".{whole}.*.tmp") for whole in ("run.json", "run.*-of-*.json", "summary.json"))


def temporary_files(folder: Path) -> Iterator[Path]:
    """Return what replace_whole leaves where it is killed."""
    return (path for path in folder.iterdir() if is_temporary(path.name))


def sync_folder(folder: Path) -> None:
    """Sync new names in the folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
