from __future__ import annotations

import random
from typing import Any

import pytest
from written_outcomes import answer

from dtbench.harness.score import group_shares
from dtbench.harness.score.group_shares import group_figures, share_over_clips
from dtbench.harness.score.outcomes import Answer
from dtbench.harness.stats.intervals import clustered_interval

macro_averages: Any = group_shares.macro_averages


def by_task(**counts: tuple[int, int]) -> list[Answer]:
    """So many right answers of so many under each task's name."""
    return [
        answer(f"{task} {number}", right=number < right, groups={"task_name": task, "category": "all"})
        for task, (right, n) in counts.items()
        for number in range(n)
    ]


def test_each_group_has_its_share_number_and_wilsons_interval() -> None:
    from statsmodels.stats.proportion import proportion_confint

    found = group_figures(by_task(pauses=(3, 8), accents=(150, 304)), [("task_name",)], None)["task_name"]
    assert list(found) == ["accents", "pauses"]
    for name, right, n in (("pauses", 3, 8), ("accents", 150, 304)):
        low, high = proportion_confint(right, n, method="wilson")
        strict: Any = found[name]["strict"]
        assert (strict["correct"], strict["n"], strict["accuracy"]) == (right, n, right / n)
        assert (strict["low"], strict["high"]) == (pytest.approx(low), pytest.approx(high))
        assert found[name]["official"] == strict


def test_answers_about_one_clip_widen_the_interval_of_their_group() -> None:
    clips = [number // 4 for number in range(160)]
    right = [clip % 2 == 0 for clip in clips]
    found = share_over_clips(clips, right)
    assert (found["low"], found["high"]) == clustered_interval([(4, 4), (0, 4)] * 20)
    alone = share_over_clips(range(160), right)
    assert found["high"] - found["low"] > 1.8 * (alone["high"] - alone["low"])


def test_what_the_script_does_not_count_is_in_the_strict_share_alone() -> None:
    groups = {"modality": "sound"}
    answers = [answer("a", right=True, groups=groups), answer("b", failed=True, groups=groups)]
    found = group_figures(answers, [("modality",)], {"a": 0.25, "b": 0.5})["modality"]["sound"]
    assert found["official"] is not None
    assert (found["official"]["n"], found["strict"]["n"], found["strict"]["accuracy"]) == (1, 2, 0.5)
    assert found["chance"] == 0.375
    lost = group_figures([answer("b", failed=True, groups=groups)], [("modality",)], None)["modality"]["sound"]
    assert lost["official"] is None
    assert "chance" not in lost


def test_a_table_of_two_headings_names_both_values() -> None:
    answers = [
        answer("a", groups={"category": "Perception", "sub-category": "Linguistics"}),
        answer("b", groups={"category": "Perception"}),
    ]
    found = group_figures(answers, [("category", "sub-category"), ("category",)], None)
    assert list(found["category, sub-category"]) == ["Perception, Linguistics"]
    assert found["category"]["Perception"]["strict"]["n"] == 2


def test_a_macro_average_gives_each_group_the_same_weight() -> None:
    answers = by_task(pauses=(2, 8), accents=(300, 400), stress=(1, 2))
    found = macro_averages(group_figures(answers, [("task_name",), ("category",)], None))
    assert list(found) == ["task_name"]  # a single group has no mean over groups
    assert found["task_name"]["groups"] == 3
    assert found["task_name"]["strict"]["value"] == pytest.approx((2 / 8 + 300 / 400 + 1 / 2) / 3)
    assert sum(one.right for one in answers) / len(answers) == pytest.approx(303 / 410)


def test_the_interval_of_a_macro_average_has_the_true_mean_in_as_many_cases_as_it_says() -> None:
    dice = random.Random(2)
    chances = {"a": (0.9, 20), "b": (0.5, 30), "c": (0.3, 60), "d": (0.7, 25)}
    truth, inside = sum(chance for chance, _ in chances.values()) / 4, 0
    for _ in range(400):
        answers = by_task(
            **{name: (sum(dice.random() < chance for _ in range(n)), n) for name, (chance, n) in chances.items()}
        )
        found = macro_averages(group_figures(answers, [("task_name",)], None))["task_name"]["strict"]
        inside += found["low"] <= truth <= found["high"]
    assert 0.92 <= inside / 400 <= 0.98
