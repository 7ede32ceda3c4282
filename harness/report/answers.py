"""The questions of a task with the answers of every run: columns for the list, and texts in parts for what is opened.

Runs are added one after the other, so that only one run's records are in memory at a time.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dtbench.harness.core.price import TOKENS_OUT
from dtbench.harness.core.schema import Sample, is_count
from dtbench.harness.report.columns import Kind, PackedColumns, TextPart, TextParts, ValueNumbers
from dtbench.harness.report.rows import STATES, Marks, Row, answer_detail, answer_state
from dtbench.harness.report.spooled import SpooledRecords
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.store.types import Record, mark_of

COLUMNS: Mapping[str, Kind] = {
    **dict.fromkeys(("question", "repeat", "choice", "how", "level", "finish"), "I"),
    **dict.fromkeys(("state", "official", "counted"), "B"),
    **dict.fromkeys(("seconds", "tokens", "chain", "rubric", "mark"), "f"),
}
"""The columns of a run's answers."""
OTHER = 1 << 16
"""From here on, `choice` is the number of a text that is none of the options that the page knows."""


class TaskAnswers:
    """The answers of several runs to one task."""

    def __init__(self, task: int, parts: Sequence[StoredTask]) -> None:
        self._task, self._parts = task, parts
        self._datasets = [part.data for part in parts]
        self._places_of = [{} if data is None else data.places() for data in self._datasets]
        self._places: dict[str, int] = {}
        for places in self._places_of:
            for id_ in places:
                self._places.setdefault(id_, len(self._places))
        self._groups: dict[str, Mapping[str, str]] = {}
        self._known_groups: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
        self._columns: list[dict[str, array[Any]]] = []
        self._texts: list[TextParts] = []
        self._numbers = {name: ValueNumbers() for name in ("how", "level", "finish", "other")}
        self.packed_texts: list[TextPart] = []

    @property
    def ids(self) -> list[str]:
        """The questions that any run has a record of, in the order of the first data set found."""
        asked = {place for columns in self._columns for place in columns["question"]}
        return [id_ for id_, place in self._places.items() if place in asked]

    def add(self, records: Iterable[Record], marks: Marks) -> None:
        """Add the answers of the next run."""
        number = len(self._columns)
        part = self._parts[number]
        spooled = SpooledRecords.of(records)
        placed = sorted((self._place(record), record["sample"], at) for at, record in enumerate(spooled))
        columns: dict[str, array[Any]] = {name: array(kind) for name, kind in COLUMNS.items()}
        texts = TextParts(f"text-{self._task}-{number}")
        for place, repeat, at in placed:
            record = spooled[at]
            judged = [one for one in marks.get(record["id"], ()) if one["repeat"] == repeat]
            texts.add(answer_detail(part, record, judged))
            values = {**self._values(part, record, judged), "question": place, "repeat": repeat}
            for name, column in columns.items():
                column.append(values[name])
        self._columns.append(columns)
        self._texts.append(texts)
        self.packed_texts += texts.packed()

    def _place(self, record: Record) -> int:
        id_ = record["id"]
        if record["groups"] and id_ not in self._groups:
            alike = tuple(record["groups"].items())
            self._groups[id_] = self._known_groups.setdefault(alike, record["groups"])
        return self._places.setdefault(id_, len(self._places))

    def _values(self, part: StoredTask, record: Record, judged: Sequence[Row]) -> dict[str, float]:
        chains = [one["marks"] for one in judged if one["marks"] and "scorer" not in one]
        marks = [sum(mark["met"] for mark in each) / len(each) for each in chains]
        values: dict[str, float] = {
            **dict.fromkeys(COLUMNS, 0),
            "state": STATES.index(answer_state(part, record)),
            "rubric": sum(marks) / len(marks) if marks else math.nan,
            **dict.fromkeys(("seconds", "tokens", "chain", "mark"), math.nan),
        }
        if "error" in record:
            return values
        response, read, official = record["response"], record["extraction"], record["score"]["official"]
        waits = not official["counted"] and "waits" in record["score"]
        mark = mark_of(official)
        usage = response["usage"]
        tokens = next((usage[name] for name in TOKENS_OUT if is_count(usage.get(name))), math.nan)
        numbers = self._numbers
        return values | {
            "official": 1 + official["correct"] if part.task.answers_public and not waits else 0,
            "mark": math.nan if mark is None else mark,
            "counted": official["counted"],
            "choice": self._choice(record["id"], read["choice"]),
            "how": numbers["how"].number(read["how"]),
            "level": numbers["level"].number(read.get("level")),
            "finish": numbers["finish"].number(response["finish_reason"]),
            "seconds": response["seconds"],
            "tokens": tokens,
            "chain": read["thinking_chars"],
        }

    def _choice(self, id_: str, choice: str | None) -> int:
        """Number a choice: from 1 by the options as the page shows them; 0 for none."""
        if choice is None:
            return 0
        options = self._options(id_)
        return options.index(choice) + 1 if choice in options else OTHER + self._numbers["other"].number(choice)

    def _found(self, id_: str) -> tuple[StoredTask, Sample] | None:
        """Return the first run whose data has a question, and the question."""
        for part, data, places in zip(self._parts, self._datasets, self._places_of, strict=True):
            if data is not None and id_ in places:
                return part, data.samples[places[id_]]
        return None

    def _options(self, id_: str) -> Sequence[str]:
        found = self._found(id_)
        return () if found is None else found[0].shown(found[1]).in_own_words

    def samples(self) -> Iterator[tuple[str, Sample | None]]:
        """Yield the questions that the page has."""
        for id_ in self.ids:
            found = self._found(id_)
            yield id_, None if found is None else found[1]

    def interest(self) -> dict[str, int]:
        """Rank each question: 0 where runs differ, 1 where an answer is not right, 2 for the rest."""
        right = STATES.index("right")
        shares: dict[int, list[float]] = defaultdict(list)
        for columns in self._columns:
            own: dict[int, list[bool]] = defaultdict(list)
            for place, state in zip(columns["question"], columns["state"], strict=True):
                own[place].append(state == right)
            for place, states in own.items():
                shares[place].append(sum(states) / len(states))
        rank = {place: 0 if len({*each}) > 1 else 1 if {*each} != {1.0} else 2 for place, each in shares.items()}
        return {id_: rank[self._places[id_]] for id_ in self.ids}

    def headings(self) -> list[str]:
        """Return what questions are grouped by."""
        return list(dict.fromkeys(heading for id_ in self.ids for heading in self._groups.get(id_, ())))

    def header(self, columns: PackedColumns) -> dict[str, Any]:
        """Pack the columns and return what the page needs to read them."""
        ids = self.ids
        places = {self._places[id_]: number for number, id_ in enumerate(ids)}
        found = [self._found(id_) for id_ in ids]
        return {
            "ids": ids,
            "questions": [None if one is None else one[1].question for one in found],
            "options": [list(self._options(id_)) for id_ in ids],
            "golds": [None if one is None else one[1].answer for one in found],
            "groups": [self._group(heading, ids, columns) for heading in self.headings()],
            "names": {name: numbers.values() for name, numbers in self._numbers.items()},
            "runs": [
                {
                    "parts": texts.begins,
                    "characters": texts.characters,
                    **{
                        name: columns.add(
                            COLUMNS[name], map(places.__getitem__, values) if name == "question" else values
                        )
                        for name, values in each.items()
                    },
                }
                for each, texts in zip(self._columns, self._texts, strict=True)
            ],
        }

    def _group(self, heading: str, ids: Sequence[str], columns: PackedColumns) -> dict[str, Any]:
        numbers = ValueNumbers()
        column = columns.add("I", [numbers.number(self._groups.get(id_, {}).get(heading)) for id_ in ids])
        return {"heading": heading, "values": numbers.values(), "column": column}
