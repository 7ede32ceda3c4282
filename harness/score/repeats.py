"""Figures of several answers to each question: their spread, the majority's answer, and pass@k."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from dtbench.harness.score.outcomes import Answer, Outcomes
from dtbench.harness.stats.intervals import majority, pass_at, share
from dtbench.harness.store.summary_types import RepeatFigures, RepeatsFigures
from dtbench.harness.store.types import as_fields


def repeat_figures(outcomes: Outcomes, questions: int, k: int) -> RepeatsFigures:
    """Figures over all questions: an answer that failed or is missing is a wrong one, and has no vote."""
    by_question: dict[str, list[Answer]] = {}
    for answer in outcomes.answers():
        by_question.setdefault(answer.id, []).append(answer)
    right = [sum(answer.outcome.correct is True for answer in answers) for answers in by_question.values()]
    voted = sum(_majority_is_right(answers) for answers in by_question.values())
    each = [_of_repeat(by_question.values(), repeat) for repeat in range(k)]
    return {
        "k": k,
        "strict": _spread([correct / questions for correct, _, _ in each]),
        "official": _spread([official / counted for _, official, counted in each if counted]),
        "majority": as_fields(share(voted, questions)),
        "pass": {str(at): _pass_at(at, k, right) / questions for at in _steps(k)},
    }


def _majority_is_right(answers: Sequence[Answer]) -> bool:
    winner = majority(answer.choice for answer in answers)
    return winner is not None and any(a.choice == winner and a.outcome.correct is True for a in answers)


def _of_repeat(questions: Iterable[Sequence[Answer]], repeat: int) -> tuple[int, int, int]:
    """Of one repeat: right to a reader, right to the script, counted by the script."""
    outcomes = [answer.outcome for answers in questions for answer in answers if answer.sample == repeat]
    counted = [outcome.official.correct for outcome in outcomes if outcome.official.counted]
    return sum(outcome.correct is True for outcome in outcomes), sum(counted), len(counted)


def _spread(each: Sequence[float]) -> RepeatFigures:
    return {
        "each": list(each),
        "mean": statistics.fmean(each) if each else None,
        "sd": statistics.stdev(each) if len(each) > 1 else None,
    }


def _pass_at(at: int, k: int, right: Sequence[int]) -> float:
    """Summed over the questions; those without any record add nothing."""
    times = Counter(right)
    return sum(times[correct] * pass_at(at, k, correct) for correct in range(k + 1))


def _steps(k: int) -> list[int]:
    """1, 2, 4, ... and k itself."""
    return sorted({k, *(1 << power for power in range(k.bit_length()) if 1 << power <= k)})
