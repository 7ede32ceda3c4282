"""The errors of dtbench.

DtbenchError
|-- UserError        the input is wrong: one line, exit 2
|   `-- DataError    a data set is missing, broken or of another version
|-- TaskError        a task's own code breaks its contract, exit 3
`-- MachineryError   the network, the disk or an engine failed, exit 3

A message says what is wrong, the value, what is allowed and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable


class DtbenchError(Exception):
    """Anything dtbench reports in one line, without a traceback."""

    exit_code = 3


class UserError(DtbenchError):
    """The user's input is wrong; nothing was lost and nothing was written."""

    exit_code = 2


class DataError(UserError):
    """A data set is missing, broken, or of a version that cannot be used."""


class TaskError(DtbenchError):
    """A task's own code breaks the contract of a task."""


class MachineryError(DtbenchError):
    """Something outside failed: network, disk, endpoint, engine."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest names, then all of them."""
    import difflib  # 5 ms that only a mistake should cost

    names = list(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    meant = f"Did you mean {' or '.join(close)}? " if close else ""
    return f"{meant}Known: {', '.join(names)}."
