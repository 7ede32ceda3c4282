"""A benchmark: samples, a prompt, a score."""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DtbenchError, TaskError, UserError, format_error
from dtbench.harness.core.marks import ScoringFunction, TaskScorer
from dtbench.harness.core.schema import Prompt, Sample
from dtbench.harness.core.scorer import Scorer

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""The names of options, in order."""
_LONG_WORD = 4
"""Characters of words of options that are taken to say something."""
LM_EVAL_PREFIX = "lm_eval:"
"""How the name of a task of lm-eval begins."""
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


Scorers = str | ScoringFunction | TaskScorer | Sequence["str | ScoringFunction | TaskScorer"]
"""What scores the answers of a task: one scorer, by its name or as a function, or several."""


OPEN_WORDINGS: Mapping[str, str] = MappingProxyType(
    {
        "direct": "Answer in a few words, without an explanation.",
        "think": (
            "First reason step by step about what you hear, between <think> and </think>. Then write one last line: "
            "`Answer:` and the answer."
        ),
    }
)
"""What follows a question without options, whose answer cannot be forced to a letter."""

OPENLY = "Where there are no options:"
"""Stands between the words around a question with options and those around one without, where a task has both."""


class ChainEdit(NamedTuple):
    """A chain of thought with something changed in it, up to where the change ends: a model writes the rest."""

    kind: str
    """What is changed: "description" (what was heard) or "step" (what follows from it)."""
    text: str
    option: str
    """The option that the changed chain leads to."""
    unchanged: str
    """The chain up to the same place as the model wrote it."""


class Task(Scorer, ABC):
    """A benchmark. A new one needs a name and samples(); everything else has a default."""

    title: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    size: ClassVar[int | None] = None
    """How many items the published set has."""
    wordings: ClassVar[Mapping[str, str]] = WORDINGS
    """Style of answer -> what follows a question and its options."""
    open_wordings: ClassVar[Mapping[str, str]] = OPEN_WORDINGS
    """Style of answer -> what follows a question without options."""
    answers_each: int | None = None
    """How many answers per question its score needs; None for any number."""
    prescribed: Mapping[str, str] = MappingProxyType({})
    """Model options (as for -M) that the benchmark prescribes; the user's own override them."""
    stereo: ClassVar[bool] = False
    """Whether clips keep their channels, as questions about left and right need."""
    makes_clips: ClassVar[bool] = False
    """Whether its clips are generated in data_dir when first read, so that nothing is downloaded."""
    copies_questions: ClassVar[bool] = True
    """Whether a run folder may hold copies of its questions; False if their licence forbids it."""
    needs_load: ClassVar[bool] = False
    """Whether reading and scoring need state set by load(), so that copies of the questions are not enough."""
    defined_in: Path | None = None
    """The file that defines it, where that is a user's and no Python."""

    definition: Mapping[str, Any] | None = None
    """What its task file says, where it has one: run.json keeps it, so that a stored run finds its task again."""
    in_memory: ClassVar[bool] = False
    """Whether its questions were given to Task.of(), and are in no file."""

    @staticmethod
    def of(  # noqa: PLR0913 - what a task may have
        samples: Any,
        *,
        name: str,
        columns: Mapping[str, str | None] = MappingProxyType({}),
        groups: Sequence[str] = (),
        answer: str = "text",
        scorer: Scorers | None = None,
        examples: Any = None,
    ) -> GivenTask:
        """Make a task of a list of dicts or Samples, of a DataFrame, or of a `datasets.Dataset`.

        A row has `question`, `choices` (or `options`; none where it is asked openly), `answer` and `audio`: a path,
        encoded bytes, what an Audio column holds, or a list of those. It may have an `id`. `columns` maps a field to
        another column, or to None where no question has it; `groups` are columns to report by. The answer is the right
        option's text, or by `answer` its "letter" or "index" from 0. `scorer` names what scores the answers, such as
        "exact" for open ones: a name, a function of (sample, text), or a list of them, the official one first. With it
        a row needs no choices. `examples` are further rows, which `num_fewshot` shows before each question.
        """
        from dtbench.harness.core.given_rows import RowLayout, read_rows
        from dtbench.harness.core.scorer_names import as_scorers

        scorers = () if scorer is None else as_scorers(scorer)
        layout = RowLayout(columns, groups, answer, is_open=bool(scorers))
        shown = () if examples is None else tuple(read_rows(examples, f"{name}, examples", layout))
        return GivenTask(name, read_rows(samples, name, layout), scorers, shown)

    def chain_criteria(self, item: Mapping[str, Any], chain: str) -> Sequence[bool] | None:
        """Return which criteria of a question a chain of thought meets; None if only a judge can tell.

        A training reports them of each stage. `item` is the question as its Sample holds it.
        """
        return None

    def chain_edits(self, item: Mapping[str, Any], chain: str) -> Sequence[ChainEdit]:
        """Return edits of a chain of thought that lead to another option by the task's own rule; none where unknown.

        `dtbench faithful` measures how often a model's answer follows them.
        """
        return ()

    def content_words(self, sample: Sample) -> Collection[str]:
        """Return the words, in small letters, by which a chain of thought tells what is heard.

        `dtbench probe lens` looks for them in texts. Unless a task says better, they are the options' longer words.
        """
        words = (word for choice in sample.choices for word in re.findall(r"\w+", choice.lower()))
        return {word for word in words if len(word) >= _LONG_WORD}

    def companion_tasks(self) -> Sequence[str]:
        """Return tasks on the same clips, as --tasks names them, for skills that training on this one may wear out."""
        return ()

    @abstractmethod
    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        """Yield the questions, from data_dir if the user gives one."""

    def examples(self, data_dir: Path | None) -> Sequence[Sample]:
        """Return questions with their answers, of which --num-fewshot N shows the first N before each question.

        There are none unless a task names some. They are not asked themselves.
        """
        return ()

    def example_answer(self, sample: Sample, style: str) -> str:
        """Write the answer to an example in a style; override it for one with a chain of thought."""
        gold = sample.answer or ""
        letter = option_letter(sample.choices.index(gold)) if gold in sample.choices else gold
        return {"think": f"Answer: {letter}", "forced": letter}.get(style, gold)

    def load(self, data_dir: Path | None) -> Dataset:
        """Load the samples, and name their version as results do."""
        data = Dataset(self.samples(data_dir), "own", str(data_dir or self.name))
        lost = len(data.unanswerable)
        notes = [f"{lost} answers are not among their options"] if lost else []
        return Dataset(data.samples, data.version, data.source, notes)

    def prompt(self, sample: Sample) -> Prompt:
        """Word a question with lettered options, to be answered directly; override it for your own prompt."""
        return self._word_question(sample, "direct")

    def prompt_for(self, sample: Sample, style: str) -> Prompt:
        """Word a question for an answer style; the text of prompt() comes before that of the style."""
        if style == "direct":
            return self.prompt(sample)
        if type(self).prompt is Task.prompt:
            return self._word_question(sample, style)
        own = self.prompt(sample)
        return dataclasses.replace(own, text=_in_lines(own.text, self._wording(sample, style)))

    def _word_question(self, sample: Sample, style: str) -> Prompt:
        """Word a question, which may be in its clip alone."""
        text = _in_lines(sample.question, letter_options(sample.choices), self._wording(sample, style))
        return Prompt(text, clips=sample.clips)

    def _wording(self, sample: Sample, style: str) -> str:
        wordings = self.wordings if sample.choices else self.open_wordings
        if style not in wordings:
            raise UserError(f"--answer {style}: {self.name} has no words for it where a question has no options.")
        return wordings[style]


class GivenTask(Task):
    """A task of questions that were given; without scorers it is scored by the right option's text."""

    name = ""  # of each its own
    in_memory = True

    def __init__(
        self,
        name: str,
        samples: Iterable[Sample],
        scorers: Sequence[TaskScorer] = (),
        examples: Sequence[Sample] = (),
    ) -> None:
        self._data = Dataset(samples, "own", name)
        self._examples = examples
        self.scorers = scorers
        self.name = name  # type: ignore[misc]

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        """Yield the questions that were given."""
        return self._data.samples

    def examples(self, data_dir: Path | None) -> Sequence[Sample]:
        """Return the examples that were given."""
        return self._examples

    def load(self, data_dir: Path | None) -> Dataset:
        """Return the questions that were given; they are in no folder."""
        if data_dir is not None:
            raise UserError(f"data_dir {data_dir}: {self.name} was given its questions: leave data_dir out.")
        return self._data


def _in_lines(*parts: str) -> str:
    """Join texts, a line each; an empty one takes none."""
    return "\n".join(part for part in parts if part)


def load_questions(task: Task, data_dir: Path | None) -> Dataset:
    """Load a task's questions; a TaskError where its own code fails."""
    try:
        return task.load(data_dir)
    except DtbenchError:
        raise
    except Exception as error:  # someone else's code
        what = f"reading its questions failed with {format_error(error)}"
        raise TaskError(f"{task.name}: {what}.{hint_of(data_dir)}") from error


def hint_of(data_dir: Path | None) -> str:
    """Return what may explain why reading questions failed, as the end of a message."""
    return " No --data-dir was given: data_dir is None." if data_dir is None else ""


def option_letter(place: int) -> str:
    """Return the letter of the option at this position; a number after the last letter."""
    return LETTERS[place] if place < len(LETTERS) else str(place + 1)


def letter_options(choices: Sequence[str]) -> str:
    """Write options as prompts show them, a line each."""
    return "\n".join(f"({letter}) {text}" for letter, text in zip(LETTERS, choices, strict=False))


def lay_out_options(choices: Sequence[str], layout: str | None) -> str:
    """Write options in one of the layouts of a prompt: with letters in brackets, a line each, where none is named."""
    if layout == "plain":
        return "\n".join(choices)
    if layout == "dotted":
        return "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, choices, strict=False))
    if layout == "angled":
        return "\n".join(f"<{letter}>: {text}" for letter, text in zip(LETTERS, choices, strict=False))
    if layout == "list":
        return str(list(choices))
    return letter_options(choices).replace("\n(", " (") if layout == "inline" else letter_options(choices)


def rotate_options(sample: Sample, places: int) -> Sample:
    """Return the sample with its options moved up by some places, the first ones to the end."""
    step = places % len(sample.choices) if sample.choices else 0
    return sample if step == 0 else dataclasses.replace(sample, choices=sample.choices[step:] + sample.choices[:step])
