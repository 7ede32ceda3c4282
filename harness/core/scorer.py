"""How a benchmark reads and scores answers; a Task adds the questions and their prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

from dtbench.harness.core.marks import TaskScorer, marks_of, score_of
from dtbench.harness.core.schema import Official, Sample, Score
from dtbench.harness.extract.answer import Extraction, extract

NO_ANSWER = Extraction("", "", None, "nothing was said")
OfficialRule = Callable[[Mapping[str, Any], object], Official]
"""(record as published, prediction) -> verdict; may carry state from record to record."""


class Grouping(NamedTuple):
    """One of the tables that a benchmark's script prints."""

    title: str
    fields: tuple[str, ...]
    values: tuple[str, ...] = ()
    """The values in the order of the script, which knows no others; empty: as first seen."""
    absent: str | None = None
    """The line of records without the field; None where they are in no line."""


class ScriptInput(NamedTuple):
    """How a benchmark's own script reads a file of predictions."""

    layouts: Mapping[str, Literal["list", "lines"]]
    """One JSON list or a record a line, by how the name ends, in the script's order; "" is any name, others stop it."""
    skips_broken_lines: bool = False
    """Whether it passes over lines that are no JSON; else they stop it."""
    without_key: str = "skips every record and stops, because it divides by their number"
    """What it does with a file whose predictions have another name."""


class Column(NamedTuple):
    """A column of the table that papers print for a benchmark."""

    title: str
    where: Mapping[str, str] = MappingProxyType({})
    """Heading -> value of the questions in it; empty: all."""


class GroupTotal(NamedTuple):
    """A total that is a mean of groups, and not of all questions."""

    by: str
    """The heading."""
    weights: Mapping[str, float] = MappingProxyType({})
    """The weight of each group; empty: all count alike."""


class AnswerKey(NamedTuple):
    """The options of a record, and the right one."""

    choices: Sequence[str]
    answer: object


class FilteredResponse(NamedTuple):
    """A response after one of a task's own filters, and its score."""

    name: str
    response: Any
    metrics: Mapping[str, Any]
    doc: Mapping[str, Any]
    """The question, as the task's own harness has it."""


class Scorer:
    """Reads and scores answers; without rules of its own, by the right option's exact text."""

    name: ClassVar[str]
    groupings: ClassVar[tuple[Grouping, ...]] = ()
    """The tables by group; empty: one for each heading of the samples' groups."""
    columns: ClassVar[tuple[Column, ...]] = ()
    """The table of the papers; empty: everything, and the values of the first grouping."""
    total: ClassVar[GroupTotal | None] = None
    """How its total is made of groups; None where it is the mean of all questions."""
    prediction_keys: ClassVar[tuple[str, ...]] = ("answer_prediction", "model_prediction", "model_output")
    """Names under which prediction files have the answer, the official script's own first."""
    official_versions: ClassVar[tuple[str, ...]] = ("official",)
    """Versions of the official script, the default first."""
    decimals: ClassVar[str] = "{:.2%}"
    """How the script prints an accuracy."""
    script_input: ClassVar[ScriptInput | None] = None
    """How the official script reads a file of predictions; None where there is no script."""
    answers_public: ClassVar[bool] = True
    """Whether predictions can be scored here; else only its authors can."""
    empty_may_be_right: ClassVar[bool] = False
    """Whether its rule, which is not ours, may call an empty answer right."""
    scorers: Sequence[TaskScorer] = ()
    """Its scorers, where it names some: the first that is for a question is the official one of its answers."""
    no_verdict: str = ""
    """Why its metrics call no single answer right or wrong, where they do not: there is no accuracy then."""

    def answer_key(self, item: Mapping[str, Any]) -> AnswerKey:
        """Return the options and the right one of a published record; raise KeyError where a field is missing."""
        choices = item.get("choices") or () if self.scorers else item["choices"]
        return AnswerKey(choices, item["answer"])

    def sample_of(self, item: Mapping[str, Any]) -> Sample:
        """Return the question of a published record, without its clips, for scorers; KeyError as answer_key()."""
        choices, answer = self.answer_key(item)
        first = next(iter(answer), None) if isinstance(answer, list | tuple) else answer
        gold = None if first is None else str(first)
        return Sample(str(item.get("id", "")), str(item.get("question", "")), tuple(choices), gold, item=item)

    def version_of(self, items: Sequence[Mapping[str, Any]]) -> str | None:
        """Tell the version of the data from records with their questions; None where they do not show it."""
        return None

    def read(self, text: str, choices: Sequence[str]) -> Extraction:
        """Extract the answer from a response, without a guess.

        A chain between tags of the model's own stands between <think> and </think> here.
        """
        return extract(text, choices)

    def filtered(self, sample: Sample, text: str) -> Sequence[FilteredResponse]:
        """Run the task's own filters over a response; empty where read() and score() say it all."""
        return ()

    def official(self, version: str) -> OfficialRule:
        """Return the rule of a version of the official script; by default, the right option's exact text.

        Where the task names scorers, it is the first that is for the question of a record.
        """

        def first_scorer(item: Mapping[str, Any], prediction: object) -> Official:
            if not isinstance(prediction, str):
                return Official(correct=False, counted=True)
            sample = self.sample_of(item)
            return self.score(sample, self.read(prediction, sample.choices)).official

        def exact(item: Mapping[str, Any], prediction: object) -> Official:
            said = isinstance(prediction, str) and bool(prediction.strip())
            return Official(correct=said and prediction == item["answer"], counted=True)

        return first_scorer if self.scorers else exact

    def score(self, sample: Sample, extraction: Extraction) -> Score:
        """Score an extracted answer; a reward in training is this very call."""
        correct = None if extraction.choice is None else is_gold(extraction.choice, sample.answer)
        if self.scorers:
            marks = marks_of(self.scorers, sample, extraction.whole_answer)
            return score_of(marks, correct=correct, has_choices=bool(sample.choices))
        official = self.official(self.official_versions[0])(sample.as_published(), self.submission(sample, extraction))
        return Score(official, correct)

    def submission(self, sample: Sample, extraction: Extraction) -> str:
        """Return the answer as a prediction file has it: the option's text, empty where none was given.

        Of an open question it is the whole answer, which its scorers mark.
        """
        if self.scorers and not sample.choices:
            return extraction.whole_answer.strip()
        return extraction.choice or ""

    def figures(self, records: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return figures of its own for the summary, from all records of a run."""
        return {}


def is_gold(choice: str, answer: str | None) -> bool:
    """Whether a chosen option is the right one; none is where the right one is empty or withheld."""
    return choice == answer and bool(choice.strip())
