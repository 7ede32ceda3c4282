"""Graders that are wrong on purpose, and rewards by chance: what they draw follows from the seed and the content."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from chains import GOOD, OTHER, ROW, completion, honest, marks, mini_rows
from chains import settings as asking
from chat_server import Turn, chatting

from dtbench.harness.core.errors import DataError, UserError
from dtbench.training.recipe.reward_settings import RewardSettings, Template
from dtbench.training.rewards import Rewards, Scores
from dtbench.training.rewards.weak_graders import GraderNoise, draw_number, grade_length

MINI = RewardSettings(
    embedding="ngrams",
    consistency="words",
    evaluator="mini events",
    template=Template("<think>", "</think>"),
    guards=("empty", "huge"),
)
WORDS = dataclasses.replace(MINI, evaluator="word count")
ROWS = mini_rows(400)
TEXTS = [f"<think> {row.chain} </think> {row.answer}" for row in ROWS]


def scores(settings: RewardSettings, *names: str, seed: int = 0, rows: Sequence[int] = range(400)) -> Scores:
    with Rewards(settings, seed) as rewards:
        return rewards.score_batch(names, [ROWS[at] for at in rows], [TEXTS[at] for at in rows])


def test_a_chain_of_twice_the_references_words_earns_full_marks_whatever_it_says() -> None:
    row = ROWS[0]
    words = len(row.chain.split())
    earned = [grade_length(row, "tone " * count).mean for count in (0, words // 2, words, 2 * words, 5 * words)]
    assert earned == [0, pytest.approx(words // 2 / (2 * words)), 0.5, 1, 1]
    padded = f"<think> {row.chain} {'and a noise ' * words} </think> {row.answer}"
    with Rewards(WORDS) as rewards:
        assert rewards.score_batch(["evaluator"], [row] * 2, [TEXTS[0], padded]).values["evaluator"] == [0.5, 1.0]
        wrong = next(choice for choice in row.choices if choice != row.answer)
        assert rewards.score_batch(["evaluator"], [row], [f"<think> {row.chain} </think> {wrong}"]).values == {
            "evaluator": [0.0]
        }
    with pytest.raises(DataError, match="row q1: it has no reference chain"):
        grade_length(dataclasses.replace(ROW, chain=" "), "a tone")


def test_noise_replaces_as_many_verdicts_as_it_says_and_leaves_the_others() -> None:
    plain = scores(MINI, "evaluator").values["evaluator"]
    assert set(plain) == {1.0}
    noisy = scores(dataclasses.replace(MINI, grader_noise=0.2), "evaluator")
    replaced = noisy.report.counts["evaluator_replaced"]
    assert 60 < replaced < 100
    others = [value for value in noisy.values["evaluator"] if value != 1.0]
    assert len(others) <= replaced
    assert len(set(others)) == 10
    assert scores(dataclasses.replace(MINI, grader_noise=1.0), "evaluator").report.counts["evaluator_replaced"] == 400


def test_noise_draws_the_same_for_a_row_and_chain_in_whatever_order_they_come() -> None:
    noisy = dataclasses.replace(MINI, grader_noise=0.5)
    forth = scores(noisy, "evaluator").values["evaluator"]
    back = scores(noisy, "hybrid", "evaluator", rows=range(399, -1, -1)).values["evaluator"]
    assert forth == back[::-1]
    assert scores(noisy, "evaluator", seed=1).values["evaluator"] != forth


def test_drawn_marks_have_no_part_in_what_is_marked() -> None:
    noise = GraderNoise(0.2, 7)
    drawn = [noise.marks(str(row), "a chain").mean for row in range(2000)]
    assert sum(drawn) / len(drawn) == pytest.approx(0.5, abs=0.02)
    assert sorted(set(drawn)) == pytest.approx([mark / 10 for mark in range(11)])
    assert sum(noise.supports(str(row), "a chain") for row in range(2000)) == pytest.approx(1000, abs=70)
    assert draw_number(0, "a", "b") == 0.9037744653769977
    assert draw_number(0, "a", "b") != draw_number(0, "ab", "")


def test_a_noisy_model_is_asked_as_before_and_its_true_verdicts_are_kept() -> None:
    texts = [completion(f"{GOOD} It was the {place} time.") for place in range(60)]
    with chatting(choose=lambda asked: Turn(marks(9)) if "four marks" in str(asked.json()) else honest(asked)) as chat:
        chosen = asking(chat, grader_noise=0.4)
        with Rewards(chosen) as rewards:
            first = rewards.score_batch(["evaluator", "consistency"], [ROW] * 60, texts)
            again = rewards.score_batch(["evaluator", "consistency"], [ROW] * 60, texts)
    assert len(chat.asked) == 120
    assert first.values == again.values
    told = first.report.counts
    assert 12 < told["evaluator_replaced"] < 36
    assert first.values["evaluator"].count(round(0.9 * 1024) / 1024) >= 60 - told["evaluator_replaced"]
    assert 0 < first.values["consistency"].count(0.0) <= told["consistency_replaced"] < 36


def test_a_random_reward_is_a_coin_that_knows_neither_answer_nor_chain() -> None:
    values = scores(MINI, "random").values["random"]
    assert set(values) == {0.0, 1.0}
    assert sum(values) == pytest.approx(200, abs=40)
    assert scores(MINI, "random").values["random"] == values
    assert scores(MINI, "random", seed=1).values["random"] != values
    with Rewards(MINI) as rewards:
        equal = rewards.score_batch(["random"], [ROWS[0]] * 64, [TEXTS[0]] * 64).values["random"]
    assert 16 < sum(equal) < 48, "completions that say the same draw apart"


def test_a_constant_reward_is_the_same_for_nonsense_and_for_the_right_answer() -> None:
    with Rewards(MINI) as rewards:
        batch = rewards.score_batch(["constant"], [ROW] * 3, [completion(GOOD), completion(OTHER, "a car leaves"), ""])
    assert batch.values == {"constant": [1.0, 1.0, 1.0]}
    assert batch.figures["low"] is None, "it is no mark of a chain"


@pytest.mark.parametrize("name", ["evaluator", "hybrid"])
def test_noise_without_an_evaluator_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"rewards: grader_noise = 0\.2: no evaluator is named"):
        RewardSettings(grader_noise=0.2)
    with pytest.raises(UserError, match="grader_noise = 2: 0 to 1 is expected"):
        RewardSettings(evaluator="word count", grader_noise=2)
    with Rewards(WORDS) as rewards:
        assert rewards.score_batch([name], [ROWS[0]], [TEXTS[0]]).values[name] == [0.5 if name == "evaluator" else 0.75]
