"""Lists and transcripts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtbench import Sample
from dtbench.harness.score.scorers.sequences import edit_distance, listed, sign_errors, word_errors

ORDER = Sample("q", "In which order?", (), "horn, bell, clock")
SPEECH = Sample("q", "What is said?", (), "The bell rings at noon.")


@pytest.mark.parametrize(
    ("text", "options", "value"),
    [
        ("Horn, bell, clock.", {}, 1.0),
        ("1. a horn\n2. the bell\n3. clock", {}, 1.0),
        ("horn -> bell -> clock", {}, 1.0),
        ("Answer: horn, then bell and clock", {}, 1.0),
        ("bell, horn, clock", {}, 0.0),
        ("bell, horn, clock", {"ordered": False}, 1.0),
        ("bell, horn, clock", {"partial": True}, 2 / 3),
        ("horn, clock", {"partial": True}, 0.8),
        ("horn, horn", {"ordered": False, "partial": True}, 0.4),
        ("drum", {"partial": True}, 0.0),
        (" , ", {}, None),
        ("", {}, None),
    ],
)
def test_a_list_is_right_in_its_order_in_any_or_in_part(
    text: str, options: dict[str, Any], value: float | None
) -> None:
    assert listed(ORDER, text, **options).value == (None if value is None else pytest.approx(value))


def test_a_published_list_is_the_list_itself() -> None:
    sample = Sample("q", "?", (), "horn, loud", item={"answer": ["horn, loud", "bell"]})
    assert listed(sample, "horn; loud; bell").value == 0.0
    assert listed(Sample("q", "?", (), None), "horn").fault.startswith("it has no answer")


@pytest.mark.parametrize(
    ("text", "options", "value"),
    [
        ("the bell rings at noon", {}, 1.0),
        ("the bell rings noon", {}, 0.8),
        ("The Bell rings at noon.", {"case": True}, 0.8),
        ("the bell rings at noon", {"punctuation": True}, 0.8),
        ("one two three four five six seven eight nine", {}, 0.0),
        ("", {}, None),
    ],
)
def test_a_transcript_loses_a_part_for_each_word_that_is_wrong(
    text: str, options: dict[str, Any], value: float | None
) -> None:
    assert word_errors(SPEECH, text, **options).value == (None if value is None else pytest.approx(value))


def test_characters_count_one_by_one_and_the_nearest_reference_counts() -> None:
    assert sign_errors(SPEECH, "the ball rings at noon").value == pytest.approx(1 - 1 / 22)
    two = Sample("q", "?", (), "noon", item={"also": ["midday"]})
    assert word_errors(two, "midday", aliases="also").value == 1.0
    assert word_errors(two, "midnight", aliases="also").why == "word error rate 1.0000"


@given(st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_the_distance_is_that_of_the_usual_table(one: str, other: str) -> None:
    row = list(range(len(other) + 1))
    for number, sign in enumerate(one, start=1):
        before, row[0] = row[0], number
        for place, against in enumerate(other, start=1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (sign != against))
    assert edit_distance(one, other) == row[-1]
