"""The keys of many answers in little memory, and which records they leave out."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Set
from typing import Any, NamedTuple

from dtbench.harness.core.text_table import TextTable
from dtbench.harness.store.growth import AskedAnswers, UnaskedAnswers
from dtbench.harness.store.jsonl import Key


class AnswerKeys(Set[tuple[str, int]]):
    """A set of keys, each with a number in the order in which they were added."""

    def __init__(self, keys: Iterable[tuple[str, int]] = ()) -> None:
        self._texts = TextTable()
        self.samples: set[int] = set()
        """Which of the answers to a question there are, such as 0 and 1."""
        for key in keys:
            self.add(key)

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> Any:
        return set(it)

    def __len__(self) -> int:
        return len(self._texts)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, tuple) and self.number(key) is not None

    def __iter__(self) -> Iterator[Key]:
        for text in self._texts:
            sample, _, id_ = text.partition(" ")
            yield Key(id_, int(sample))

    def add(self, key: tuple[str, int]) -> int:
        """Return the number of a key, which is added where it is not there."""
        self.samples.add(key[1])
        return self._texts.add(f"{key[1]} {key[0]}")

    def number(self, key: tuple[str, int]) -> int | None:
        """Return the number of a key; None where it is not there."""
        return self._texts.find(f"{key[1]} {key[0]}")

    def key(self, number: int) -> Key:
        """Return the key with a number."""
        sample, _, id_ = self._texts[number].partition(" ")
        return Key(id_, int(sample))


class LeftOut(NamedTuple):
    """The records of a task that do not count, by their places in its files; hardly any run has some."""

    replaced: Set[int]
    """Those that another one stands in for."""
    others: Set[int]
    """Those that were not asked for last."""
    unasked: UnaskedAnswers


def find_left_out(lines: Iterable[tuple[Key, bool]], asked: AskedAnswers) -> LeftOut:
    """Find what is left out of records: the key of each, and whether it failed."""
    keys, standing = AnswerKeys(), array("I")
    failing: set[int] = set()
    replaced: set[int] = set()
    for place, (key, failed) in enumerate(lines):
        number = keys.add(key)
        is_new = number == len(standing)
        if not failed:
            failing.discard(number)
        elif is_new or number in failing:
            failing.add(number)
        else:
            replaced.add(place)
            continue
        if is_new:
            standing.append(place)
        else:
            replaced.add(standing[number])
            standing[number] = place
    if asked.ids is None and (asked.samples is None or max(keys.samples, default=-1) < asked.samples):
        return LeftOut(replaced, frozenset(), UnaskedAnswers())
    others = [number for number, key in enumerate(keys) if not asked.cover(Key(*key))]
    unasked = UnaskedAnswers.of([keys.key(number) for number in others if number not in failing], asked)
    return LeftOut(replaced, {standing[number] for number in others}, unasked)
