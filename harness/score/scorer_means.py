"""What each scorer of a task gives on the mean, and what still waits for a second pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from dtbench.harness.score.group_shares import ShareTally
from dtbench.harness.score.outcomes import AnswerOutcome, Outcomes
from dtbench.harness.score.waiting import judge_command
from dtbench.harness.store.summary_types import ScorerFigures


def scorer_figures(outcomes: Outcomes, shared: Mapping[str, int]) -> dict[str, ScorerFigures]:
    """Return the mean mark of each scorer over the answers that it marked; no answer counts as 0."""
    tallies: dict[str, ShareTally] = {}
    waiting = Counter[str]()
    if not any(outcome.marks for outcome in outcomes.counts()):
        return {}
    for answer in outcomes.answers(shared):
        for name, mark in answer.outcome.marks:
            tally = tallies.setdefault(name, ShareTally())
            if name in answer.outcome.waits:
                waiting[name] += 1
            else:
                tally.add(answer.clip, 0.0 if mark is None else mark)
    return {name: _figures(tallies[name], waiting[name]) for name in _in_order(outcomes.counts(), tallies)}


def _figures(tally: ShareTally, waiting: int) -> ScorerFigures:
    if not tally.n:
        return {"mean": None, "low": None, "high": None, "n": 0, "waiting": waiting}
    found = tally.figures()
    return {
        "mean": found["accuracy"],
        "low": found["low"],
        "high": found["high"],
        "n": found["n"],
        "waiting": waiting,
    }


def _in_order(counts: Counter[AnswerOutcome], tallies: Mapping[str, ShareTally]) -> list[str]:
    """Sort scorers by how many answers they are official for, so that the order is that of no record."""
    first = Counter[str]()
    for outcome, times in counts.items():
        if outcome.marks:
            first[outcome.marks[0][0]] += times
    return sorted(tallies, key=lambda name: (-first[name], name))


def waiting_note(counts: Counter[AnswerOutcome]) -> list[str]:
    """Say how many answers wait for which scorers, and what gives their marks."""
    waiting = Counter[str]()
    for outcome, times in counts.items():
        for name in outcome.waits:
            waiting[name] += times
    return [
        f"{times} answers wait for the scorer {name}: {judge_command('RUN', name)} marks them"
        for name, times in sorted(waiting.items())
    ]
