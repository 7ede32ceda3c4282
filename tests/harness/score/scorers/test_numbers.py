"""Open answers that are numbers."""

from __future__ import annotations

from typing import Any

import pytest

from dtbench import Mark, Sample
from dtbench.harness.score.scorers.numbers import number, read_numbers

BEATS = Sample("q", "How fast?", (), "120")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("3", [3.0]),
        ("-2.5 dB", [-2.5]),
        ("−2 dB", [-2.0]),
        ("1,234.5 and 12,5", [1234.5, 12.0, 5.0]),
        ("3-5 kHz", [3.0, 5.0]),
        ("Twenty-one or forty two", [21.0, 42.0]),
        ("1e3Hz", [1000.0]),
        (".5", [0.5]),
        ("x9 is not a number, someone says", []),
    ],
)
def test_numbers_are_read_in_figures_and_in_words(text: str, numbers: list[float]) -> None:
    assert read_numbers(text) == numbers


@pytest.mark.parametrize(
    ("text", "options", "value"),
    [
        ("120 bpm", {}, 1.0),
        ("One hundred, no: answer: 120.0", {}, 1.0),
        ("118", {}, 0.0),
        ("118", {"tolerance": 2}, 1.0),
        ("126", {"relative": 0.05}, 1.0),
        ("127", {"relative": 0.05}, 0.0),
        ("first 120, then 90", {}, 0.0),
        ("first 120, then 90", {"take": "first"}, 1.0),
        ("first 120, then 90", {"take": "only"}, None),
        ("120 bpm over 8 bars", {"unit": "bpm"}, 1.0),
        ("120 bpmx", {"unit": "bpm"}, None),
        ("fast", {}, None),
        ("", {}, None),
    ],
)
def test_a_number_is_right_within_its_tolerance(text: str, options: dict[str, Any], value: float | None) -> None:
    assert number(BEATS, text, **options).value == value


def test_a_gold_may_be_spelled_and_one_without_a_number_is_refused() -> None:
    assert number(Sample("q", "?", (), "twelve"), "12") == Mark(1.0, "12", "number")
    assert number(Sample("q", "?", (), "many"), "12").fault == "its answer 'many' is not a number"
    assert number(Sample("q", "?", (), None), "12").fault.startswith("it has no answer")
