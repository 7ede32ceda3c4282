"""Forced answers over several orders of the options: a preference for a letter averages out, one for an option stays.

An option's probability is its mean over the orders, whatever letter it had in each. Where every rotation of n options
was asked, every option had every letter once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.score.calibration import Confidence, brier_score, calibration
from dtbench.harness.score.forced_choice import odds_in, probabilities
from dtbench.harness.stats.intervals import share


class Order(NamedTuple):
    """A run with its options rotated."""

    turns: int
    """By how many places."""
    records: Iterable[Mapping[str, Any]]


class _Shares(NamedTuple):
    """The options of one answer, in the data set's own order."""

    shares: Sequence[float]
    right: int | None


Key = tuple[str, int]


def averaged(orders: Sequence[Order]) -> dict[str, Any]:
    """What a summary says of answers by mean probability, under `averaged`; nothing where answers carry none."""
    runs = [dict(_by_key(order)) for order in orders]
    if not any(runs):
        return {}
    everywhere = sorted(set.intersection(*(set(run) for run in runs)))
    answers = [_mean_answer([run[key] for run in runs]) for key in everywhere]
    known = any(shares.right is not None for run in runs for shares in run.values())
    right = sum(answer.right for answer in answers)
    return {
        "averaged": {
            "orders": len(runs),
            "n": len(answers),
            "left_out": len(set().union(*runs)) - len(answers),
            "strict": share(right, len(answers))._asdict() if answers and known else None,
            "calibration": calibration(answers) if known else None,
        }
    }


def _by_key(order: Order) -> Iterable[tuple[Key, _Shares]]:
    for record in order.records:
        odds = odds_in(record)
        shares = None if odds is None else probabilities(odds)
        if shares is not None and "score" in record:
            right = record["score"].get("right_place")
            turns = order.turns % len(shares)
            own = [shares[(place - turns) % len(shares)] for place in range(len(shares))]
            yield (record["id"], record["sample"]), _Shares(own, None if right is None else (right + turns) % len(own))


def _mean_answer(each: Sequence[_Shares]) -> Confidence:
    """The likeliest option on the mean, the first of equals."""
    means = [sum(column) / len(each) for column in zip(*(one.shares for one in each), strict=True)]
    place = means.index(max(means))
    right = each[0].right
    return Confidence(means[place], place == right, brier_score(means, right), likeliest=True, told=1.0)
