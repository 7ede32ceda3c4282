"""The questions that two runs answered, in columns: some dozens of bytes a question, however many there are."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, overload

from dtbench.harness.core.packed_numbers import PackedInts, PackedSeconds
from dtbench.harness.score.outcomes import NO_CLIP_SHARED, Answer, AnswerOutcome, Groups, Outcomes
from dtbench.harness.stats.paired_tests import SharePairs


class PairedQuestion(NamedTuple):
    """One question of both runs, all its repeats together."""

    id: str
    before: float
    after: float
    choices: tuple[str | None, str | None]
    """What was chosen, by the first repeat of each."""
    groups: Groups
    chains: tuple[float, float] = (0.0, 0.0)
    """The mean length of the chains of thought in each run, in characters."""


class AnsweredQuestions(Mapping[str, Sequence[Answer]]):
    """The answers of a run to each question, in the order of the ids; those that failed are left out."""

    def __init__(self, outcomes: Outcomes, left_out: Sequence[bool] = ()) -> None:
        """Take all answers but those that failed, and those of kinds that are to be left out."""
        self.outcomes = outcomes
        self._samples = outcomes.samples
        self._left_out = left_out or [kind.failed is not None for kind in outcomes.kinds]
        self._count = len(outcomes) if not any(self._left_out) and len(self._samples) == 1 else len(self._ids())

    def without(self, leaves_out: Callable[[AnswerOutcome], bool]) -> AnsweredQuestions:
        """Return the same without the answers of these kinds."""
        more = [leaves_out(kind) for kind in self.outcomes.kinds]
        if not any(more):
            return self
        return AnsweredQuestions(self.outcomes, [a or b for a, b in zip(self._left_out, more, strict=True)])

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids())

    def __getitem__(self, id_: str) -> Sequence[Answer]:
        if answers := [self.outcomes.answer(place, key, NO_CLIP_SHARED) for place, key in self._of(id_)]:
            return answers
        raise KeyError(id_)

    def first_place(self, id_: str) -> int:
        """Return where the first answer to a question stands among the outcomes."""
        return next(place for place, _ in self._of(id_))

    def _of(self, id_: str) -> Iterator[tuple[int, tuple[str, int]]]:
        for sample in self._samples:
            place = self.outcomes.place(id_, sample)
            if place is not None and not self._left_out[self.outcomes.kind_numbers[place]]:
                yield place, (id_, sample)

    def _ids(self) -> list[str]:
        each = zip(self.outcomes.keys(), self.outcomes.kind_numbers, strict=True)
        answered = (id_ for (id_, _), number in each if not self._left_out[number])
        return sorted(answered if len(self._samples) == 1 else set(answered))


@dataclass(slots=True)
class _Columns:
    """What is held of each question, by its place."""

    runs: tuple[Outcomes, Outcomes]
    places: tuple[PackedInts, PackedInts] = field(default_factory=lambda: (PackedInts(), PackedInts()))
    """Where the first answer of each run stands among its outcomes."""
    before: array[float] = field(default_factory=lambda: array("d"))
    after: array[float] = field(default_factory=lambda: array("d"))
    chains: tuple[PackedSeconds, PackedSeconds] = field(default_factory=lambda: (PackedSeconds(), PackedSeconds()))

    def groups(self, place: int) -> Groups:
        first = self.runs[0]
        return first.kinds[first.kind_numbers[self.places[0][place]]].groups


class PairedQuestions(Sequence[PairedQuestion]):
    """The questions of two runs, or some of them; each is made anew when it is looked at."""

    def __init__(self, columns: _Columns, places: Sequence[int] | None = None) -> None:
        self._columns = columns
        self._places = range(len(columns.before)) if places is None else places

    @classmethod
    def of(
        cls, one: AnsweredQuestions, other: AnsweredQuestions, share: Callable[[Sequence[Answer]], float]
    ) -> PairedQuestions:
        """Pair the questions that both runs answered; `share` says which part of some answers is right."""
        columns = _Columns((one.outcomes, other.outcomes))
        for id_ in one:
            if (after := other.get(id_)) is None:
                continue
            before, at = one[id_], len(columns.before)
            columns.before.append(share(before))
            columns.after.append(share(after))
            for run, answers, places, chains in zip(
                (one, other), (before, after), columns.places, columns.chains, strict=True
            ):
                places.put(at, run.first_place(id_))
                chains.put(at, sum(answer.chain for answer in answers) / len(answers))
        return cls(columns)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> PairedQuestion: ...
    @overload
    def __getitem__(self, place: slice) -> PairedQuestions: ...
    def __getitem__(self, place: int | slice) -> PairedQuestion | PairedQuestions:
        if isinstance(place, slice):
            return PairedQuestions(self._columns, self._places[place])
        return self._question(self._places[place])

    def __iter__(self) -> Iterator[PairedQuestion]:
        return map(self._question, self._places)

    def _question(self, at: int) -> PairedQuestion:
        held = self._columns
        first, second = held.places[0][at], held.places[1][at]
        choices = (held.runs[0].choice(first), held.runs[1].choice(second))
        chains = (held.chains[0][at], held.chains[1][at])
        id_ = held.runs[0].keys().key(first).id
        return PairedQuestion(id_, held.before[at], held.after[at], choices, held.groups(at), chains)

    def ids(self) -> Iterator[str]:
        """Yield their ids."""
        keys, first = self._columns.runs[0].keys(), self._columns.places[0]
        return (keys.key(first[at]).id for at in self._places)

    def shares(self, clusters: Mapping[str, int]) -> SharePairs:
        """Return their shares as tests and intervals take them; `clusters` numbers the clips that several share."""
        before, after = (
            array("d", (column[at] for at in self._places)) for column in (self._columns.before, self._columns.after)
        )
        numbers = None
        if clusters:
            numbers = array("q", (clusters.get(id_, -1 - at) for at, id_ in enumerate(self.ids())))
        return SharePairs(before, after, numbers)

    def after_shares(self) -> Iterator[float]:
        """Yield the share of right answers in the second run, of each."""
        return (self._columns.after[at] for at in self._places)

    def with_after(self, shares: Iterable[float]) -> PairedQuestions:
        """Return the same with these shares of right answers in the second run; to be called for all questions."""
        return PairedQuestions(replace(self._columns, after=array("d", shares)), self._places)

    def gained(self) -> PairedQuestions:
        """Return those with a greater share of right answers in the second run."""
        return self._select(at for at in self._places if self._columns.after[at] > self._columns.before[at])

    def lost(self) -> PairedQuestions:
        """Return those with a smaller share of right answers in the second run."""
        return self._select(at for at in self._places if self._columns.after[at] < self._columns.before[at])

    def with_chains(self) -> PairedQuestions:
        """Return those with a chain of thought in both runs."""
        one, other = self._columns.chains
        if one.are_zero or other.are_zero:
            return self._select(())
        return self._select(at for at in self._places if one[at] and other[at])

    def among(self, ids: Collection[str]) -> PairedQuestions:
        """Return those with one of these ids."""
        return self._select(at for at, id_ in zip(self._places, self.ids(), strict=True) if id_ in ids)

    def where(self, holds: Callable[[Groups], bool]) -> PairedQuestions:
        """Return those whose groups fulfil a condition."""
        fits: dict[Groups, bool] = {}
        for groups in map(self._columns.groups, self._places):
            if groups not in fits:
                fits[groups] = holds(groups)
        return self._select(at for at in self._places if fits[self._columns.groups(at)])

    def by_group(self) -> dict[tuple[str, str], PairedQuestions]:
        """Return the questions of each group, heading and value, in the order in which the groups come."""
        parts: dict[tuple[str, str], array[int]] = {}
        for at in self._places:
            for group in self._columns.groups(at):
                if group not in parts:
                    parts[group] = array("I")
                parts[group].append(at)
        return {group: PairedQuestions(self._columns, part) for group, part in parts.items()}

    def _select(self, places: Iterable[int]) -> PairedQuestions:
        return PairedQuestions(self._columns, array("I", places))
