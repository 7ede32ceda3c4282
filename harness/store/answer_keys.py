"""The keys of many answers in little memory, and which records they leave out."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any, NamedTuple

from dtbench.harness.core.text_table import TextTable
from dtbench.harness.store.growth import AskedAnswers, UnaskedAnswers
from dtbench.harness.store.jsonl import Key
from dtbench.harness.store.record_files import FilePart


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


class AnsweredKeys(Set[tuple[str, int]]):
    """The keys of answers; those of which every record failed are counted in, and are not among them."""

    def __init__(self) -> None:
        self.every = AnswerKeys()
        """The keys of all records."""
        self.failing: set[int] = set()
        """The numbers of those that failed each time."""

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> Any:
        return set(it)

    def __len__(self) -> int:
        return len(self.every) - len(self.failing)

    def __contains__(self, key: object) -> bool:
        number = self.every.number(key) if isinstance(key, tuple) else None
        return number is not None and number not in self.failing

    def __iter__(self) -> Iterator[Key]:
        return (self.every.key(number) for number in range(len(self.every)) if number not in self.failing)


class LeftOut(NamedTuple):
    """The records of a task that do not count, by their places in its files; hardly any run has some."""

    replaced: Set[int]
    """Those that another one stands in for."""
    others: Set[int]
    """Those that were not asked for last."""
    unasked: UnaskedAnswers


def find_left_out(
    lines: Iterable[tuple[Key, bool]], asked: AskedAnswers, answered: AnsweredKeys | None = None
) -> LeftOut:
    """Find what is left out of records: the key of each, and whether it failed; fill `answered` with the answers."""
    answered = AnsweredKeys() if answered is None else answered
    keys, failing, standing = answered.every, answered.failing, array("I")
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


class KnownAnswers:
    """What has been found in the records of each task; it holds as long as none of its files changes."""

    def __init__(self) -> None:
        self._left_out: dict[str, tuple[Sequence[FilePart], AskedAnswers, LeftOut]] = {}
        self._answered: dict[str, tuple[Sequence[FilePart], AnsweredKeys]] = {}

    def find(
        self, task: str, parts: Sequence[FilePart], asked: AskedAnswers, lines: Iterable[tuple[Key, bool]]
    ) -> AnsweredKeys:
        """Find which answers are among records, and what is left out of these."""
        answered = AnsweredKeys()
        self._left_out[task] = (parts, asked, find_left_out(lines, asked, answered))
        return answered

    def left_out(self, task: str, parts: Sequence[FilePart], asked: AskedAnswers) -> LeftOut | None:
        """Return what is left out; None where it has not been found yet."""
        known = self._left_out.get(task)
        return known[2] if known is not None and known[:2] == (parts, asked) else None

    def keep_answered(self, task: str, parts: Sequence[FilePart], answered: AnsweredKeys) -> None:
        """Keep which answers there are for the next one who wants to know."""
        self._answered[task] = (parts, answered)

    def take_answered(self, task: str, parts: Sequence[FilePart]) -> AnsweredKeys | None:
        """Return which answers there are, once, for there may be many; None where it has not been found yet."""
        known = self._answered.pop(task, None)
        return known[1] if known is not None and known[0] == parts else None

    def update(self, other: KnownAnswers) -> None:
        """Take over what another one knows."""
        self._left_out.update(other._left_out)
        self._answered.update(other._answered)
