"""What a benchmark is: samples, a prompt, a score."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from dtbench.harness.core.samples import SampleList
from dtbench.harness.core.schema import Dataset, Official, Prompt, Sample, Score
from dtbench.harness.extract.answer import extract
from dtbench.harness.extract.extraction import Extraction

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


STYLES = ("direct", "think", "forced")
"""What is asked for: one option at once, a chain of thought before it, or one letter and nothing else."""
WORDINGS: Mapping[str, str] = MappingProxyType(
    {
        "direct": "Answer with one of the options only, without an explanation.",
        "think": (
            "First reason step by step about what you hear, between <think> and </think>. Then write one last line: "
            "`Answer:` and the letter of one option."
        ),
        "forced": "Answer with the letter of one option only.",
    }
)


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


class Task(ABC):
    """A benchmark. A new one needs a name and samples(); the rest has a default."""

    name: ClassVar[str]
    title: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    size: ClassVar[int | None] = None
    """How many items the published set has."""
    groupings: ClassVar[tuple[Grouping, ...]] = ()
    columns: ClassVar[tuple[Column, ...]] = ()
    """The table of the papers; empty: everything, and the values of the first grouping."""
    prediction_keys: ClassVar[tuple[str, ...]] = ("answer_prediction", "model_prediction", "model_output")
    """Names under which prediction files hold the answer, the official script's own first."""
    scorers: ClassVar[tuple[str, ...]] = ("official",)
    """Versions of the official script, the default first."""
    wordings: ClassVar[Mapping[str, str]] = WORDINGS
    """Style of answer -> what follows a question and its options."""
    decimals: ClassVar[str] = "{:.2%}"
    """How the script prints an accuracy."""

    skips_broken_lines: ClassVar[bool] = False
    """Whether the script passes over lines of a prediction file that are no JSON."""
    answers_public: ClassVar[bool] = True
    """Whether predictions can be scored here; else only its authors can."""
    answers_each: int | None = None
    """How many answers to a question its score takes; None where any number will do."""
    prescribed: Mapping[str, str] = MappingProxyType({})
    """Options of a model, as -M names them, that it prescribes; what a user gives stands before them."""
    no_verdict: str = ""
    """Why its metrics call no single answer right or wrong, where they do not: there is no accuracy then."""
    defined_in: Path | None = None
    """The file that defines it, where that is a user's and no Python."""

    @abstractmethod
    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        """The questions, from data_dir where the user names one."""

    def load(self, data_dir: Path | None) -> Dataset:
        """The samples with their version, as results name it."""
        samples = SampleList(self.samples(data_dir))
        return Dataset(samples, version="own", sha256=samples.sha256, source=str(data_dir or self.name))

    def asked(self, item: Mapping[str, Any]) -> AnswerKey:
        """The options and the right one of a record as published; KeyError where a field is missing."""
        return AnswerKey(item["choices"], item["answer"])

    def version_of(self, items: Sequence[Mapping[str, Any]]) -> str | None:
        """The version of the data, told from records that carry their questions along; None if they do not tell."""
        return None

    def prompt(self, sample: Sample) -> Prompt:
        """The question with lettered options, asking for one of them at once; a task's own words go here."""
        return self._worded(sample, "direct")

    def prompt_for(self, sample: Sample, style: str) -> Prompt:
        """The prompt for a style of answer: where prompt() has words of its own, they stand before the style's."""
        if style == "direct":
            return self.prompt(sample)
        if type(self).prompt is Task.prompt:
            return self._worded(sample, style)
        own = self.prompt(sample)
        return dataclasses.replace(own, text=f"{own.text}\n{self.wordings[style]}")

    def _worded(self, sample: Sample, style: str) -> Prompt:
        return Prompt(f"{sample.question}\n{lettered(sample.choices)}\n{self.wordings[style]}", sample.audio)

    def read(self, text: str, choices: Sequence[str]) -> Extraction:
        """The answer out of a response, without a guess."""
        return extract(text, choices)

    def figures(self, records: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
        """What a summary tells besides the usual, from all records of a run."""
        return {}

    def filtered(self, sample: Sample, text: str) -> Sequence[Filtered]:
        """A response as its own filters have it; none where read() and score() say it all."""
        return ()

    def official(self, scorer: str) -> OfficialRule:
        """The benchmark's own rule; a task without one asks for the option's exact text."""

        def exact(item: Mapping[str, Any], prediction: object) -> Official:
            return Official(correct=prediction == item["answer"], counted=True)

        return exact

    def score(self, sample: Sample, extraction: Extraction) -> Score:
        """The verdicts on an extracted answer; a reward in training is this very call."""
        correct = None if extraction.choice is None else extraction.choice == sample.answer
        official = self.official(self.scorers[0])(sample.as_published(), self.submission(sample, extraction))
        return Score(official, correct)

    def submission(self, sample: Sample, extraction: Extraction) -> str:
        """What a prediction file would hold for this answer: the option's text, empty where none was given."""
        return extraction.choice or ""


def letters() -> str:
    """The letters that name options, in order."""
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def lettered(choices: Sequence[str]) -> str:
    """Options as prompts show them, a line each."""
    return "\n".join(f"({letter}) {text}" for letter, text in zip(letters(), choices, strict=False))


def rotated(sample: Sample, places: int) -> Sample:
    """The sample with its options moved up by some places, the first ones to the end."""
    step = places % len(sample.choices) if sample.choices else 0
    return sample if step == 0 else dataclasses.replace(sample, choices=sample.choices[step:] + sample.choices[:step])
