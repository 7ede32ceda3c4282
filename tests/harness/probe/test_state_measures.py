"""How far apart states and routing are, in numbers that can be checked by hand."""

from __future__ import annotations

import numpy
import pytest

from dtbench.harness.probe.state_measures import (
    cosine_distances,
    divergence_bits,
    entropy_bits,
    largest_dimensions,
    linear_cka,
    relative_distances,
    shared_experts,
)
from dtbench.harness.probe.state_records import as_floats, spread

STATES = numpy.random.default_rng(0).normal(size=(40, 24)).astype(numpy.float32)


def test_equal_states_are_at_distance_zero_to_the_last_bit() -> None:
    assert not cosine_distances(STATES, STATES.copy()).any()
    assert not relative_distances(STATES, STATES.copy()).any()
    assert linear_cka(STATES, STATES.copy()) == 1
    assert divergence_bits([3, 0, 5], [3, 0, 5]) == 0


def test_distances_are_those_of_geometry() -> None:
    one, other = [[1.0, 0.0], [1.0, 0.0], [2.0, 0.0]], [[0.0, 1.0], [-1.0, 0.0], [3.0, 0.0]]
    assert cosine_distances(one, other) == pytest.approx([1, 2, 0])
    assert relative_distances(one, other) == pytest.approx([2**0.5, 2, 0.5])


def test_a_turn_of_all_states_is_no_difference_to_cka() -> None:
    turn, _ = numpy.linalg.qr(numpy.random.default_rng(1).normal(size=(24, 24)))
    assert linear_cka(STATES, 3 * STATES @ turn) == pytest.approx(1)
    other = numpy.random.default_rng(2).normal(size=STATES.shape)
    assert (linear_cka(STATES, other) or 1) < 0.6


def test_states_that_do_not_differ_have_no_cka() -> None:
    assert linear_cka(numpy.ones((4, 3)), STATES[:4, :3]) is None


def test_divergence_is_one_bit_where_nothing_is_shared() -> None:
    assert divergence_bits([7, 0], [0, 2]) == 1
    assert divergence_bits([1, 1], [1, 0]) == pytest.approx(0.3113, abs=1e-4)
    assert divergence_bits([0, 0], [0, 2]) is None


def test_the_entropy_of_equal_gates_is_that_of_their_number() -> None:
    assert entropy_bits([[0.25] * 4, [1.0, 0, 0, 0]]) == pytest.approx([2, 0])


def test_experts_are_shared_in_whatever_order_they_are_chosen() -> None:
    assert shared_experts([[0, 1], [0, 1], [0, 1]], [[1, 0], [1, 2], [2, 3]]).tolist() == [1, 0.5, 0]


def test_the_largest_dimensions_are_five_of_many_and_none_of_few() -> None:
    totals = numpy.ones(64)
    totals[[3, 60, 7, 9, 11, 13]] = [9, 8, 7, 6, 5, 4]
    assert largest_dimensions(totals) == [3, 7, 9, 11, 60]
    assert largest_dimensions([1.0, 9.0]) == []


def test_states_in_bfloat16_come_back_bit_for_bit() -> None:
    exact = numpy.array([[1.5, -0.0078125, 3e38]], numpy.float32)
    kept = (exact.view(numpy.uint32) >> 16).astype(numpy.uint16)
    assert as_floats(kept).tolist() == (exact.view(numpy.uint32) >> 16 << 16).view(numpy.float32).tolist()


def test_tokens_for_cka_are_spread_over_a_segment() -> None:
    assert spread(range(100, 110), 2) == [102, 107]
    assert list(spread([4, 5], 3)) == [4, 5]
