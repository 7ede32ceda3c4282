"""Find what is judged: rubrics, whether answers are right, or what a scorer of the task waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.marks import TaskScorer
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.judge.nearest_option import EMBEDDING, EmbeddingScorer
from dtbench.harness.judge.rubric import RUBRIC, RubricScorer
from dtbench.harness.judge.same_answer import SAME_ANSWER, SameAnswerScorer
from dtbench.harness.judge.scorer import JudgeScorer
from dtbench.harness.judge.wording import DEFAULT_WORDING, Wording
from dtbench.harness.score.criteria import has_rubric
from dtbench.harness.score.scorers.judging import embedding, judge

NAMES = (RUBRIC, SAME_ANSWER, EMBEDDING)
_OWN = {SAME_ANSWER: judge, EMBEDDING: embedding}


def find_judge_scorer(task: Scorer, data: Dataset, name: str | None, wording: Wording | None) -> JudgeScorer[Any]:
    """Return the scorer that --scorer names; without it, rubrics, or else the one that the task waits for."""
    waiting = [one for one in task.scorers if one.function in _OWN.values()]
    if name is None:
        return _made(_only(task, data, waiting), wording)
    if name == RUBRIC:
        return RubricScorer(wording or DEFAULT_WORDING)
    if (named := next((one for one in waiting if one.name == name), None)) is not None:
        return _made(named, wording)
    if name not in _OWN:
        names = ", ".join(dict.fromkeys((*NAMES, *(one.name for one in waiting))))
        raise UserError(f"--scorer {name}: {names} are the scorers of {task.name} that a judge can be asked for.")
    fitting = [one for one in waiting if one.function is _OWN[name]]
    if len(fitting) > 1:
        raise UserError(f"--scorer {name}: {task.name} has several: name one of {_listed(fitting)}.")
    if fitting:
        return _made(fitting[0], wording)
    return EmbeddingScorer() if name == EMBEDDING else SameAnswerScorer(None, wording)


def _only(task: Scorer, data: Dataset, waiting: Sequence[TaskScorer]) -> TaskScorer | None:
    """Return the one scorer that the task waits for; None for rubrics."""
    if not waiting or any(has_rubric(sample) for sample in data.samples):
        return None
    if len(waiting) > 1:
        raise UserError(f"--scorer is missing: {task.name} waits for {_listed(waiting)}; name one.")
    return waiting[0]


def _made(scorer: TaskScorer | None, wording: Wording | None) -> JudgeScorer[Any]:
    if scorer is None:
        return RubricScorer(wording or DEFAULT_WORDING)
    return EmbeddingScorer(scorer) if scorer.function is embedding else SameAnswerScorer(scorer, wording)


def _listed(scorers: Sequence[TaskScorer]) -> str:
    return ", ".join(one.name for one in scorers)
