"""Ablations: how much of a score comes from the audio, and how often an answer follows the order of the options.

Runs are compared question by question. A question without an answer in one of them is left out and counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.score.outcomes import Outcomes
from dtbench.harness.stats.intervals import Difference, clustered_difference, paired_difference, share
from dtbench.harness.store.summary_types import AblationFigures, GapFigures, OrderFigures, ShareFigures, StyleFigures
from dtbench.harness.store.types import Record, as_fields

Records = Iterable[Record]


class ShownAnswer(NamedTuple):
    """An answer to one question: a choice (or None), and whether it was right."""

    choice: str | None
    right: bool


Run = dict[tuple[str, int], ShownAnswer]


def audio_effect(plain: Records, altered: Records, shared: Mapping[str, int]) -> AblationFigures:
    """Compare a plain run with one whose clips were replaced: the gap in accuracy, and the choices that stay the same.

    `shared` numbers the clips that several questions are about.
    """
    pair = _paired(plain, altered)
    with_choice = [key for key in pair.both if pair.first[key].choice is not None]
    same = sum(pair.first[key].choice == pair.second[key].choice for key in with_choice)
    return {
        "n": pair.questions,
        "unmatched": pair.unmatched,
        "plain": _mean([pair.first[key].right for key in pair.both]),
        "altered": _mean([pair.second[key].right for key in pair.both]),
        "gap": _gap(pair.first, pair.second, pair.both, shared),
        "same_choice": _share(same, len(with_choice)),
    }


def style_effect(plain: Records, other: Records, shared: Mapping[str, int]) -> StyleFigures:
    """Compare a plain run with one in another style of answer: both accuracies, and how often the choices differ.

    Answers without a choice in one of the runs are counted apart.
    """
    pair = _paired(plain, other)
    choices = [(pair.first[key].choice, pair.second[key].choice) for key in pair.both]
    with_choice = [(one, two) for one, two in choices if one is not None and two is not None]
    return {
        "n": pair.questions,
        "unmatched": pair.unmatched,
        "plain": _mean([pair.first[key].right for key in pair.both]),
        "this": _mean([pair.second[key].right for key in pair.both]),
        "gap": _gap(pair.second, pair.first, pair.both, shared),
        "differ": _share(sum(one != two for one, two in with_choice), len(with_choice)),
        "no_choice": len(choices) - len(with_choice),
    }


def order_effect(orders: Sequence[Records]) -> OrderFigures:
    """Compare runs with the options in several orders: how often the choice moves with it, and how far the accuracy.

    A choice is an option's text, so one that stays is the same in every order. No answer is a choice of its own.
    """
    runs = [_answers(records) for records in orders]
    everywhere = set.intersection(*(set(run) for run in runs)) if len(runs) > 1 else set()
    choices = {key: [run[key].choice for run in runs] for key in everywhere}
    moved = sum(len(set(each)) > 1 for each in choices.values())
    right = {key: sum(run[key].right for run in runs) for key in everywhere}
    accuracies = [_mean([run[key].right for key in everywhere]) for run in runs]
    n = len(everywhere)
    return {
        "orders": len(runs),
        "n": n,
        "unmatched": len(set().union(*runs)) - n,
        "accuracy": accuracies,
        "moved": _share(moved, n),
        "moved_between_two": math.fsum(map(_disagreement, choices.values())) / n if n else None,
        "right_in_all": sum(times == len(runs) for times in right.values()) / n if n else None,
        "right_in_some": sum(times > 0 for times in right.values()) / n if n else None,
    }


class _Pair(NamedTuple):
    """Two runs, and which answers both hold."""

    first: Run
    second: Run
    both: Sequence[tuple[str, int]]
    questions: int
    unmatched: int


def _paired(first: Records, second: Records) -> _Pair:
    one, two = _answers(first), _answers(second)
    both = sorted(one.keys() & two.keys())
    questions = len({id_ for id_, _ in both})
    return _Pair(one, two, both, questions, len({id_ for id_, _ in one.keys() | two.keys()}) - questions)


def _share(count: int, n: int) -> ShareFigures | None:
    return as_fields(share(count, n)) if n else None


def _answers(records: Records) -> Run:
    outcomes = Outcomes(records)
    return {
        (answer.id, answer.sample): ShownAnswer(answer.choice, answer.outcome.correct is True)
        for answer in outcomes.answers()
        if answer.outcome.failed is None
    }


def _gap(one: Run, other: Run, both: Iterable[tuple[str, int]], shared: Mapping[str, int]) -> GapFigures | None:
    """Repeats of one question make one pair, and questions about one clip one cluster."""
    gap = _difference(one, other, both, shared)
    return None if gap is None else as_fields(gap)


def _difference(one: Run, other: Run, both: Iterable[tuple[str, int]], shared: Mapping[str, int]) -> Difference | None:
    sums: dict[str, list[int]] = {}
    for key in both:
        pair = sums.setdefault(key[0], [0, 0, 0])
        pair[0] += one[key].right
        pair[1] += other[key].right
        pair[2] += 1
    pairs = {id_: (first / times, second / times) for id_, (first, second, times) in sums.items()}
    if not any(id_ in shared for id_ in pairs):
        return paired_difference(pairs.values())
    clusters: dict[int | str, list[tuple[float, float]]] = {}
    for id_, each in pairs.items():
        clusters.setdefault(shared.get(id_, id_), []).append(each)
    return clustered_difference(
        [(sum(first for first, _ in each), sum(second for _, second in each), len(each)) for each in clusters.values()]
    )


def _disagreement(choices: Sequence[str | None]) -> float:
    """The share of pairs of orders whose choices differ."""
    pairs = [(a, b) for place, a in enumerate(choices) for b in choices[place + 1 :]]
    return sum(a != b for a, b in pairs) / len(pairs)


def _mean(marks: Sequence[bool]) -> float | None:
    return sum(marks) / len(marks) if marks else None
