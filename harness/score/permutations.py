"""Forced answers over several orders of the options: a preference for a letter averages out, one for an option stays.

An option's probability is its mean over the orders, whatever letter it had in each. Where every rotation of n options
was asked, every option had every letter once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dtbench.harness.score.calibration import Confidence, brier_score, calibration_figures
from dtbench.harness.score.forced_choice import probabilities, stored_logprobs
from dtbench.harness.stats.intervals import share
from dtbench.harness.store.summary_types import AverageFigures
from dtbench.harness.store.types import Record, as_fields


class Order(NamedTuple):
    """A run with its options rotated."""

    turns: int
    """By how many places."""
    records: Iterable[Record]


class _Shares(NamedTuple):
    """The options of one answer, in the data set's own order."""

    shares: Sequence[float]
    gold: int | None


Key = tuple[str, int]


def order_average(orders: Sequence[Order]) -> AverageFigures | None:
    """What a summary says of answers by mean probability over orders; None where answers carry no probabilities."""
    runs = [dict(_by_key(order)) for order in orders]
    if not any(runs):
        return None
    everywhere = sorted(set.intersection(*(set(run) for run in runs)))
    answers = [_mean_answer([run[key] for run in runs]) for key in everywhere]
    known = any(shares.gold is not None for run in runs for shares in run.values())
    right = sum(answer.right for answer in answers)
    return {
        "orders": len(runs),
        "n": len(answers),
        "unmatched": len(set().union(*runs)) - len(answers),
        "strict": as_fields(share(right, len(answers))) if answers and known else None,
        "calibration": calibration_figures(answers) if known else None,
    }


def _by_key(order: Order) -> Iterable[tuple[Key, _Shares]]:
    for record in order.records:
        options = stored_logprobs(record)
        shares = None if options is None else probabilities(options)
        if shares is not None and "score" in record:
            gold = record["score"].get("gold_index")
            turns = order.turns % len(shares)
            own = [shares[(place - turns) % len(shares)] for place in range(len(shares))]
            yield (record["id"], record["sample"]), _Shares(own, None if gold is None else (gold + turns) % len(own))


def _mean_answer(each: Sequence[_Shares]) -> Confidence:
    """The likeliest option on the mean, the first of equals."""
    means = [sum(column) / len(each) for column in zip(*(one.shares for one in each), strict=True)]
    place = means.index(max(means))
    gold = each[0].gold
    return Confidence(means[place], place == gold, brier_score(means, gold), is_argmax=True, letter_mass=1.0)
