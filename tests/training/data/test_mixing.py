"""Which rows of several sources a stage trains on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from dtbench.harness.core.errors import DataError, UserError
from dtbench.training.data.mixing import Mixture, SourceRows, mix_rows
from dtbench.training.data.rows import TrainingRow


def source(name: str, count: int, ids: str | None = None) -> SourceRows:
    rows = [
        TrainingRow(f"{ids or name}{n}", Path("c.wav"), "which?", ("x", "y"), "x", source=name) for n in range(count)
    ]
    return SourceRows(name, rows)


def ids(rows: list[TrainingRow]) -> list[str]:
    return [row.id for row in rows]


A, B, C = source("a", 60), source("b", 40), source("c", 7)


def test_without_weights_each_row_of_each_source_is_taken_once_in_an_order_that_the_seed_decides() -> None:
    first, again, other = (mix_rows([A, B], Mixture(seed=seed)) for seed in (0, 0, 1))
    whole = ids([*A.rows, *B.rows])
    assert ids(first.rows) == ids(again.rows) != ids(other.rows)
    assert sorted(ids(first.rows)) == sorted(ids(other.rows)) == sorted(whole)
    assert ids(first.rows) != whole
    assert first.notes == ["60 of the 60 questions of a", "40 of the 40 questions of b"]
    assert ids(mix_rows([A, B], Mixture(shuffle=False)).rows) == whole


def test_questions_are_drawn_by_the_seed_and_not_the_first_of_the_file() -> None:
    drawn = ids(mix_rows([A], Mixture(questions=10)).rows)
    assert len(set(drawn)) == 10
    assert set(drawn) != set(ids([*A.rows[:10]]))
    backwards = SourceRows("a", A.rows[::-1])
    assert ids(mix_rows([backwards], Mixture(questions=10)).rows) == drawn
    assert set(drawn) != set(ids(mix_rows([A], Mixture(questions=10, seed=1)).rows))
    assert ids(mix_rows([A], Mixture(questions=10, shuffle=False)).rows) == ids([*A.rows[:10]])
    assert mix_rows([A], Mixture(questions=10)).notes == []


@pytest.mark.parametrize(
    ("weights", "questions", "expected"),
    [
        ((2, 1), 30, {"a": 20, "b": 10}),
        ((1, 1), 31, {"a": 16, "b": 15}),
        ((2, 1), None, {"a": 60, "b": 30}),
        ((1, 2), None, {"a": 20, "b": 40}),
        ((0.25, 0.75), 4, {"a": 1, "b": 3}),
        ((0.1, 0.2), 3, {"a": 1, "b": 2}),
        ((3, 1), 1, {"a": 1}),
    ],
)
def test_weights_are_shares_of_the_questions_and_without_a_number_all_that_they_allow(
    weights: tuple[float, ...], questions: int | None, expected: dict[str, int]
) -> None:
    mixed = mix_rows([A, B], Mixture(weights=weights, questions=questions))
    assert Counter(row.source for row in mixed.rows) == expected
    assert len(set(ids(mixed.rows))) == len(mixed.rows)
    assert mixed.notes[0] == f"{expected['a']} of the 60 questions of a"
    halves = [Counter(row.source for row in part) for part in (mixed.rows[::2], mixed.rows[1::2])]
    assert len(mixed.rows) < 30 or all(half["a"] and half["b"] for half in halves)


def test_three_sources_keep_their_shares_where_the_smallest_bounds_them() -> None:
    mixed = mix_rows([A, B, C], Mixture(weights=(3, 2, 1)))
    assert Counter(row.source for row in mixed.rows) == {"a": 21, "b": 14, "c": 7}


def test_a_source_that_is_too_small_for_its_share_is_told_with_what_can_be_had() -> None:
    with pytest.raises(UserError) as caught:
        mix_rows([A, C], Mixture(weights=(2, 1), questions=30))
    assert str(caught.value) == (
        "questions = 30: c has 7 questions, and its share by weights = [2, 1] is 10. "
        "Give it a smaller weight, or take questions = 21 at most."
    )
    assert len(mix_rows([A, C], Mixture(weights=(2, 1), questions=21)).rows) == 21


def test_a_row_that_two_sources_have_is_refused_and_so_is_a_source_that_is_named_twice() -> None:
    with pytest.raises(DataError, match=r"duplicate id a0 \(a, other\): a row is trained on once"):
        mix_rows([A, source("other", 1, ids="a")], Mixture(questions=2))
    with pytest.raises(UserError, match="data names a twice"):
        mix_rows([A, A], Mixture())
