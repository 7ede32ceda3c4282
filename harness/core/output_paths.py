"""Where a command is to write: refused before anything is computed, so that no work is lost to a wrong path."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dtbench.harness.core.errors import UserError


def refuse_no_file(flag: str, path: Path | None, *, such_as: str = "", make_parents: bool = False) -> None:
    """Raise a UserError where no file can be written: a folder, or in a folder that is not there or cannot be made.

    None is a file that nobody asked for. `such_as` is the name of a file in a folder that was given for one.
    """
    if path is None:
        return
    if path.is_dir():
        example = f", such as {path / such_as}" if such_as else ""
        raise UserError(f"{flag} {path}: this is a folder; name a file{example}.")
    if make_parents:
        _refuse_file_above(flag, path)
        return
    folder = path.parent
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{flag} {path}: {folder} is a file, so nothing can be in it; name another folder.")
    if not folder.is_dir():
        raise UserError(f"{flag} {path}: the folder {folder} does not exist; create it, or name another.")
    is_special = path.exists() and not path.is_file()  # a device or a pipe is written to where it is
    if not is_special and not os.access(folder, os.W_OK):
        raise UserError(f"{flag} {path}: the folder {folder} may not be written to; name another.")


def refuse_no_folder(flag: str, path: Path) -> None:
    """Raise a UserError where no folder can be made: a file is in its place, or above it."""
    if path.exists() and not path.is_dir():
        raise UserError(f"{flag} {path}: this is a file; name a folder, which is made where there is none.")
    _refuse_file_above(flag, path)


def suffix_of(flag: str, path: Path, allowed: Iterable[str]) -> str:
    """Return the extension of a file, which sets its format; a UserError where it is not one of these."""
    ending, known = path.suffix.lower().removeprefix("."), list(allowed)
    if ending not in known:
        listed = ", ".join(f".{one}" for one in known)
        found = f"{ending} is not one of {listed}" if ending else f"there is none; it can be {listed}"
        raise UserError(f"{flag} {path}: the extension sets the format, and {found}.")
    return ending


def _refuse_file_above(flag: str, path: Path) -> None:
    for folder in path.parents:
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{flag} {path}: {folder} is a file, so nothing can be in it; name another folder.")
        if folder.is_dir():
            return
