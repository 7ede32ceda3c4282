"""The ceiling of an official script: what it gives a model that always chooses the right option.

Rules that compare words call some right options wrong (as where a wrong option has a word of it), and some wrong ones
right; no model can do better, and none is to blame.
"""

from __future__ import annotations

from collections.abc import Iterable
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


def ceiling_figures(task: Scorer, version: str, samples: Iterable[Sample]) -> CeilingFigures | None:
    """Ask the rule of a script's version for its verdict on each option; None where the task has no script."""
    if task.script_input is None:
        return None
    verdicts = {sample.id: _verdicts(task, version, sample) for sample in samples}
    odd = sorted(id_ for id_, one in verdicts.items() if not one.reachable or one.wrong_called_right)
    reachable, n = sum(one.reachable for one in verdicts.values()), len(verdicts)
    return {
        "n": n,
        "reachable": reachable,
        "ceiling": reachable / n if n else None,
        "wrong_called_right": sum(one.wrong_called_right for one in verdicts.values()),
        "ids": odd[:SHOWN],
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
