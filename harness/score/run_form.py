"""The form in which a run asks its questions, and the runs that ask the same ones in another form.

They lie in one folder: RUN is the first of them, whatever its form, and the others lie inside it, each in a folder that
is named after what differs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.store.identity import is_same_model
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import RunInfo, TaskInfo

_FORM_FOLDER = re.compile(r"answer-[a-z]+|audio-[a-z][a-z0-9.-]*(?:dB|k)?|(?:permute|budget|order|paraphrase)-\d+")
_INSIDE = ("answer-*", "audio-*", "permute-*", "budget-*", "order-*", "paraphrase-*")
_DEPTH = 5


class RunForm(NamedTuple):
    """The style of answer, what is heard, the order of the options, how long a chain may be, and the words."""

    answer: str = "direct"
    audio: str = "clip"
    permute: int = 0
    """By how many places the options are rotated."""
    budget: int = 0
    """The most tokens of a chain of thought; 0 for no limit."""
    order: int = 1
    """Which of all orders the options have, from 1 for the data set's own."""
    paraphrase: int = 0
    """The number of the paraphrase that is asked, from 1; 0 for the question as it is."""

    def relative_to(self, other: RunForm) -> Path:
        """Return the path of a run of this form inside a run of another one; the empty path for the same form."""
        pairs = zip(self._fields, self, other, strict=True)
        return Path(*(f"{name}-{str(value).replace(':', '-')}" for name, value, there in pairs if value != there))


PLAIN_FORM = RunForm()


def form_of_task(about: TaskInfo) -> RunForm:
    """Return the form in which a task was asked."""
    return RunForm(
        *(about["answer"], about["audio"], about["permute"], about.get("think_budget", 0), about.get("order", 1)),
        paraphrase=about["paraphrase"]["number"] if "paraphrase" in about else 0,
    )


def form_of(info: RunInfo) -> RunForm | None:
    """Return the form of a run, which is that of each of its tasks; None for a run without any."""
    return next(map(form_of_task, info["tasks"].values()), None)


def runs_of_same_questions(run: StoredRun, task: str) -> dict[RunForm, StoredRun]:
    """Return the runs of one folder that ask a task's questions of the same model, by form; this run among them."""
    about = run.info["tasks"][task]
    found = {form_of_task(about): run}
    for path in _related_folders(run.path):
        try:
            other = StoredRun.open(path)
        except DtbenchError:
            continue
        there = other.info["tasks"].get(task)
        if there is None or there["data"]["sha256"] != about["data"]["sha256"]:
            continue
        if is_same_model(other.info, run.info, task):
            found.setdefault(form_of_task(there), other)
    return found


def _related_folders(path: Path) -> Iterator[Path]:
    """Yield the folder that is not named after a form, and every one inside it that is."""
    home = path
    for _ in range(_DEPTH):
        if not _FORM_FOLDER.fullmatch(home.name):
            break
        home = home.parent
    level = [home]
    for _ in range(_DEPTH + 1):
        yield from (folder for folder in level if (folder / "run.json").exists())
        level = sorted(inside for folder in level for kind in _INSIDE for inside in folder.glob(kind))
