"""Temporary files and folders: each is locked while its maker lives, so the next maker removes what a killed one left.

A process id says less: another machine on the same disk has other processes, and a container begins again at 1. On a
disk without locks nothing is removed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO

_WRITER = r"\d+(?:-of-\d+)?"
_RANDOM = r"[a-z0-9_]{8}"
"""What tempfile adds to a prefix."""
_TRIES = 10


def temporary_beside(path: Path, writer: str) -> Path:
    """Return the name that a file has until all of it is written."""
    return path.with_name(f".{path.name}.{writer}.tmp")


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of a target whose writers were killed."""
    _remove_matching(path.parent, rf"\.{re.escape(path.name)}\.{_WRITER}\.tmp")


def remove_every_leftover(folder: Path) -> None:
    """Remove the temporary files of all targets in a folder whose writers were killed."""
    _remove_matching(folder, rf"\..+\.{_WRITER}\.tmp")


@cache
def remove_every_leftover_once(folder: Path) -> None:
    """Do so once in the life of this process, for folders of many files."""
    remove_every_leftover(folder)


def remove_if_dead(path: Path) -> None:
    """Remove a temporary file or folder whose maker does not live any more."""
    with contextlib.suppress(OSError):  # gone meanwhile, locked by its maker, somebody else's, or a disk without locks
        if path.is_dir():
            with _locked_folder(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(path, ignore_errors=True)
        else:
            with path.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


def locked_file(path: Path) -> BinaryIO:
    """Make a temporary file that remove_if_dead() leaves alone until it is closed."""
    for _ in range(_TRIES):
        path.unlink(missing_ok=True)  # it may be a link to the very file that a killed process made of it
        file = path.open("wb")
        with contextlib.suppress(OSError):  # a disk without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if _is_there(path, file.fileno()):
            return file
        file.close()
    raise FileNotFoundError(errno.ENOENT, "another process removes it again and again", str(path))


@contextlib.contextmanager
def temporary_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Make a folder that is gone after the block; those of this prefix whose makers were killed are removed first.

    Without a parent it lies where TMPDIR says.
    """
    import tempfile

    above = parent or Path(tempfile.gettempdir())
    _remove_matching(above, f"{re.escape(prefix)}{_RANDOM}")
    with contextlib.ExitStack() as stack:
        for _ in range(_TRIES):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix, dir=above)))
            with contextlib.suppress(OSError):  # removed by another maker before it was locked, or a disk without locks
                stack.enter_context(_locked_folder(folder, fcntl.LOCK_EX))
            if folder.is_dir():
                break
        yield folder


@contextlib.contextmanager
def _locked_folder(folder: Path, how: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _remove_matching(folder: Path, pattern: str) -> None:
    with contextlib.suppress(OSError):  # no such folder, or none that may be listed
        for path in list(folder.iterdir()):
            if re.fullmatch(pattern, path.name):
                remove_if_dead(path)


def _is_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False
