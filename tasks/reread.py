"""Read stored runs again with today's code before they are trusted, where their questions are at hand.

A run keeps the verdicts of the code that it was made with. Two runs whose verdicts come from different readers would
differ by the reader too, and a checksum only shows that a line is as some program wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DtbenchError, MachineryError
from dtbench.harness.score.stored_run import StoredTask, count_differing, find_data, questions_beside
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks.stored import stored_task, stored_task_names


class RereadTask(NamedTuple):
    """A task of a stored run, read again."""

    run: str
    task: str
    differ: int | None
    """How many stored verdicts are not what today's code gives; None where it could not be read again."""
    why_not: str
    """Why it could not; empty where it was."""


def reread_runs(folders: Iterable[Path], only: str | None = None) -> list[RereadTask]:
    """Read runs again, all tasks or one; a MachineryError where stored verdicts are not what today's code gives."""
    reread = [one for folder in folders for one in _reread(StoredRun.open(folder), only)]
    wrong = [one for one in reread if one.differ]
    if wrong:
        listed = "; ".join(f"{one.differ} of {one.run} on {one.task}" for one in wrong)
        mend = " and ".join(f"`dtbench score {run} --write`" for run in dict.fromkeys(one.run for one in wrong))
        raise MachineryError(f"stored verdicts differ from those of the current code ({listed}): {mend} updates them.")
    return reread


def _reread(run: StoredRun, only: str | None) -> Iterator[RereadTask]:
    for name in stored_task_names(run, only):
        try:
            stored = stored_task(run, name)
            data = find_data(stored, None)
            differ = None if data is None else count_differing(stored, data)
            why_not = "" if data is not None else _why_not(stored)
        except DtbenchError as error:
            differ, why_not = None, str(error)
        yield RereadTask(str(run.path), name, differ, why_not)


def _why_not(stored: StoredTask) -> str:
    version = stored.about["data"]["version"]
    return f"its questions ({version}) were not found, and {questions_beside(stored).lacking}"
