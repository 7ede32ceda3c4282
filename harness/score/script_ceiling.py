"""The ceiling of an official script: what it gives a model that always chooses the right option.

Rules that compare words call some right options wrong (as where a wrong option has a word of it), and some wrong ones
right; no model can do better, and none is to blame.
"""

from __future__ import annotations

from typing import NamedTuple

from dtbench.harness.core.schema import Sample
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.extract.answer import Extraction
from dtbench.harness.store.paper_types import CeilingFigures

SHOWN = 20
_HOW = "an option as it stands"


class OptionVerdicts(NamedTuple):
    """What the script says of a question's own options."""

    reachable: bool
    """Whether the right one is called right; where it is not among the options, whether any is."""
    wrong_called_right: bool


class ScriptCeiling:
    """Asks the rule of a script's version for its verdict on each option of the questions that are added."""

    def __init__(self, task: Scorer, version: str) -> None:
        self._task, self._version = task, version
        self._asked = self._reachable = self._wrong = 0
        self._odd: list[str] = []

    def add(self, sample: Sample) -> None:
        """Count a question in, where the task has a script."""
        if self._task.script_input is None:
            return
        found = _verdicts(self._task, self._version, sample)
        self._asked += 1
        self._reachable += found.reachable
        self._wrong += found.wrong_called_right
        if not found.reachable or found.wrong_called_right:
            self._odd.append(sample.id)

    def figures(self) -> CeilingFigures | None:
        """Return the figures; None where no question was asked of a script."""
        if not self._asked:
            return None
        return {
            "n": self._asked,
            "reachable": self._reachable,
            "ceiling": self._reachable / self._asked,
            "wrong_called_right": self._wrong,
            "ids": sorted(self._odd)[:SHOWN],
        }


def _verdicts(task: Scorer, version: str, sample: Sample) -> OptionVerdicts:
    called_right = {choice for choice in sample.choices if _is_called_right(task, version, sample, choice)}
    if sample.answer not in sample.choices:
        return OptionVerdicts(bool(called_right), wrong_called_right=False)
    return OptionVerdicts(sample.answer in called_right, bool(called_right - {sample.answer}))


def _is_called_right(task: Scorer, version: str, sample: Sample, choice: str) -> bool:
    """Whether the script calls an option right; a rule that carries letters over starts afresh for each."""
    submission = task.submission(sample, Extraction("", choice, choice, _HOW))
    return task.official(version)(sample.as_published(), submission).correct
