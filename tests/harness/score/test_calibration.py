"""Calibration held to values worked out by hand, and to what must hold of any answers."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtbench.harness.score.calibration import (
    BINS,
    NO_LOGPROBS,
    Confidence,
    brier_score,
    calibration_error,
    calibration_figures,
    equal_mass,
    equal_width,
    error_by_chance,
    forced_answer,
    forced_figures,
)
from dtbench.harness.score.forced_choice import CHAIN_FIRST, HOW, NO_LETTER
from dtbench.harness.score.summary import summarise
from dtbench.tasks.mmar import Mmar

ANSWERS = st.lists(
    st.builds(
        Confidence,
        confidence=st.floats(0.0, 1.0),
        right=st.booleans(),
        brier=st.floats(0.0, 2.0),
        is_argmax=st.booleans(),
        letter_mass=st.floats(0.0, 1.0),
    ),
    min_size=1,
    max_size=60,
)


def sure(confidence: float, *, right: bool) -> Confidence:
    return Confidence(confidence, right, 0.0, is_argmax=True, letter_mass=1.0)


def record(logprobs: Sequence[float | None] | None, text: str = "A", **score: Any) -> Any:
    options = {} if logprobs is None else {"option_logprobs": list(logprobs)}
    how = HOW if text in "ABC" else NO_LETTER
    return {
        "id": "1",
        "sample": 0,
        "response": {"text": text, **options},
        "extraction": {"answer": text if how == HOW else "", "choice": None, "how": how},
        "score": {"correct": True, "gold_index": 0, **score},
    }


def test_the_error_is_the_distance_of_confidence_and_accuracy_by_bin() -> None:
    # 0.9, 0.9 (one right) and 0.95 (wrong) in other bins than 0.5 (right): |0.9-0.5|*2/4 + 0.95*1/4 + 0.5*1/4.
    answers = [sure(0.9, right=True), sure(0.9, right=False), sure(0.95, right=False), sure(0.5, right=True)]
    bins = equal_width(answers)
    assert [(one.n, one.confidence, one.accuracy) for one in bins] == [(1, 0.5, 1), (2, 0.9, 0.5), (1, 0.95, 0)]
    assert calibration_error(bins) == pytest.approx(0.4 * 2 / 4 + 0.95 / 4 + 0.5 / 4)


def test_bins_are_open_below_and_closed_above() -> None:
    bins = equal_width([sure(share, right=True) for share in (0.0, 0.2, 0.2000001, 0.5, 1.0)], bins=5)
    assert [(one.low, one.high, one.n) for one in bins] == [(0.0, 0.2, 2), (0.2, 0.4, 1), (0.4, 0.6, 1), (0.8, 1.0, 1)]


def test_bins_of_equal_size_hold_as_many_answers_each() -> None:
    bins = equal_mass([sure(share / 100, right=share % 2 == 0) for share in range(30)])
    assert [one.n for one in bins] == [2] * BINS
    assert [(one.low, one.high) for one in bins[:2]] == [(0.0, 0.01), (0.02, 0.03)]
    assert all(one.accuracy == 0.5 for one in bins)


def test_answers_of_one_confidence_are_never_parted_by_whether_they_are_right() -> None:
    answers = [sure(0.7, right=place < 70) for place in range(100)]
    (only,) = equal_mass(answers)
    assert (only.n, only.accuracy) == (100, 0.7)
    assert calibration_error([only]) == pytest.approx(0)


def test_many_answers_of_one_confidence_lie_where_their_middle_does() -> None:
    few, many = [sure(0.2, right=False)] * 2, [sure(0.9, right=True)] * 8
    assert [one.n for one in equal_mass([*few, *many], bins=2)] == [2, 8]


def test_few_answers_are_off_by_chance_and_many_hardly() -> None:
    assert error_by_chance([sure(0.5, right=True)]) == 0.5
    assert error_by_chance([sure(1.0, right=True)] * 3) == 0
    # The mean distance of a fair coin's share from a half is sqrt(1 / (2 pi n)).
    assert error_by_chance([sure(0.5, right=True)] * 400) == pytest.approx((2 * math.pi * 400) ** -0.5, rel=0.15)


def test_brier_is_over_all_options() -> None:
    assert brier_score((0.7, 0.2, 0.1), 0) == pytest.approx(0.09 + 0.04 + 0.01)
    assert brier_score((1.0, 0.0), 1) == 2
    assert brier_score((0.5, 0.5), None) == 0.5


@given(ANSWERS)
def test_whatever_the_answers_the_figures_are_in_range_and_every_answer_is_in_a_bin(answers: list[Confidence]) -> None:
    figures = calibration_figures(answers)
    assert figures is not None
    assert 0 <= figures["ece"] <= 1
    assert 0 <= figures["ece_equal_mass"] <= 1
    assert sum(one["n"] for one in figures["bins"]) == sum(one.n for one in equal_mass(answers)) == len(answers)
    assert all(one["low"] <= one["confidence"] <= one["high"] + 1e-9 for one in figures["bins"])


@given(ANSWERS)
def test_the_whole_gap_is_never_more_than_the_error(answers: list[Confidence]) -> None:
    figures = calibration_figures(answers)
    assert figures is not None
    gap = abs(figures["confidence"] - figures["accuracy"])
    assert gap <= figures["ece"] + 1e-9
    assert gap <= figures["ece_equal_mass"] + 1e-9


@given(ANSWERS, st.randoms())
def test_the_order_of_the_answers_says_nothing(answers: list[Confidence], dice: random.Random) -> None:
    shuffled = list(answers)
    dice.shuffle(shuffled)
    one, other = calibration_figures(answers), calibration_figures(shuffled)
    assert one is not None
    assert other is not None
    assert one["ece"] == pytest.approx(other["ece"])
    assert one["ece_equal_mass"] == pytest.approx(other["ece_equal_mass"])


def test_a_record_tells_how_sure_its_answer_was() -> None:
    found = forced_answer(record([math.log(0.6), math.log(0.15), math.log(0.05)]))
    assert found is not None
    assert found.scored is not None
    assert found.scored.confidence == pytest.approx(0.75)
    assert found.scored.brier == pytest.approx(0.25**2 + 0.1875**2 + 0.0625**2)
    assert found.scored.letter_mass == pytest.approx(0.8)
    assert (found.scored.right, found.scored.is_argmax) == (True, True)


def test_an_answer_that_was_not_the_likeliest_is_told() -> None:
    found = forced_answer(record([-2.0, -0.5, -3.0]))
    assert found is not None
    assert found.scored is not None
    assert not found.scored.is_argmax
    assert found.scored.confidence < 0.5


@pytest.mark.parametrize("logprobs", [None, [None, -0.5, -2.0]])
def test_an_answer_of_which_nothing_was_told_is_not_sure(logprobs: list[float | None] | None) -> None:
    found = forced_answer(record(logprobs))
    assert found is not None
    assert found.scored is None
    assert found.how == HOW
    assert found.with_logprobs == (logprobs is not None)


def test_a_free_or_failed_answer_is_not_a_forced_one() -> None:
    free = record(None)
    free["extraction"]["how"] = "chosen, by letter"
    assert forced_answer(free) is None
    failed: Any = {"id": "1", "sample": 0, "error": {"kind": "model", "message": "no"}}
    assert forced_answer(failed) is None


def test_a_summary_counts_what_has_no_probability() -> None:
    records = [record([-0.5, -1.0, -4.0]), record(None), record(None, text="The"), record([None, -0.2, -2.0])]
    records.append({**record(None), "extraction": {"answer": "", "choice": None, "how": CHAIN_FIRST}})
    found = [one for one in map(forced_answer, records) if one is not None]
    summary = forced_figures(found, known=True)
    assert {name: summary[name] for name in ("n", "no_letter", "started_with_chain", "with_logprobs", "scored")} == {
        "n": 5,
        "no_letter": 1,
        "started_with_chain": 1,
        "with_logprobs": 2,
        "scored": 1,
    }
    assert summary["calibration"] is not None
    assert summary["calibration"]["n"] == 1
    assert "note" not in summary


def test_a_summary_says_that_an_endpoint_tells_nothing() -> None:
    found = [one for one in map(forced_answer, [record(None), record(None)]) if one is not None]
    summary = forced_figures(found, known=True)
    assert (summary["note"], summary["calibration"], summary["letter_mass"]) == (NO_LOGPROBS, None, None)


def test_without_right_answers_there_is_no_calibration_and_without_forced_ones_no_word() -> None:
    found = [one for one in [forced_answer(record([-0.5, -1.0]))] if one is not None]
    assert forced_figures(found, known=False)["calibration"] is None
    assert "forced" not in summarise(Mmar(), [], expected=1)
