"""A benchmark: samples, a prompt, a score."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DtbenchError, TaskError, format_error
from dtbench.harness.core.schema import Prompt, Sample
from dtbench.harness.core.scorer import Scorer

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""The names of options, in order."""
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


class Task(Scorer, ABC):
    """A benchmark. A new one needs a name and samples(); the rest has a default."""

    title: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    size: ClassVar[int | None] = None
    """How many items the published set has."""
    wordings: ClassVar[Mapping[str, str]] = WORDINGS
    """Style of answer -> what follows a question and its options."""
    answers_each: int | None = None
    """How many answers to a question its score takes; None where any number will do."""
    prescribed: Mapping[str, str] = MappingProxyType({})
    """Options of a model, as -M names them, that the benchmark prescribes; those of the user override them."""
    defined_in: Path | None = None
    """The file that defines it, where that is a user's and no Python."""

    @abstractmethod
    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        """Yield the questions, from data_dir where the user names one."""

    def load(self, data_dir: Path | None) -> Dataset:
        """Load the samples, and name their version as results do."""
        data = Dataset(self.samples(data_dir), "own", str(data_dir or self.name))
        lost = len(data.unanswerable)
        notes = [f"{lost} answers are not among their options"] if lost else []
        return Dataset(data.samples, data.version, data.source, notes)

    def prompt(self, sample: Sample) -> Prompt:
        """Word a question with lettered options, to be answered at once; override it for words of your own."""
        return self._word_question(sample, "direct")

    def prompt_for(self, sample: Sample, style: str) -> Prompt:
        """Word a question for a style of answer; words of an own prompt() stand before the style's."""
        if style == "direct":
            return self.prompt(sample)
        if type(self).prompt is Task.prompt:
            return self._word_question(sample, style)
        own = self.prompt(sample)
        return dataclasses.replace(own, text=f"{own.text}\n{self.wordings[style]}")

    def _word_question(self, sample: Sample, style: str) -> Prompt:
        return Prompt(f"{sample.question}\n{letter_options(sample.choices)}\n{self.wordings[style]}", sample.audio)


def load_questions(task: Task, data_dir: Path | None) -> Dataset:
    """Load a task's questions; a TaskError where its own code fails."""
    try:
        return task.load(data_dir)
    except DtbenchError:
        raise
    except Exception as error:  # someone else's code
        hint = " No --data-dir was given: data_dir is None." if data_dir is None else ""
        raise TaskError(f"{task.name}: reading its questions failed with {format_error(error)}.{hint}") from error


def option_letter(place: int) -> str:
    """Return the letter of the option at this position; a number after the last letter."""
    return LETTERS[place] if place < len(LETTERS) else str(place + 1)


def letter_options(choices: Sequence[str]) -> str:
    """Write options as prompts show them, a line each."""
    return "\n".join(f"({letter}) {text}" for letter, text in zip(LETTERS, choices, strict=False))


def rotate_options(sample: Sample, places: int) -> Sample:
    """Return the sample with its options moved up by some places, the first ones to the end."""
    step = places % len(sample.choices) if sample.choices else 0
    return sample if step == 0 else dataclasses.replace(sample, choices=sample.choices[step:] + sample.choices[:step])
