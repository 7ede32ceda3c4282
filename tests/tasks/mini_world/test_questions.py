"""The questions of mini: answers that the sounds give and the words do not."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import pytest

from dtbench.tasks.mini_world.criteria import COUNT, criteria_met
from dtbench.tasks.mini_world.events import VOCABULARY
from dtbench.tasks.mini_world.items import Item, make_item
from dtbench.tasks.mini_world.splits import SPLITS, slots

ASKED = ("test", "train-1", "train-2")


@pytest.fixture(scope="module")
def splits() -> dict[str, list[Item]]:
    return {name: [make_item(slot) for slot in slots(name)] for name in ASKED}


def everything(splits: dict[str, list[Item]]) -> Iterable[Item]:
    return (item for items in splits.values() for item in items)


def test_splits_have_the_sizes_that_they_tell(splits: dict[str, list[Item]]) -> None:
    assert {name: len(items) for name, items in splits.items()} == {"test": 600, "train-1": 4050, "train-2": 4050}
    assert all(SPLITS[name].size == len(items) for name, items in splits.items())


def test_no_clip_is_there_twice_in_all_splits(splits: dict[str, list[Item]]) -> None:
    assert len({item.events for item in everything(splits)}) == 8700
    assert len({item.slot.id for item in everything(splits)}) == 8700


def test_no_clip_of_a_split_can_be_one_of_another(splits: dict[str, list[Item]]) -> None:
    residues = {name: {item.events[0].span.start % 4 for item in items} for name, items in splits.items()}
    assert residues == {"test": {0}, "train-1": {1}, "train-2": {2}}
    assert {make_item(slot).events[0].span.start % 4 for slot in slots("base")[:500]} == {3}


def test_each_category_and_difficulty_is_asked_equally_often(splits: dict[str, list[Item]]) -> None:
    counts = Counter((item.slot.category, item.slot.difficulty) for item in splits["test"])
    assert len(counts) == 12
    assert set(counts.values()) == {50}
    hard = {
        name: sum(item.slot.difficulty == "boundary" for item in items) / len(items) for name, items in splits.items()
    }
    assert hard == {"test": 0.5, "train-1": 0.2, "train-2": 0.8}


def test_there_are_two_to_five_options_and_chance_is_about_three_in_ten(splits: dict[str, list[Item]]) -> None:
    for items in splits.values():
        assert {len(item.choices) for item in items} == {2, 3, 4, 5}
        assert sum(1 / len(item.choices) for item in items) / len(items) == pytest.approx(0.305, abs=0.005)


def test_each_place_is_right_equally_often(splits: dict[str, list[Item]]) -> None:
    for items in splits.values():
        for options in (2, 3, 4, 5):
            places = [item.choices.index(item.solution.answer) for item in items if len(item.choices) == options]
            assert max(Counter(places).values()) / len(places) < 1 / options + 0.06


@pytest.mark.parametrize(
    "seen",
    [
        lambda item: (item.question,),
        lambda item: (item.question, item.choices),
        lambda item: (item.question, frozenset(item.choices)),
        lambda item: (item.slot.category, len(item.choices)),
    ],
    ids=["question", "options in order", "options", "category"],
)
def test_the_words_alone_do_not_beat_chance(splits: dict[str, list[Item]], seen: Any) -> None:
    """Learnt on all training items: for each wording, how often each answer is right; the best one is given."""
    learnt: dict[object, Counter[str]] = defaultdict(Counter)
    for name in ("train-1", "train-2"):
        for item in splits[name]:
            learnt[seen(item)][item.solution.answer] += 1
    test = splits["test"]
    right = sum(
        max(item.choices, key=lambda choice: learnt[seen(item)][choice]) == item.solution.answer for item in test
    )
    chance = sum(1 / len(item.choices) for item in test)
    spread = math.sqrt(sum(1 / len(item.choices) * (1 - 1 / len(item.choices)) for item in test))
    assert right < chance + 2.5 * spread


def test_the_answer_follows_from_the_description(splits: dict[str, list[Item]]) -> None:
    for item in everything(splits):
        assert item.chain.startswith(item.description)
        assert item.chain.endswith(f"so the answer is {item.solution.answer}")
        assert item.solution.answer in item.choices
        assert len(set(item.choices)) == len(item.choices)


def test_the_reference_chain_meets_all_five_criteria_and_no_other_chain_does(splits: dict[str, list[Item]]) -> None:
    items = splits["test"]
    for item, other in zip(items, items[1:] + items[:1], strict=True):
        record = item.as_published()
        assert criteria_met(record, record["thinking"]) == (True,) * COUNT
        assert not any(criteria_met(record, ""))
        if other.chain != item.chain:
            assert not all(criteria_met(record, other.chain))


def test_criteria_have_the_form_of_mmar_rubrics(splits: dict[str, list[Item]]) -> None:
    for item in splits["test"]:
        record = item.as_published()
        assert len(record["rubric"]) == len(record["cue"]) == COUNT
        for criterion in record["rubric"]:
            assert list(criterion) == ["name", "scoring_point", "note", "choices"]
            assert criterion["choices"] == [0, 1]
        assert len({criterion["name"] for criterion in record["rubric"]}) == COUNT


def test_every_word_is_in_the_vocabulary(splits: dict[str, list[Item]]) -> None:
    words = {
        word
        for item in everything(splits)
        for text in (item.question, item.chain, *item.choices)
        for word in text.split()
    }
    assert words <= set(VOCABULARY)
    assert len(set(VOCABULARY)) == len(VOCABULARY) < 120
