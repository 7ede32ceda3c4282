"""The outcome of each answer, small enough to hold a whole run: a few numbers and a shared object a record."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from dtbench.harness.core.price import TOKENS_IN, TOKENS_OUT
from dtbench.harness.core.schema import Official, is_count
from dtbench.harness.score.calibration import ConfidentAnswer, ForcedAnswer, forced_answer
from dtbench.harness.store.types import Record

Groups = tuple[tuple[str, str], ...]
NO_CLIP_SHARED: Mapping[str, int] = MappingProxyType({})
UNREPORTED = -1
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


class Outcomes:
    """The outcomes of one task's records: of each question's repeats, the last that did not fail."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._places: dict[tuple[str, int], int] = {}
        self._outcomes: list[AnswerOutcome] = []
        self._shared: dict[Any, Any] = {}
        self._choices: list[str | None] = []
        self._chains, self._seconds, self._tries = array("q"), array("d"), array("q")
        self._tokens_in, self._tokens_out = array("q"), array("q")
        self._forced: dict[tuple[str, int], ForcedAnswer] = {}
        for record in records:
            self.add(record)

    def __len__(self) -> int:
        return len(self._outcomes)

    def add(self, record: Record) -> None:
        """Count a record in; a failure never takes the place of an answer."""
        key = (record["id"], record["sample"])
        place = self._places.get(key)
        if place is None:
            self._places[key] = len(self._outcomes)
            self._append(record)
        elif "error" not in record or self._outcomes[place].failed is not None:
            self._append(record)
            self._move_last_to(place)
        else:
            return
        if (forced := forced_answer(record)) is not None:
            self._forced[key] = forced

    def _append(self, record: Record) -> None:
        failed = "error" in record
        usage = {} if failed else record["response"]["usage"]
        self._outcomes.append(self._one(_outcome(record)))
        self._choices.append(None if failed else self._one(record["extraction"]["choice"]))
        self._chains.append(0 if failed else record["extraction"]["thinking_chars"])
        self._seconds.append(0.0 if failed else _duration(record["response"]["seconds"]))
        tries = (record["error"] if failed else record["response"]).get("attempts", 1)
        self._tries.append(tries if is_count(tries) else 1)
        self._tokens_in.append(_first(usage, TOKENS_IN))
        self._tokens_out.append(_first(usage, TOKENS_OUT))

    def _one(self, value: Any) -> Any:
        return self._shared.setdefault(value, value)

    def _move_last_to(self, place: int) -> None:
        self._outcomes[place] = self._outcomes.pop()
        self._choices[place] = self._choices.pop()
        self._seconds[place] = self._seconds.pop()
        for numbers in (self._chains, self._tries, self._tokens_in, self._tokens_out):
            numbers[place] = numbers.pop()

    def counts(self) -> Counter[AnswerOutcome]:
        """Count how often each outcome came."""
        return Counter(self._outcomes)

    def answers(self, shared: Mapping[str, int] = NO_CLIP_SHARED) -> Iterator[Answer]:
        """Yield every question and repeat with its outcome, in no order to rely on; `shared` numbers shared clips."""
        for (id_, sample), place in self._places.items():
            clip = shared.get(id_, id_)
            yield Answer(id_, sample, self._outcomes[place], self._choices[place], clip, self._chains[place])

    def chains(self) -> list[float]:
        """Return the lengths of the chains of thought, in characters, shortest first; without those that are none."""
        return sorted(length for length in self._chains if length)

    def seconds(self) -> list[float]:
        """Return how long the model took for each response, shortest first."""
        both = zip(self._outcomes, self._seconds, strict=True)
        return sorted(seconds for outcome, seconds in both if outcome.failed is None)

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


def _outcome(record: Record) -> AnswerOutcome:
    groups = tuple(record["groups"].items())
    rule = None if record["audio"] is None else record["audio"]["rule"]
    if "error" in record:
        lost = Official(correct=False, counted=False, why="failed")
        return AnswerOutcome(groups, record["error"]["kind"], lost, None, None, None, rule)
    score, read = record["score"], record["extraction"]
    raw = score["raw"]
    return AnswerOutcome(
        groups=groups,
        failed=None,
        official=Official(**score["official"]),
        correct=score["correct"],
        raw=None if raw is None else Official(**raw),
        finish=record["response"]["finish_reason"],
        rule=rule,
        level=read.get("level", None if read["choice"] is None else UNLEVELLED),
        set_aside=read.get("set_aside") is not None,
        aside_correct=score.get("set_aside"),
    )


def _first(usage: Mapping[str, int], names: tuple[str, ...]) -> int:
    return next((usage[name] for name in names if is_count(usage.get(name))), UNREPORTED)


def _duration(seconds: float) -> float:
    return seconds if 0 <= seconds < math.inf else 0.0


def _total(tokens: array[int]) -> int | None:
    reported = [count for count in tokens if count != UNREPORTED]
    return sum(reported) if reported else None
