"""How much of a score comes from listening, and how often an answer follows the order of the options.

Runs are compared question by question. What failed in either is left out, and counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.score.outcomes import Outcomes
from dtbench.harness.stats.intervals import Difference, paired, paired_clusters, share

Records = Iterable[Mapping[str, Any]]


class ShownAnswer(NamedTuple):
    """What was said to one question: a choice (or None) and whether it was right."""

    choice: str | None
    right: bool


Run = dict[tuple[str, int], ShownAnswer]


def listening(plain: Records, altered: Records, shared: Mapping[str, int]) -> dict[str, Any]:
    """A plain run against one whose clips were replaced: the gap in accuracy, and the choices that stay the same.

    `shared` numbers the clips that several questions are about.
    """
    heard, unheard = _said(plain), _said(altered)
    both = sorted(heard.keys() & unheard.keys())
    questions = {id_ for id_, _ in both}
    gap = _gap(heard, unheard, both, shared)
    chosen = [key for key in both if heard[key].choice is not None]
    same = sum(heard[key].choice == unheard[key].choice for key in chosen)
    return {
        "n": len(questions),
        "left_out": len({id_ for id_, _ in heard.keys() | unheard.keys()}) - len(questions),
        "plain": _mean([heard[key].right for key in both]),
        "altered": _mean([unheard[key].right for key in both]),
        "gap": None if gap is None else gap._asdict(),
        "same_choice": share(same, len(chosen))._asdict() if chosen else None,
    }


def style_effect(plain: Records, other: Records, shared: Mapping[str, int]) -> dict[str, Any]:
    """A plain run against one with another style of answer: both accuracies, and how often the choices differ.

    Where either made no choice there is nothing to differ: those are counted apart.
    """
    free, styled = _said(plain), _said(other)
    both = sorted(free.keys() & styled.keys())
    gap = _gap(styled, free, both, shared)
    chosen = [key for key in both if free[key].choice is not None and styled[key].choice is not None]
    differ = sum(free[key].choice != styled[key].choice for key in chosen)
    questions = {id_ for id_, _ in both}
    return {
        "n": len(questions),
        "left_out": len({id_ for id_, _ in free.keys() | styled.keys()}) - len(questions),
        "plain": _mean([free[key].right for key in both]),
        "this": _mean([styled[key].right for key in both]),
        "gap": None if gap is None else gap._asdict(),
        "differ": share(differ, len(chosen))._asdict() if chosen else None,
        "no_choice": len(both) - len(chosen),
    }


def order_effect(orders: Sequence[Records]) -> dict[str, Any]:
    """One run for each order of the options: how often the choice moves with it, and how far the accuracy does.

    A choice is an option's text, so one that stays is the same in every order. No answer is a choice of its own.
    """
    runs = [_said(records) for records in orders]
    everywhere = set.intersection(*(set(run) for run in runs)) if len(runs) > 1 else set()
    choices = {key: [run[key].choice for run in runs] for key in everywhere}
    moved = sum(len(set(each)) > 1 for each in choices.values())
    right = {key: sum(run[key].right for run in runs) for key in everywhere}
    accuracies = [_mean([run[key].right for key in everywhere]) for run in runs]
    n = len(everywhere)
    return {
        "orders": len(runs),
        "n": n,
        "left_out": len(set().union(*runs)) - n,
        "accuracy": accuracies,
        "moved": share(moved, n)._asdict() if n else None,
        "moved_between_two": math.fsum(map(_disagreement, choices.values())) / n if n else None,
        "right_in_all": sum(times == len(runs) for times in right.values()) / n if n else None,
        "right_in_some": sum(times > 0 for times in right.values()) / n if n else None,
    }


def _said(records: Records) -> Run:
    outcomes = Outcomes()
    for record in records:
        outcomes.add(record)
    return {
        (answer.id, answer.sample): ShownAnswer(answer.choice, answer.outcome.correct is True)
        for answer in outcomes.answers()
        if answer.outcome.failed is None
    }


def _gap(one: Run, other: Run, both: Iterable[tuple[str, int]], shared: Mapping[str, int]) -> Difference | None:
    """Repeats of one question make one pair, and questions about one clip one cluster."""
    sums: dict[str, list[int]] = {}
    for key in both:
        pair = sums.setdefault(key[0], [0, 0, 0])
        pair[0] += one[key].right
        pair[1] += other[key].right
        pair[2] += 1
    pairs = {id_: (first / times, second / times) for id_, (first, second, times) in sums.items()}
    if not any(id_ in shared for id_ in pairs):
        return paired(pairs.values())
    clusters: dict[int | str, list[tuple[float, float]]] = {}
    for id_, each in pairs.items():
        clusters.setdefault(shared.get(id_, id_), []).append(each)
    return paired_clusters(
        [(sum(first for first, _ in each), sum(second for _, second in each), len(each)) for each in clusters.values()]
    )


def _disagreement(choices: Sequence[str | None]) -> float:
    """The share of pairs of orders whose choices differ."""
    pairs = [(a, b) for place, a in enumerate(choices) for b in choices[place + 1 :]]
    return sum(a != b for a, b in pairs) / len(pairs)


def _mean(marks: Sequence[bool]) -> float | None:
    return sum(marks) / len(marks) if marks else None
