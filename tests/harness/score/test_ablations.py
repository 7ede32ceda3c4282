from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from made_up_run import Record, answered, failed, write_run
from small_data import mmar_items, mmar_v2_folder

from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import rotate_options
from dtbench.harness.run.plan import PromptForm
from dtbench.harness.score import ablations
from dtbench.harness.score.ablations import Order, compare_related
from dtbench.harness.score.forced_choice import HOW
from dtbench.harness.stats.intervals import share
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks.mmar import Mmar

TASK = Mmar()
audio_effect: Any = ablations.audio_effect
style_effect: Any = ablations.style_effect
order_effect: Any = ablations.order_effect
order_average: Any = ablations.order_average
LETTER_A = (0.7, 0.2, 0.1)
"""A model that likes the first letter, whatever it stands for."""


def questions(count: int) -> list[Sample]:
    items = [item for item in mmar_items(2 * count) if len(item["choices"]) > 2][:count]
    return [Sample(i["id"], "", tuple(i["choices"]), i["answer"], Path("x"), {}, i) for i in items]


def says(sample: Sample, place: int, repeat: int = 0) -> Record:
    """An answer that names the option at this place."""
    return answered(TASK, sample, sample.choices[place], repeat)


def test_what_only_listening_tells_is_the_gap() -> None:
    asked = questions(40)
    plain = [says(sample, 0) for sample in asked]
    silent = [says(sample, 0 if number < 10 else 1) for number, sample in enumerate(asked)]
    found = audio_effect(plain, silent, {})
    assert (found["n"], found["unmatched"], found["plain"], found["altered"]) == (40, 0, 1.0, 0.25)
    assert found["gap"]["gap"] == 0.75
    assert 0.55 < found["gap"]["low"] < 0.75 < found["gap"]["high"] < 0.9
    assert found["same_choice"] == share(10, 40)._asdict()


def test_a_model_that_does_not_listen_has_no_gap_and_the_same_choices() -> None:
    asked = questions(30)
    plain = [says(sample, number % 2) for number, sample in enumerate(asked)]
    random.Random(0).shuffle(asked)
    found = audio_effect(plain, list(reversed(plain)), {})
    assert found["gap"]["gap"] == 0
    assert found["gap"]["low"] < 0 < found["gap"]["high"]
    assert found["same_choice"]["accuracy"] == 1


def test_what_failed_in_either_run_is_left_out_and_told() -> None:
    asked = questions(4)
    plain = [says(asked[0], 0), says(asked[1], 0), failed(asked[2]), says(asked[3], 0)]
    silent = [says(asked[0], 0), failed(asked[1]), says(asked[2], 0)]
    found = audio_effect(plain, silent, {})
    assert (found["n"], found["unmatched"], found["plain"]) == (1, 3, 1.0)


def test_without_a_question_in_common_nothing_is_said() -> None:
    one, two = questions(2)
    found = audio_effect([says(one, 0)], [says(two, 0)], {})
    assert (found["n"], found["unmatched"]) == (0, 2)
    assert found["plain"] is found["altered"] is found["gap"] is found["same_choice"] is None


def test_repeats_of_a_question_are_one_pair() -> None:
    asked = questions(20)
    once = audio_effect([says(s, 0) for s in asked], [says(s, n % 2) for n, s in enumerate(asked)], {})
    thrice = audio_effect(
        [says(s, 0, repeat) for s in asked for repeat in range(3)],
        [says(s, n % 2, repeat) for n, s in enumerate(asked) for repeat in range(3)],
        {},
    )
    assert thrice["gap"] == pytest.approx(once["gap"])
    assert thrice["n"] == once["n"]


def test_questions_about_one_clip_hang_together_and_tell_less() -> None:
    asked = questions(240)
    plain = [says(sample, 0) for sample in asked]
    silent = [says(sample, number // 4 % 2) for number, sample in enumerate(asked)]
    apart = audio_effect(plain, silent, {})["gap"]
    together = audio_effect(plain, silent, {sample.id: number // 4 for number, sample in enumerate(asked)})["gap"]
    assert together["gap"] == apart["gap"] == 0.5
    assert 1.5 < (together["high"] - together["low"]) / (apart["high"] - apart["low"]) < 2.5


def test_an_unreadable_answer_is_no_choice_that_could_stay() -> None:
    (sample,) = questions(1)
    silent = [answered(TASK, sample, "Hm.")]
    assert audio_effect(silent, silent, {})["same_choice"] is None
    assert audio_effect([says(sample, 0)], silent, {})["same_choice"]["accuracy"] == 0


def test_another_style_is_told_with_its_gap_and_how_often_the_choices_differ() -> None:
    asked = questions(40)
    plain = [says(sample, 0) for sample in asked]
    other = [says(sample, 0 if number < 30 else 1) for number, sample in enumerate(asked)]
    found = style_effect(plain, other, {})
    assert (found["n"], found["unmatched"], found["plain"], found["this"]) == (40, 0, 1.0, 0.75)
    assert found["gap"]["gap"] == -0.25
    assert found["gap"]["low"] < -0.25 < found["gap"]["high"] < 0
    assert found["differ"] == share(10, 40)._asdict()


def test_where_one_of_two_styles_made_no_choice_nothing_differs_and_it_is_counted() -> None:
    one, two, three = questions(3)
    plain = [says(one, 0), answered(TASK, two, "Hm."), says(three, 1), failed(questions(4)[3])]
    found = style_effect(plain, [says(one, 1), says(two, 0), answered(TASK, three, "Hm.")], {})
    assert (found["n"], found["unmatched"], found["no_choice"]) == (3, 0, 2)
    assert found["differ"] == share(1, 1)._asdict()
    nothing = style_effect([says(one, 0)], [says(two, 0)], {})
    assert (nothing["n"], nothing["unmatched"]) == (0, 2)
    assert nothing["differ"] is nothing["gap"] is nothing["plain"] is None


def test_an_answer_by_place_moves_with_the_order_and_an_answer_by_content_stays() -> None:
    asked = questions(30)
    orders = range(3)
    by_content = [[says(sample, 0) for sample in asked] for _ in orders]
    by_place = [[answered(TASK, s, rotate_options(s, turn).choices[0]) for s in asked] for turn in orders]
    stays, moves = order_effect(by_content), order_effect(by_place)
    assert (stays["moved"]["accuracy"], stays["moved_between_two"], stays["right_in_all"]) == (0, 0, 1)
    assert (moves["moved"]["accuracy"], moves["moved_between_two"]) == (1, 1)
    assert (moves["right_in_all"], moves["right_in_some"], moves["accuracy"]) == (0, 1, [1, 0, 0])


def test_orders_are_compared_on_the_questions_that_all_of_them_answered() -> None:
    one, two = questions(2)
    found = order_effect([[says(one, 0), says(two, 0)], [says(one, 1), failed(two)], [says(one, 0), says(two, 0)]])
    assert (found["orders"], found["n"], found["unmatched"]) == (3, 1, 1)
    assert found["moved_between_two"] == pytest.approx(2 / 3)
    assert order_effect([[says(one, 0)]])["moved"] is None
    assert order_effect([])["moved"] is None


def folder_of_runs(home: Path) -> Path:
    data = home / "data"
    mmar_v2_folder(data)

    def by_place(sample: Sample, repeat: int) -> str:
        return sample.choices[0]  # the right one, in these questions

    run = home / "run"
    write_run(run, {"mmar": data}, by_place)
    write_run(
        run / "audio-silence", {"mmar": data}, lambda sample, _: sample.choices[1], form=PromptForm(audio="silence")
    )
    write_run(run / "permute-1", {"mmar": data}, lambda sample, _: sample.choices[1], form=PromptForm(permute=1))
    write_run(run / "permute-2", {"mmar": data}, by_place, form=PromptForm(permute=2))
    return run


def test_a_run_is_compared_with_those_in_the_same_folder(tmp_path: Path) -> None:
    run = folder_of_runs(tmp_path)
    silent: Any = compare_related(StoredRun.open(run / "audio-silence"), "mmar")
    assert silent["audio_ablation"]["gap"]["gap"] == 1
    turned: Any = compare_related(StoredRun.open(run / "permute-1"), "mmar")
    assert turned["order_sensitivity"]["accuracy"] == [1, 0, 1]
    assert turned["order_sensitivity"]["moved"]["accuracy"] == 1
    assert compare_related(StoredRun.open(run), "mmar") == {}


def test_runs_on_other_questions_are_not_compared(tmp_path: Path) -> None:
    run = folder_of_runs(tmp_path)
    stored = StoredRun.open(run / "audio-silence")
    stored.info["tasks"]["mmar"]["data"]["sha256"] = "other"
    assert compare_related(stored, "mmar") == {}
    (run / "run.json").unlink()
    assert compare_related(StoredRun.open(run / "audio-silence"), "mmar") == {}


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
