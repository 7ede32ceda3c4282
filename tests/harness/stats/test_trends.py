"""Trends over clips: held to statsmodels and scipy, and to what they claim in simulation."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy
import pytest
from scipy import stats

from dtbench.harness.stats.paired_tests import holm
from dtbench.harness.stats.trends import FEWEST_CLIPS, ClipAnswers, mid_ranks, trend_over_clips

MEASURES = 10


def drawn(
    dice: random.Random, clips: int, *, size: int = 1, mean: float = 0.6, slope: float = 0.0
) -> list[ClipAnswers]:
    """Clips with up to so many questions, which are mostly right together; accuracy rises over the ranks by `slope`."""
    answers = []
    for _ in range(clips):
        place, shared, n = dice.random(), dice.random(), dice.randint(1, size)
        chance = mean + slope * (place - 0.5)
        right = sum((shared if dice.random() < 0.8 else dice.random()) < chance for _ in range(n))
        answers.append(ClipAnswers(100 * place**3, right, n))
    return answers


def with_other_measure(dice: random.Random, clips: Sequence[ClipAnswers]) -> list[ClipAnswers]:
    return [clip._replace(measure=dice.random()) for clip in clips]


@pytest.mark.parametrize(("clips", "size"), [(40, 1), (60, 4), (300, 3)])
def test_the_score_is_that_of_generalised_estimating_equations(clips: int, size: int) -> None:
    from statsmodels.genmod.cov_struct import Independence
    from statsmodels.genmod.families import Gaussian
    from statsmodels.genmod.generalized_estimating_equations import GEE

    answers = drawn(random.Random(clips), clips, size=size, slope=0.4)
    ranks = mid_ranks([clip.measure for clip in answers])
    rows = [
        (float(place < clip.score), 1.0, rank, number)
        for number, (clip, rank) in enumerate(zip(answers, ranks, strict=True))
        for place in range(clip.n)
    ]
    right, ones, rank, group = (numpy.array(column) for column in zip(*rows, strict=True))
    design = numpy.column_stack([ones, rank])
    fitted = GEE(right, design, groups=group, family=Gaussian(), cov_struct=Independence())
    null = GEE(right, ones[:, None], groups=group, family=Gaussian(), cov_struct=Independence()).fit()
    found = trend_over_clips(answers)
    assert found is not None
    score = stats.t.isf(found.p / 2, clips - 2) ** 2 * clips / (clips - 1)  # without our allowance for few clips
    assert score == pytest.approx(float(fitted.compare_score_test(null)["statistic"]), rel=1e-6)
    assert found.slope == pytest.approx(float(fitted.fit().params[1]), rel=1e-9)


def test_ranks_are_scipys() -> None:
    values = [random.Random(3).randint(0, 9) for _ in range(50)]
    assert mid_ranks(values) == pytest.approx((stats.rankdata(values) - 1) / 49)


def test_interval_and_p_agree_and_the_scale_of_the_measure_does_not_matter() -> None:
    dice = random.Random(5)
    for _ in range(200):
        answers = drawn(dice, 60, size=3, slope=0.3)
        found = trend_over_clips(answers)
        assert found is not None
        assert (found.p < 0.05) is (found.low > 0 or found.high < 0)
        assert trend_over_clips([clip._replace(measure=clip.measure**0.5) for clip in answers]) == found


def test_the_order_of_the_clips_does_not_matter_and_the_other_way_round_is_the_same_slope_down() -> None:
    answers = drawn(random.Random(7), 80, size=3, slope=0.5)
    found, backwards = trend_over_clips(answers), trend_over_clips(answers[::-1])
    down = trend_over_clips([clip._replace(measure=-clip.measure) for clip in answers])
    assert found is not None
    assert backwards == pytest.approx(found)
    assert down is not None
    assert (down.slope, down.p) == pytest.approx((-found.slope, found.p))


def test_nothing_is_said_of_few_clips_one_measure_or_one_score() -> None:
    answers = drawn(random.Random(1), FEWEST_CLIPS)
    assert trend_over_clips(answers) is not None
    assert trend_over_clips(answers[1:]) is None
    assert trend_over_clips([clip._replace(measure=3.0) for clip in answers]) is None
    assert trend_over_clips([clip._replace(score=clip.n) for clip in answers]) is None
    assert trend_over_clips([]) is None


@pytest.mark.parametrize(("clips", "size", "mean"), [(20, 5, 0.6), (50, 4, 0.9), (100, 1, 0.6)])
def test_without_an_effect_a_trend_is_claimed_in_5_percent_and_among_ten_after_holm_too(
    clips: int, size: int, mean: float
) -> None:
    dice, times, alone, any_of_ten = random.Random(clips), 150, 0, 0
    for _ in range(times):
        answers = drawn(dice, clips, size=size, mean=mean)
        found = [trend_over_clips(with_other_measure(dice, answers)) for _ in range(MEASURES)]
        chances = [1.0 if one is None else one.p for one in found]
        alone += chances[0] < 0.05
        any_of_ten += min(holm(chances)) < 0.05
    slack = 3.5 * (0.05 * 0.95 / times) ** 0.5
    assert alone / times <= 0.05 + slack
    assert any_of_ten / times <= 0.05 + slack


def test_a_planted_effect_is_found_among_ten_and_its_interval_covers_it() -> None:
    dice, times, found_it, covered = random.Random(11), 60, 0, 0
    for _ in range(times):
        answers = drawn(dice, 400, size=3, slope=0.3)
        trends = [trend_over_clips(answers), *(trend_over_clips(with_other_measure(dice, answers)) for _ in range(9))]
        chances = holm([1.0 if one is None else one.p for one in trends])
        found_it += chances[0] < 0.05
        assert trends[0] is not None
        covered += trends[0].low <= 0.3 <= trends[0].high
    assert found_it >= 45
    assert covered >= 52


def test_a_gain_of_one_run_over_another_where_it_is_noisy_is_a_trend_of_the_difference() -> None:
    dice = random.Random(13)
    gains = []
    for _ in range(300):
        noise = dice.random()
        before, after = dice.random() < 0.6, dice.random() < 0.6 + 0.35 * (noise - 0.5)
        gains.append(ClipAnswers(noise, after - before, 1))
    found = trend_over_clips(gains)
    assert found is not None
    assert found.p < 0.01
    assert found.low < 0.35 < found.high
