from __future__ import annotations

import random

import pytest

from dtbench.harness.core.packed_numbers import PackedInts, PackedSeconds, ordered
from dtbench.harness.core.text_table import RepeatedHashes, TextMap, TextTable

TEXTS = ["", "a", "ä", "鳥", "\ud800", "a b", "a\0b", "q" * 500]


def test_texts_come_back_in_order_and_by_place() -> None:
    table = TextTable(TEXTS)
    assert list(table) == TEXTS
    assert [table[place] for place in range(len(TEXTS))] == TEXTS
    assert (table[-1], table[1:3]) == (TEXTS[-1], ["a", "ä"])
    assert table == TEXTS
    assert table != TEXTS[:-1]
    with pytest.raises(IndexError):
        table[len(TEXTS)]


def test_a_table_finds_what_a_dict_finds() -> None:
    dice = random.Random(22)
    table, known = TextTable(), dict[str, int]()
    for _ in range(20_000):
        text = f"q{dice.randrange(6000)}"
        assert table.add(text) == known.setdefault(text, len(known))
    assert list(table) == list(known)
    assert all(table.find(f"q{number}") == known.get(f"q{number}") for number in range(7000))
    assert (table.distinct(), len(table)) == (len(known), len(known))


def test_of_equal_texts_the_last_is_found() -> None:
    before, after = TextTable(["a", "b", "a"]), TextTable(["a"])
    assert after.find("a") == 0
    after.append("b")
    after.append("a")
    assert (before.find("a"), after.find("a"), before.distinct(), after.distinct()) == (2, 2, 2, 2)


def test_a_map_keeps_the_last_value_of_each_key() -> None:
    texts = TextMap()
    for number in range(500):
        texts[f"q{number % 100}"] = f"v{number % 7}"
    assert dict(texts) == {f"q{number % 100}": f"v{number % 7}" for number in range(500)}
    assert texts.get("other") is None


def test_a_number_that_comes_again_is_found() -> None:
    numbers = RepeatedHashes()
    for number in [*range(-5000, 0), *range(2, 5000)]:  # 0 counts as 1: what is found is looked at closely
        numbers.add(number)
    assert not numbers.found
    numbers.add(-17)
    assert numbers.found


def test_numbers_widen_as_they_must() -> None:
    values = [0, -1, 127, 128, -40_000, 2**31, -(2**63), 2**63 - 1]
    packed = PackedInts()
    for place, value in enumerate(values):
        packed.put(place, value)
        assert list(packed) == values[: place + 1]
    packed.put(0, 7)
    assert (packed[0], len(packed)) == (7, len(values))
    assert list(PackedInts(3)) == [-1, -1, -1]


def test_durations_are_what_was_put() -> None:
    packed = PackedSeconds()
    for place in range(3):
        packed.put(place, 0.0)
    assert (packed.are_zero, list(packed)) == (True, [0.0] * 3)
    packed.put(1, 0.25)
    packed.put(3, 1.5)
    assert (packed.are_zero, list(packed)) == (False, [0.0, 0.25, 0.0, 1.5])


def test_numbers_are_ordered_as_sorted_orders_them() -> None:
    dice = random.Random(5)
    values = [dice.random() for _ in range(150_000)]
    assert list(ordered("d", values)) == sorted(values)
    assert list(ordered("q", [])) == []
