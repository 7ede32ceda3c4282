"""A task that asks for descriptions of the clips of mini.

`dtbench run --tasks dtbench.training.stages.describe_task:DescribeTask` runs it. No reward asks for this skill, so
training may wear it out: it is measured before and after.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.schema import Official, Prompt, Sample, Score
from dtbench.harness.core.scorer import Column, Grouping
from dtbench.harness.core.task import Task
from dtbench.harness.extract.answer import Extraction
from dtbench.harness.extract.tidy import own_turn
from dtbench.tasks.mini import DESCRIBED, VERSION, Mini
from dtbench.tasks.mini_world.splits import DIFFICULTIES

SPEC = DESCRIBED
DESCRIBE_PROMPT = "describe the audio ."
"""The prompt that mini was taught descriptions with."""


class DescribeTask(Task):
    """Asks for a description of each clip of mini's test; it is right only word for word."""

    name = "mini-described"
    title = "the clips of mini, described"
    makes_clips = True
    groupings = (Grouping("Difficulty", ("difficulty",)),)
    columns = (*(Column(word, {"difficulty": word}) for word in DIFFICULTIES), Column("Avg"))

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        """Yield the samples of mini with this prompt; clips lie where mini has them."""
        for sample in Mini().samples(data_dir):
            description = sample.item["description"]
            item = {**sample.item, "question": DESCRIBE_PROMPT, "choices": [], "answer": description}
            groups = {"difficulty": sample.groups["difficulty"]}
            yield dataclasses.replace(
                sample, question=DESCRIBE_PROMPT, choices=(), answer=description, groups=groups, item=item
            )

    def load(self, data_dir: Path | None) -> Dataset:
        """Return the samples; their clips are written to data_dir."""
        return Dataset(self.samples(data_dir), VERSION, "made by dtbench, test split")

    def prompt(self, sample: Sample) -> Prompt:
        """Return the prompt alone: there are no options."""
        return Prompt(sample.question, sample.audio)

    def read(self, text: str, choices: Sequence[str]) -> Extraction:
        """Take the description as it is: there is no option to choose."""
        return Extraction("", _plain(text), None, "a description")

    def score(self, sample: Sample, extraction: Extraction) -> Score:
        """Compare word by word."""
        right = extraction.answer == sample.answer
        return Score(Official(correct=right, counted=True), right)


def sounds_described(item: Mapping[str, Any], text: str) -> float:
    """Return the share of a clip's sounds that a text describes at their place with exactly the right words."""
    true, given = _clauses(item["description"]), _clauses(_plain(text))
    return sum(clause == given[index] for index, clause in enumerate(true[: len(given)])) / len(true)


def _plain(text: str) -> str:
    return " ".join(own_turn(text).split())


def _clauses(description: str) -> list[str]:
    """Split a text into the description of each sound, in order."""
    return [clause.strip() for clause in description.partition(" .")[0].removeprefix("i hear ").split(" , ")]
