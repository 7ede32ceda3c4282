"""The outcome of each answer, small enough to hold a whole run: its key and some packed numbers a record."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeGuard

from dtbench.harness.core.packed_numbers import PackedInts, PackedSeconds, ordered
from dtbench.harness.core.price import TOKENS_IN, TOKENS_OUT
from dtbench.harness.core.schema import Official, is_count
from dtbench.harness.core.text_table import TextTable
from dtbench.harness.score.calibration import ConfidentAnswer, ForcedAnswer, forced_answer
from dtbench.harness.store.answer_keys import AnswerKeys
from dtbench.harness.store.types import OfficialRecord, Record

Groups = tuple[tuple[str, str], ...]
NO_CLIP_SHARED: Mapping[str, int] = MappingProxyType({})
UNREPORTED = -1
_FEW_CHOICES = 4096
"""So many texts of choices are also kept as they are."""
UNLEVELLED = "none stored"
"""The level of a choice in records that were made before there were levels."""


class AnswerOutcome(NamedTuple):
    """The part of a record that tables count; equal ones are one object."""

    groups: Groups
    """Heading and value, as tables report by."""
    failed: str | None
    """The kind of the error; None where there is a response."""
    official: Official
    """The verdict on what would be submitted; of a failed one, not counted."""
    correct: bool | None
    """A reader's verdict; None where no answer was read."""
    raw: Official | None
    """The script's verdict on the untouched text, where it was asked for."""
    finish: str | None
    rule: str | None
    """What was done with the clip; None where the model got none."""
    level: str | None = None
    """The level of evidence for the option that was read; None where none was, UNLEVELLED where it was not stored."""
    set_aside: bool = False
    """Whether that evidence is too weak to count."""
    aside_correct: bool | None = None
    """A reader's verdict on the option that was set aside."""
    marks: tuple[tuple[str, float | None], ...] = ()
    """By each scorer of the task, where it has some; None where no answer was given, or where the mark waits."""
    waits: tuple[str, ...] = ()
    """The scorers whose marks a second pass gives."""

    @property
    def unread(self) -> bool:
        """Whether there is a response, and no answer in it that anything could be said of."""
        return self.failed is None and self.correct is None and not self.waits

    @property
    def undecided(self) -> bool:
        """Whether nothing is known of it before a second pass."""
        return self.correct is None and bool(self.waits)

    def group(self, heading: str) -> str | None:
        """Return the value under a heading; None where there is none."""
        return next((value for name, value in self.groups if name == heading), None)


class Answer(NamedTuple):
    """One answer to one question."""

    id: str
    sample: int
    outcome: AnswerOutcome
    choice: str | None
    clip: int | str = ""
    """The number of a clip that several questions share, or the id of the question."""
    chain: int = 0
    """The length of its chain of thought, in characters."""

    @property
    def right(self) -> bool:
        """Whether a reader calls it correct."""
        return self.outcome.correct is True


class LabelledOutcome(NamedTuple):
    """An outcome, and a number that its answer has for some purpose."""

    outcome: AnswerOutcome
    label: int


class Outcomes:
    """The outcomes of one task's records: of each question's repeats, the last that did not fail."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._keys = AnswerKeys()
        self.kinds: list[AnswerOutcome] = []
        """The different outcomes."""
        self._numbers: dict[AnswerOutcome, int] = {}
        self._choice_texts = TextTable()
        self._first_choices: list[str] = []
        """The first of these texts, as they are: most runs have few."""
        self.kind_numbers, self._choices = PackedInts(), PackedInts()
        """For each key the place of its outcome in `kinds`, and of its choice in `_choice_texts`, -1 for none."""
        self._seconds = PackedSeconds()
        self._chains, self._tries, self._tokens_in, self._tokens_out = (PackedInts() for _ in range(4))
        self._forced: dict[tuple[str, int], ForcedAnswer] = {}
        for record in records:
            self.add(record)

    def __len__(self) -> int:
        return len(self.kind_numbers)

    def add(self, record: Record) -> None:
        """Count a record in; a failure never takes the place of an answer."""
        key = (record["id"], record["sample"])
        place = self._keys.add(key)
        if place < len(self) and "error" in record and self._kind(place).failed is None:
            return
        self._put(place, record)
        if (forced := forced_answer(record)) is not None:
            self._forced[key] = forced

    def _put(self, place: int, record: Record) -> None:
        failed = "error" in record
        usage = {} if failed else record["response"]["usage"]
        choice = None if failed else _said(record)
        tries = (record["error"] if failed else record["response"]).get("attempts", 1)
        seconds = 0.0 if failed else _duration(record["response"]["seconds"])
        self._seconds.put(place, seconds)
        self.kind_numbers.put(place, self._number(_outcome(record)))
        self._choices.put(place, -1 if choice is None else self._choice_number(choice))
        self._chains.put(place, 0 if failed else record["extraction"]["thinking_chars"])
        self._tries.put(place, tries if is_count(tries) else 1)
        self._tokens_in.put(place, _first(usage, TOKENS_IN))
        self._tokens_out.put(place, _first(usage, TOKENS_OUT))

    def _number(self, outcome: AnswerOutcome) -> int:
        number = self._numbers.setdefault(outcome, len(self.kinds))
        if number == len(self.kinds):
            self.kinds.append(outcome)
        return number

    def _choice_number(self, choice: str) -> int:
        number = self._choice_texts.add(choice)
        if number == len(self._first_choices) < _FEW_CHOICES:
            self._first_choices.append(choice)
        return number

    def _kind(self, place: int) -> AnswerOutcome:
        return self.kinds[self.kind_numbers[place]]

    def choice(self, place: int) -> str | None:
        """Return the choice of the answer at a place."""
        return self._choice(self._choices[place])

    def _choice(self, number: int) -> str | None:
        if number < 0:
            return None
        return self._first_choices[number] if number < len(self._first_choices) else self._choice_texts[number]

    def every_answer(self, shared: Mapping[str, int]) -> Iterator[Answer]:
        """Yield the answers in the order of their places."""
        each = zip(self._keys, self.kind_numbers, self._choices, self._chains, strict=True)
        for (id_, sample), kind, choice, chain in each:
            yield Answer(id_, sample, self.kinds[kind], self._choice(choice), shared.get(id_, id_), chain)

    def labelled(self, labels: Iterable[int]) -> Counter[LabelledOutcome]:
        """Count how often each outcome came with each label, of which there is one for each place."""
        counted = Counter(zip(self.kind_numbers, labels, strict=False))
        return Counter({LabelledOutcome(self.kinds[kind], label): times for (kind, label), times in counted.items()})

    @property
    def samples(self) -> list[int]:
        """Which of the answers to a question there are, such as 0 and 1."""
        return sorted(self._keys.samples)

    def counts(self) -> Counter[AnswerOutcome]:
        """Count how often each outcome came."""
        return Counter({self.kinds[number]: times for number, times in Counter(self.kind_numbers).items()})

    def answers(self, shared: Mapping[str, int] = NO_CLIP_SHARED) -> Answers:
        """Return every question and repeat with its outcome, in no order to rely on; `shared` numbers shared clips."""
        return Answers(self, shared)

    def place(self, id_: str, sample: int) -> int | None:
        """Return where an answer stands among answers(); None where there is none."""
        return self._keys.number((id_, sample))

    def answer(self, place: int, key: tuple[str, int], shared: Mapping[str, int]) -> Answer:
        """Return the answer at a place, which is the one with this key."""
        id_, sample = key
        chain = self._chains[place]
        return Answer(id_, sample, self._kind(place), self.choice(place), shared.get(id_, id_), chain)

    def keys(self) -> AnswerKeys:
        """Return the keys of the answers, numbered by their places."""
        return self._keys

    def chains(self) -> Sequence[float]:
        """Return the lengths of the chains of thought, in characters, shortest first; without those that are none."""
        return ordered("q", (length for length in self._chains if length))

    def seconds(self) -> Sequence[float]:
        """Return how long the model took for each response, shortest first."""
        answered = [kind.failed is None for kind in self.kinds]
        if self._seconds.are_zero:
            failed = sum(times for outcome, times in self.counts().items() if outcome.failed is not None)
            return array("b", bytes(len(self) - failed))
        both = zip(self.kind_numbers, self._seconds, strict=True)
        return ordered("d", (seconds for number, seconds in both if answered[number]))

    def forced(self) -> list[ForcedAnswer]:
        """Return the forced answers, in an order that does not depend on the records'."""
        return [answer for _, answer in sorted(self._forced.items())]

    def confident(self, shared: Mapping[str, int] = NO_CLIP_SHARED) -> list[ConfidentAnswer]:
        """Return the forced answers that have a probability, each with its clip."""
        scored = ((id_, answer.scored) for (id_, _), answer in sorted(self._forced.items()))
        return [ConfidentAnswer(shared.get(id_, id_), one) for id_, one in scored if one is not None]

    def attempts(self) -> int:
        """Return how often the model was asked, in all."""
        return sum(self._tries)

    def tokens(self) -> tuple[int | None, int | None]:
        """Return the tokens read and written, in all; None where no response reported any."""
        return _total(self._tokens_in), _total(self._tokens_out)


class QuestionNumbers(NamedTuple):
    """A number for each question that has an answer, from 0."""

    size: int
    find: Callable[[str], int | None]
    """Returns the number of a question; None where it has no answer."""
    ids: Callable[[], Iterable[str]]
    """Returns the ids in the order of their numbers."""


class Answers(Collection[Answer]):
    """The answers of outcomes, made anew each time that one goes through them."""

    def __init__(self, outcomes: Outcomes, shared: Mapping[str, int]) -> None:
        self._outcomes, self._shared = outcomes, shared

    def __len__(self) -> int:
        return len(self._outcomes)

    def __iter__(self) -> Iterator[Answer]:
        return self._outcomes.every_answer(self._shared)

    def __contains__(self, answer: object) -> bool:
        return any(one == answer for one in self)

    @property
    def alone(self) -> bool:
        """Whether each answer is about a clip of its own."""
        return not self._shared and len(self._outcomes.samples) <= 1

    def question_numbers(self) -> QuestionNumbers:
        """Number the questions that have an answer."""
        keys = self._outcomes.keys()
        if len(keys.samples) == 1:  # the answers are numbered already
            (sample,) = keys.samples
            return QuestionNumbers(len(keys), lambda id_: keys.number((id_, sample)), lambda: (id_ for id_, _ in keys))
        ids = TextTable()
        for id_, _ in keys:
            ids.add(id_)
        return QuestionNumbers(len(ids), ids.find, lambda: ids)

    def labelled(self, labels: Iterable[int]) -> Counter[LabelledOutcome]:
        """Count how often each outcome came with each label, of which there is one for each answer in its order."""
        return self._outcomes.labelled(labels)

    def chains(self) -> Sequence[float]:
        """Return the lengths of the chains of thought, in characters, shortest first; without those that are none."""
        return self._outcomes.chains()

    def of_question(self, id_: str, question: int) -> list[Answer]:
        """Return the answers to one question, which has this number."""
        outcomes, samples = self._outcomes, self._outcomes.keys().samples
        if len(samples) == 1:
            return [outcomes.answer(question, (id_, sample), self._shared) for sample in samples]
        places = ((sample, outcomes.place(id_, sample)) for sample in sorted(samples))
        return [outcomes.answer(at, (id_, sample), self._shared) for sample, at in places if at is not None]


def stand_apart(answers: Collection[Answer]) -> TypeGuard[Answers]:
    """Whether it is known, without a look at each, that every answer is about a clip of its own."""
    return isinstance(answers, Answers) and answers.alone


def _outcome(record: Record) -> AnswerOutcome:
    groups = tuple(record["groups"].items())
    rule = None if record["audio"] is None else record["audio"]["rule"]
    if "error" in record:
        lost = Official(correct=False, counted=False, why="failed")
        return AnswerOutcome(groups, record["error"]["kind"], lost, None, None, None, rule)
    score, read = record["score"], record["extraction"]
    raw = score["raw"]
    outcome = AnswerOutcome(
        groups=groups,
        failed=None,
        official=_verdict(score["official"]),
        correct=score["correct"],
        raw=None if raw is None else _verdict(raw),
        finish=record["response"]["finish_reason"],
        rule=rule,
        level=read.get("level", None if read["choice"] is None else UNLEVELLED),
        set_aside=read.get("set_aside") is not None,
        aside_correct=score.get("set_aside"),
    )
    if "marks" not in score:
        return outcome
    return outcome._replace(marks=tuple(score["marks"].items()), waits=tuple(score.get("waits", ())))


def _verdict(stored: OfficialRecord) -> Official:
    return Official(stored["correct"], stored["counted"], stored["why"], stored.get("mark"))


def _said(record: Record) -> str | None:
    """Return the option that was chosen, or of an open question what was answered, evened out as votes are counted."""
    choice, level = record["extraction"]["choice"], record["extraction"].get("level")
    return choice if choice is None or level is not None or "marks" not in record["score"] else _evened(choice)


def _evened(answer: str) -> str:
    return " ".join(answer.casefold().split()).rstrip(".")


def _first(usage: Mapping[str, int], names: tuple[str, ...]) -> int:
    for name in names if usage else ():
        if is_count(usage.get(name)):
            return usage[name]
    return UNREPORTED


def _duration(seconds: float) -> float:
    return seconds if 0 <= seconds < math.inf else 0.0


def _total(tokens: PackedInts) -> int | None:
    reported = Counter(tokens)
    del reported[UNREPORTED]
    return sum(count * times for count, times in reported.items()) if reported else None
