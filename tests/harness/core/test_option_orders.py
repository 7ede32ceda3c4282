"""All orders of the options: each once, the data set's own first, and drawn where there are too many."""

from __future__ import annotations

from itertools import permutations

import pytest

from dtbench.harness.core.option_orders import MOST_ORDERS, option_places, order_count


@pytest.mark.parametrize(("options", "count"), [(0, 1), (1, 1), (2, 2), (3, 6), (4, 24), (5, 24), (10, 24)])
def test_a_small_set_has_all_its_orders_and_a_larger_one_so_many(options: int, count: int) -> None:
    assert order_count(options) == count
    orders = [tuple(option_places(options, 0, number, "key")) for number in range(1, count + 1)]
    assert len(set(orders)) == count
    assert orders[0] == tuple(range(options))
    assert all(sorted(order) == list(range(options)) for order in orders)
    if options <= 4:
        assert set(orders) == set(permutations(range(options)))


def test_drawn_orders_are_those_of_the_question_and_the_same_again() -> None:
    def orders(key: str) -> list[tuple[int, ...]]:
        return [tuple(option_places(6, 0, number, key)) for number in range(1, MOST_ORDERS + 1)]

    assert orders("a") == orders("a") != orders("b")


def test_a_rotation_moves_the_first_ones_to_the_end() -> None:
    assert option_places(4, 1, 1, "") == [1, 2, 3, 0]
    assert option_places(4, 6, 1, "") == [2, 3, 0, 1]
    assert option_places(0, 3, 1, "") == []
