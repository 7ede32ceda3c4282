"""Small sets of questions: their scores are near those of all, and the agreement of ranks is what scipy says."""

from __future__ import annotations

import random

import pytest

from dtbench.harness.stats.subsets import (
    HeldOutRun,
    agreement,
    choose_questions,
    drawn_agreement,
    left_out_agreement,
    left_out_runs,
    mean_at,
)


def made_up(runs: int, questions: int, seed: int = 0) -> list[list[float]]:
    """Runs that are more and less able, on questions that are more and less hard; alike, as checkpoints are."""
    dice = random.Random(seed)
    hard = [dice.random() for _ in range(questions)]
    return [[float(0.1 + place / runs > one + dice.gauss(0, 0.15)) for one in hard] for place in range(runs)]


@pytest.mark.parametrize("seed", range(5))
def test_ranks_agree_as_scipy_has_it_also_where_scores_are_equal(seed: int) -> None:
    from scipy.stats import kendalltau, spearmanr

    dice = random.Random(seed)
    one, other = ([dice.randrange(6) / 8 for _ in range(9)] for _ in range(2))
    found = agreement(one, other)
    assert found.kendall == pytest.approx(kendalltau(one, other).statistic)
    assert found.spearman == pytest.approx(spearmanr(one, other).statistic)
    assert found.mean_error == pytest.approx(sum(abs(a - b) for a, b in zip(one, other, strict=True)) / 9)


def test_equal_scores_have_no_ranks_to_agree() -> None:
    found = agreement([0.5, 0.5, 0.5], [0.1, 0.2, 0.3])
    assert (found.kendall, found.spearman) == (None, None)
    assert found.max_error == pytest.approx(0.4)


def test_a_chosen_set_scores_every_run_nearly_as_the_whole_does() -> None:
    scores = made_up(6, 300)
    chosen = choose_questions(scores, [], 30, seed=1)
    assert len(set(chosen)) == 30
    assert chosen == sorted(chosen)
    whole, inside = ([mean_at(row, places) for row in scores] for places in (range(300), chosen))
    assert agreement(whole, inside).max_error < 0.03
    assert chosen == choose_questions(scores, [], 30, seed=1) != choose_questions(scores, [], 30, seed=2)


def test_a_set_has_the_groups_of_the_whole() -> None:
    scores = made_up(4, 200)
    groups = [[float(place % 4 == rest) for place in range(200)] for rest in range(4)]
    chosen = choose_questions(scores, groups, 40, seed=1)
    assert [sum(row[place] for place in chosen) for row in groups] == pytest.approx([10] * 4, abs=3)


def test_runs_that_are_alike_say_more_of_one_another_than_chance_does() -> None:
    scores = made_up(8, 400)
    whole = [mean_at(row, range(400)) for row in scores]
    left_out = left_out_agreement(whole, left_out_runs(scores, [], 40, seed=1))
    drawn = drawn_agreement(scores, 40, 100, seed=1)
    assert left_out.mean_error < drawn.mean_error
    assert left_out.kendall is not None
    assert left_out.kendall > 0.9


def test_the_score_of_a_run_that_is_left_out_does_not_choose_its_own_set() -> None:
    scores = made_up(4, 100)
    turned = [*scores[:3], [1 - value for value in scores[3]]]
    one, other = (left_out_runs(rows, [], 20, seed=1)[3] for rows in (scores, turned))
    assert one.score == pytest.approx(1 - other.score)
    assert one.others == other.others


def test_errors_of_sets_without_a_run_are_their_mean_and_their_largest() -> None:
    runs = [HeldOutRun(0.4, [0.6, 0.8]), HeldOutRun(0.65, [0.5, 0.8]), HeldOutRun(0.5, [0.5, 0.6])]
    found = left_out_agreement([0.5, 0.6, 0.8], runs)
    assert found[:2] == pytest.approx(((0.1 + 0.05 + 0.3) / 3, 0.3))
    found = agreement([0.5, 0.6, 0.8], [0.4, 0.65, 0.5])
    assert found[:2] == pytest.approx(((0.1 + 0.05 + 0.3) / 3, 0.3))
