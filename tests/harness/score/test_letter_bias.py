from __future__ import annotations

import random
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from written_outcomes import answer

from dtbench.harness.score import letter_bias
from dtbench.harness.score.chance_level import chance_of
from dtbench.harness.score.letter_bias import letter_answers
from dtbench.harness.score.outcomes import Answer

counted: Any = letter_bias.letter_figures
OPTIONS = ("a bird", "a bell", "the sea", "a lorry")


Asked = tuple[Sequence[str], str]


def asked(right: int, options: Sequence[str] = OPTIONS) -> Asked:
    return options, options[right]


def letter_figures(answers: Sequence[Answer], shown: Mapping[str, Asked]) -> Any:
    return counted([one for answer in answers for one in letter_answers(*shown[answer.id], [answer])])


def answers_of(pairs: Sequence[tuple[int, int | None]], options: Sequence[str] = OPTIONS) -> list[Answer]:
    """One answer for each right and chosen place."""
    return [
        answer(f"q{number}", right=right == chosen, choice=None if chosen is None else options[chosen])
        for number, (right, chosen) in enumerate(pairs)
    ]


PAIRS = [(0, 0), (0, 0), (0, 1), (1, 0), (1, 1), (1, None), (2, 2), (2, 0), (3, 3), (3, 0)]


def test_chosen_letters_are_counted_against_right_ones() -> None:
    shown = {f"q{number}": asked(right) for number, (right, _) in enumerate(PAIRS)}
    (found,) = letter_figures(answers_of(PAIRS), shown)
    assert (found["options"], found["n"]) == (4, 10)
    assert found["chosen_by_right"] == {
        "A": {"A": 2, "B": 1, "C": 0, "D": 0, "none": 0},
        "B": {"A": 1, "B": 1, "C": 0, "D": 0, "none": 1},
        "C": {"A": 1, "B": 0, "C": 1, "D": 0, "none": 0},
        "D": {"A": 1, "B": 0, "C": 0, "D": 1, "none": 0},
    }
    letters = found["letters"]
    assert [letters[name]["right"] for name in "ABCD"] == [3, 3, 2, 2]
    assert [letters[name]["chosen"] for name in "ABCD"] == [5, 2, 1, 1]
    assert [letters[name]["unread"] for name in "ABCD"] == [0, 1, 0, 0]


def test_recall_has_wilsons_interval_and_rstd_is_its_standard_deviation() -> None:
    from statsmodels.stats.proportion import proportion_confint

    shown = {f"q{number}": asked(right) for number, (right, _) in enumerate(PAIRS)}
    (found,) = letter_figures(answers_of(PAIRS), shown)
    recalls = [2 / 3, 1 / 3, 1 / 2, 1 / 2]
    assert [found["letters"][name]["recall"]["value"] for name in "ABCD"] == pytest.approx(recalls)
    low, high = proportion_confint(2, 3, method="wilson")
    recall = found["letters"]["A"]["recall"]
    assert (recall["low"], recall["high"]) == (pytest.approx(low), pytest.approx(high))
    assert found["recall_sd"] == pytest.approx(statistics.pstdev(recalls))


def test_what_rstd_would_be_by_chance_is_what_simulation_finds() -> None:
    dice = random.Random(4)
    right = [dice.choice((0, 0, 1, 2, 3)) for _ in range(300)]
    shown = {f"q{number}": asked(place) for number, place in enumerate(right)}
    squares, claims = [], []
    for _ in range(200):
        pairs = [(place, place if dice.random() < 0.6 else (place + dice.randrange(1, 4)) % 4) for place in right]
        (found,) = letter_figures(answers_of(pairs), shown)
        squares.append((found["recall_sd"] or 0) ** 2)
        claims.append(found["recall_sd_by_chance"] or 0)
    assert statistics.fmean(claims) == pytest.approx(statistics.fmean(squares) ** 0.5, rel=0.1)


def test_repeats_of_a_question_are_no_more_letters_by_chance() -> None:
    shown = {f"q{number}": asked(number % 4) for number in range(40)}
    single = [answer(f"q{n}", right=n % 3 > 0, choice=OPTIONS[n % 4 if n % 3 else (n + 1) % 4]) for n in range(40)]
    fourfold = [one._replace(sample=repeat) for one in single for repeat in range(4)]
    (found,), (again,) = letter_figures(single, shown), letter_figures(fourfold, shown)
    assert again["n"] == 4 * found["n"]
    assert again["recall_sd"] == pytest.approx(found["recall_sd"])
    assert again["recall_sd_by_chance"] == pytest.approx(found["recall_sd_by_chance"], rel=0.05)


def test_questions_with_fewer_options_are_counted_apart() -> None:
    shown = {"q0": asked(0), "q1": asked(1), "q2": asked(0, ("yes", "no")), "q3": asked(2)}
    answers = [
        answer("q0", right=True, choice="a bird"),
        answer("q1", choice="a lorry"),
        answer("q2", right=True, choice="yes"),
        answer("q3", failed=True),
    ]
    four, two = letter_figures(answers, shown)
    assert (four["options"], four["n"], two["options"], two["n"]) == (4, 2, 2, 1)
    assert two["letters"]["A"]["recall"]["value"] == 1
    assert four["recall_sd"] is None  # C and D are never right
    assert four["letters"]["C"]["recall"] == {"value": None, "low": None, "high": None}


def test_a_question_whose_answer_is_no_option_has_no_letter_and_no_chance() -> None:
    assert letter_figures([answer("q0", choice="a bird")], {"q0": (OPTIONS, "a crow")}) == []
    assert chance_of(OPTIONS, "a crow") == 0
    assert chance_of(OPTIONS, "a bird") == 0.25
    assert chance_of(("yes", "no", "yes"), "yes") == pytest.approx(2 / 3)
    assert chance_of((), None) == 0
