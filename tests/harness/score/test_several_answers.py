from __future__ import annotations

import itertools
import random
import statistics
from typing import Any

import pytest
import scipy.stats
from statsmodels.stats.proportion import proportion_confint
from written_outcomes import answer

from dtbench.harness.score import several_answers
from dtbench.harness.score.outcomes import Answer
from dtbench.harness.score.several_answers import majority_vote, repeated_questions

majority_figures: Any = several_answers.majority_figures
pass_figures: Any = several_answers.pass_figures
variance_figures: Any = several_answers.variance_figures


def of_question(id_: str, choices: str) -> list[Answer]:
    """Answers to one question whose right option is r; a dot is an answer that was not read."""
    return [
        answer(id_, sample=place, choice=None if choice == "." else choice, right=choice == "r")
        for place, choice in enumerate(choices)
    ]


def drawn(questions: int, k: int, seed: int = 0) -> list[Answer]:
    dice = random.Random(seed)
    answers = []
    for number in range(questions):
        chance = dice.random()
        said = ["r" if dice.random() < chance else dice.choice("wxy.") for _ in range(k)]
        answers += of_question(f"q{number}", "".join(said))
    return answers


def test_pass_at_k_is_the_mean_over_all_ways_to_take_k_answers() -> None:
    answers = [*of_question("a", "rrww"), *of_question("b", "www."), *of_question("c", "rrrr")]
    found = pass_figures(repeated_questions(answers, 3), 4)
    ways = list(itertools.combinations("rrww", 2))
    two = sum("r" in way for way in ways) / len(ways)
    assert {k: one["value"] for k, one in found.items()} == {"1": 0.5, "2": pytest.approx((two + 1) / 3), "4": 2 / 3}


def test_pass_at_k_of_whole_questions_has_wilsons_interval_with_students_t() -> None:
    answers = drawn(200, 4)
    found = pass_figures(repeated_questions(answers, 200), 4)["4"]
    right = round((found["value"] or 0) * 200)
    ratio = (scipy.stats.norm.ppf(0.975) / scipy.stats.t.ppf(0.975, 199)) ** 2
    low, high = proportion_confint(right * ratio * 199 / 200, 200 * ratio * 199 / 200, method="wilson")
    assert (found["low"], found["high"]) == (pytest.approx(low), pytest.approx(high))


def test_a_question_that_was_not_asked_passes_nothing_and_has_no_majority() -> None:
    questions = repeated_questions(of_question("a", "rr"), 2)
    assert pass_figures(questions, 2)["2"]["value"] == 0.5
    assert majority_figures(questions, 2)["2"]["value"] == 0.5


@pytest.mark.parametrize(
    ("choices", "right", "tie", "by_chance"),
    [
        ("rrw.", 1.0, False, 1.0),
        ("rww.", 0.0, False, 0.0),
        ("rw..", 0.0, True, 0.5),
        ("rwx.", 0.0, True, 1 / 3),
        ("wwxx", 0.0, True, 0.0),
        ("....", 0.0, False, 0.0),
    ],
)
def test_a_tie_counts_as_wrong_and_is_worth_its_chance(choices: str, right: float, tie: bool, by_chance: float) -> None:
    assert majority_vote(of_question("a", choices)) == (right, tie, by_chance)


def test_ties_are_counted_and_what_chance_would_make_of_them_is_told() -> None:
    answers = [
        *of_question("a", "rrww"),  # level over four, a majority each over two
        *of_question("b", "rrrw"),
        *of_question("c", "wwwx"),
        *of_question("d", "r..."),
    ]
    found = majority_figures(repeated_questions(answers, 4), 4)
    assert {name: found["4"][name] for name in ("value", "ties", "ties_by_chance")} == {
        "value": 2 / 4, "ties": 1 / 4, "ties_by_chance": 2.5 / 4,
    }  # fmt: skip
    assert found["2"]["value"] == pytest.approx((0.5 + 0.5 + 0 + 0.5) / 4)
    assert found["2"]["ties"] == pytest.approx((0 + 0.5 + 0.5 + 0) / 4)


def test_majority_at_one_is_pass_at_one() -> None:
    questions = repeated_questions(drawn(80, 5), 80)
    one, other = majority_figures(questions, 5)["1"], pass_figures(questions, 5)["1"]
    assert one["value"] == pytest.approx(other["value"])
    assert (one["low"], one["high"]) == (pytest.approx(other["low"]), pytest.approx(other["high"]))


def test_the_variance_is_split_as_in_an_analysis_of_variance() -> None:
    answers = drawn(60, 8)
    rows = [[float(one.right) for one in part] for _, part in itertools.groupby(answers, key=lambda one: one.id)]
    within = sum(statistics.variance(row) for row in rows) / 60
    means = [sum(row) / 8 for row in rows]
    between = float(statistics.variance(means)) - within / 8
    found = variance_figures(repeated_questions(answers, 60), 8)
    assert found["sampling"] == pytest.approx(within)
    assert found["questions"] == pytest.approx(between)
    assert found["standard_error"] == pytest.approx(scipy.stats.sem(means))
    assert found["share_of_sampling"] == pytest.approx(within / 8 / (between + within / 8))
    f_ratio = float(scipy.stats.f_oneway(*rows).statistic)
    assert (found["questions"] * 8 + found["sampling"]) / found["sampling"] == pytest.approx(f_ratio)


def test_more_questions_help_always_and_more_answers_where_sampling_is_the_noise() -> None:
    same = [one for number in range(40) for one in of_question(f"q{number}", "rrrr" if number % 2 else "wwww")]
    fixed = variance_figures(repeated_questions(same, 40), 4)
    dice = [one for number in range(40) for one in of_question(f"q{number}", "rwrw" if number % 2 else "wrrw")]
    noisy = variance_figures(repeated_questions(dice, 40), 4)
    assert fixed["with_twice_the_answers"] == fixed["standard_error"]
    assert fixed["share_of_sampling"] == 0
    assert noisy["share_of_sampling"] == 1
    assert noisy["with_twice_the_answers"] == pytest.approx(noisy["with_twice_the_questions"])
    assert variance_figures(repeated_questions(of_question("a", "rw"), 1), 2) is None
