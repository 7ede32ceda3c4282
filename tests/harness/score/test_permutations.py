"""Answers over several orders of the options."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from dtbench.harness.score import permutations
from dtbench.harness.score.forced_choice import HOW
from dtbench.harness.score.permutations import Order

order_average: Any = permutations.order_average
LETTER_A = (0.7, 0.2, 0.1)
"""A model that likes the first letter, whatever it stands for."""


def order(turns: int, shown: Sequence[Sequence[float]], right: Sequence[int | None]) -> Order:
    """A run whose answers have these shares in the order shown; `right` counts in the order of the data set."""

    def records() -> Iterator[Any]:
        for number, (shares, place) in enumerate(zip(shown, right, strict=True)):
            score = {"correct": None, "gold_index": None if place is None else (place - turns) % len(shares)}
            response = {"text": "A", "option_logprobs": [math.log(share) for share in shares]}
            yield {"id": f"{number}", "sample": 0, "response": response, "extraction": {"how": HOW}, "score": score}

    return Order(turns, list(records()))


def test_a_liking_for_a_letter_averages_out_over_all_orders() -> None:
    found = order_average([order(turns, [LETTER_A], [2]) for turns in range(3)])
    assert (found["orders"], found["n"]) == (3, 1)
    assert found["calibration"]["confidence"] == pytest.approx(1 / 3)
    assert found["calibration"]["brier"] == pytest.approx(2 / 3)


def test_a_liking_for_an_option_stays_whatever_its_letter() -> None:
    # The option at place 2 has 0.8 in every order: shown at 2, 1 and 0.
    shown = [(0.1, 0.1, 0.8), (0.1, 0.8, 0.1), (0.8, 0.1, 0.1)]
    found = order_average([order(turns, [shares], [2]) for turns, shares in enumerate(shown)])
    assert found["strict"]["accuracy"] == 1
    assert found["calibration"]["confidence"] == pytest.approx(0.8)


def test_the_mean_decides_where_orders_disagree() -> None:
    # In order 0 the wrong option leads by little, in order 1 the right one by much.
    found = order_average([order(0, [(0.55, 0.45)], [1]), order(1, [(0.9, 0.1)], [1])])
    assert found["strict"]["accuracy"] == 1
    assert found["calibration"]["confidence"] == pytest.approx((0.45 + 0.9) / 2)


def test_the_plain_order_need_not_be_among_them() -> None:
    shown = {1: (0.1, 0.8, 0.1), 2: (0.8, 0.1, 0.1)}
    found = order_average([order(turns, [shares], [2]) for turns, shares in shown.items()])
    assert found["strict"]["accuracy"] == 1


def test_what_has_no_probabilities_in_some_order_is_left_out() -> None:
    whole, part = order(0, [LETTER_A, LETTER_A], [0, 0]), order(1, [LETTER_A], [0])
    found = order_average([whole, part])
    assert (found["n"], found["unmatched"]) == (1, 1)


def test_free_answers_are_not_averaged() -> None:
    free: Any = {"id": "1", "sample": 0, "response": {"text": "(A)"}, "extraction": {"how": "letter"}, "score": {}}
    assert order_average([Order(0, [free]), Order(1, [free])]) is None


def test_withheld_answers_have_no_accuracy() -> None:
    found = order_average([order(turns, [LETTER_A], [None]) for turns in range(2)])
    assert found["n"] == 1
    assert found["strict"] is found["calibration"] is None
