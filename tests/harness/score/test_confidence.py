from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import pytest

from dtbench.harness.score import confidence
from dtbench.harness.score.calibration import Confidence, ConfidentAnswer

confidence_figures: Any = confidence.confidence_figures
Answers = Sequence[tuple[float, bool]]


def confident(answers: Answers, per_clip: int = 1) -> list[ConfidentAnswer]:
    return [
        ConfidentAnswer(number // per_clip, Confidence(sure, right, 0.0, is_argmax=True, letter_mass=1.0))
        for number, (sure, right) in enumerate(answers)
    ]


def drawn(n: int, seed: int = 3, steps: int = 100) -> list[tuple[float, bool]]:
    """Answers that are right as often as they say, with ties."""
    dice = random.Random(seed)
    confidences = [dice.randrange(steps // 4, steps + 1) / steps for _ in range(n)]
    return [(sure, dice.random() < sure) for sure in confidences]


def area_of(order: Answers) -> float:
    """The mean share of errors among the first 1, 2, ... answers."""
    errors = list(itertools.accumulate(not right for _, right in order))
    return sum(wrong / (place + 1) for place, wrong in enumerate(errors)) / len(order)


def test_the_area_under_risk_and_coverage_is_the_mean_share_of_errors_among_the_first() -> None:
    found = confidence_figures(confident([(0.9, True), (0.8, True), (0.7, False), (0.6, True), (0.5, False)]))
    assert found["n"] == 5
    assert found["aurc"]["value"] == pytest.approx((0 + 0 + 1 / 3 + 1 / 4 + 2 / 5) / 5)


def test_of_answers_with_one_confidence_each_order_counts_alike() -> None:
    answers = [(0.9, True), (0.7, False), (0.7, True), (0.7, True), (0.5, False), (0.5, True)]
    orders = [
        area_of([answers[0], *middle, *last])
        for middle in itertools.permutations(answers[1:4])
        for last in itertools.permutations(answers[4:])
    ]
    found = confidence_figures(confident(answers))
    assert found["aurc"]["value"] == pytest.approx(sum(orders) / len(orders))


def test_auroc_is_mann_whitneys_share() -> None:
    import scipy.stats

    answers = drawn(400)
    right = [sure for sure, is_right in answers if is_right]
    wrong = [sure for sure, is_right in answers if not is_right]
    expected = scipy.stats.mannwhitneyu(right, wrong).statistic / len(right) / len(wrong)
    found = confidence_figures(confident(answers))
    assert found["auroc"]["value"] == pytest.approx(float(expected), abs=1e-12)


def test_intervals_are_as_wide_as_those_of_a_bootstrap_by_another_hand() -> None:
    answers = drawn(300)
    found = confidence_figures(confident(answers))
    dice = random.Random(0)
    areas = sorted(area_of(sorted(dice.choices(answers, k=len(answers)), key=lambda one: -one[0])) for _ in range(1000))
    low, high = found["aurc"]["low"], found["aurc"]["high"]
    assert low == pytest.approx(areas[25], abs=0.01)
    assert high == pytest.approx(areas[975], abs=0.01)


def test_answers_about_one_clip_are_drawn_together_and_the_interval_is_wider() -> None:
    answers = drawn(200)
    copied = [answer for answer in answers for _ in range(4)]
    alone, together = confidence_figures(confident(copied)), confidence_figures(confident(copied, per_clip=4))
    for name in ("aurc", "auroc"):
        widths = [one[name]["high"] - one[name]["low"] for one in (alone, together)]
        assert widths[1] / widths[0] == pytest.approx(2.0, rel=0.15)


def test_confidence_that_is_right_has_a_calibration_error_whose_interval_begins_at_zero() -> None:
    calibrated = confidence_figures(confident(drawn(500)))
    certain = confidence_figures(confident([(0.99, number % 2 == 0) for number in range(200)]))
    assert calibrated["ece"]["value"] != 0
    assert calibrated["ece"]["low"] == 0
    assert certain["ece"]["value"] == pytest.approx(0.49)
    low, high = certain["ece"]["low"], certain["ece"]["high"]
    assert 0.4 < low < 0.49 < high < 0.58


def test_where_all_are_right_nothing_can_be_told_apart() -> None:
    found = confidence_figures(confident([(0.9, True), (0.8, True)]))
    assert found["auroc"] == {"value": None, "low": None, "high": None}
    assert found["aurc"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert confidence_figures([]) is None


def test_the_order_of_answers_changes_nothing() -> None:
    answers = confident(drawn(100), per_clip=2)
    first = confidence_figures(answers)
    random.Random(1).shuffle(answers)
    assert confidence_figures(answers) == first
