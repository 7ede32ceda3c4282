"""Warnings of Python's, at the line of the user's that called the package."""

from __future__ import annotations

import inspect
import warnings


class DtbenchWarning(UserWarning):
    """What the user should know of a call that went on: something was left out, is not known, or was named twice."""


def warn_user(line: str) -> None:
    """Show a note as a warning of Python's, at the line that called the package."""
    warnings.warn(line, DtbenchWarning, stacklevel=_outside())


def _outside() -> int:
    """Return how many calls lie between warn_user() and the first caller outside the package."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == "dtbench":
        frame, level = frame.f_back, level + 1
    return level
