"""How a benchmark reads and scores an answer; a Task adds the questions and their prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from dtbench.harness.core.schema import Official, Sample, Score
from dtbench.harness.extract.answer import Extraction, extract

OfficialRule = Callable[[Mapping[str, Any], object], Official]
"""(record as published, prediction) -> verdict; may carry state from record to record."""


class Grouping(NamedTuple):
    """One of the tables that a benchmark's script prints."""

    title: str
    fields: tuple[str, ...]
    values: tuple[str, ...] = ()
    """The values in the order of the script, which knows no others; empty: as first seen."""


class Column(NamedTuple):
    """A column of the table that papers print for a benchmark."""

    title: str
    where: Mapping[str, str] = MappingProxyType({})
    """Heading -> value of the questions in it; empty: all."""


class AnswerKey(NamedTuple):
    """What a record asks: the options that are there, and the right one."""

    choices: Sequence[str]
    answer: object


class Filtered(NamedTuple):
    """What one of a task's own ways of reading makes of a response, and how it scores."""

    name: str
    response: Any
    metrics: Mapping[str, Any]
    doc: Mapping[str, Any]
    """The question, as the task's own harness has it."""


class Scorer:
    """How a benchmark reads and scores an answer; without rules of its own, by the right option's exact text."""

    name: ClassVar[str]
    groupings: ClassVar[tuple[Grouping, ...]] = ()
    columns: ClassVar[tuple[Column, ...]] = ()
    """The table of the papers; empty: everything, and the values of the first grouping."""
    prediction_keys: ClassVar[tuple[str, ...]] = ("answer_prediction", "model_prediction", "model_output")
    """Names under which prediction files hold the answer, the official script's own first."""
    official_versions: ClassVar[tuple[str, ...]] = ("official",)
    """Versions of the official script, the default first."""
    decimals: ClassVar[str] = "{:.2%}"
    """How the script prints an accuracy."""
    skips_broken_lines: ClassVar[bool] = False
    """Whether the script passes over lines of a prediction file that are no JSON."""
    answers_public: ClassVar[bool] = True
    """Whether predictions can be scored here; else only its authors can."""
    no_verdict: str = ""
    """Why its metrics call no single answer right or wrong, where they do not: there is no accuracy then."""

    def answer_key(self, item: Mapping[str, Any]) -> AnswerKey:
        """The options and the right one of a record as published; KeyError where a field is missing."""
        return AnswerKey(item["choices"], item["answer"])

    def version_of(self, items: Sequence[Mapping[str, Any]]) -> str | None:
        """The version of the data, told from records that carry their questions along; None if they do not tell."""
        return None

    def read(self, text: str, choices: Sequence[str]) -> Extraction:
        """The answer out of a response, without a guess."""
        return extract(text, choices)

    def filtered(self, sample: Sample, text: str) -> Sequence[Filtered]:
        """A response as its own filters have it; none where read() and score() say it all."""
        return ()

    def official(self, version: str) -> OfficialRule:
        """The benchmark's own rule; a task without one asks for the option's exact text."""

        def exact(item: Mapping[str, Any], prediction: object) -> Official:
            return Official(correct=prediction == item["answer"], counted=True)

        return exact

    def score(self, sample: Sample, extraction: Extraction) -> Score:
        """The verdicts on an extracted answer; a reward in training is this very call."""
        correct = None if extraction.choice is None else extraction.choice == sample.answer
        official = self.official(self.official_versions[0])(sample.as_published(), self.submission(sample, extraction))
        return Score(official, correct)

    def submission(self, sample: Sample, extraction: Extraction) -> str:
        """What a prediction file would hold for this answer: the option's text, empty where none was given."""
        return extraction.choice or ""

    def figures(self, records: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
        """What a summary tells besides the usual, from all records of a run."""
        return {}
