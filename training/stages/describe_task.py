"""The clips of mini, to be described: `dtbench run --tasks dtbench.training.stages.describe_task:DescribeTask`.

A skill that no reward asks for, and that training may wear out: it is asked before and after.
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
from dtbench.harness.extract.extraction import Extraction
from dtbench.harness.extract.tidy import own_turn
from dtbench.tasks.mini import VERSION, Mini
from dtbench.tasks.mini_world.splits import DIFFICULTIES

SPEC = "dtbench.training.stages.describe_task:DescribeTask"
"""How the registry finds it: it is no benchmark, so it has no name among them."""
WORDS = "describe the audio ."
"""What mini is asked for a description with."""


class DescribeTask(Task):
    """Each clip of mini's test, once for each question about it; right is a description without a wrong word."""

    name = "mini-described"
    title = "the clips of mini, described"
    groupings = (Grouping("Difficulty", ("difficulty",)),)
    columns = (*(Column(word, {"difficulty": word}) for word in DIFFICULTIES), Column("Avg"))

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        """The questions of mini with other words; its clips lie where mini has them."""
        return (_to_describe(sample) for sample in Mini().samples(data_dir))

    def load(self, data_dir: Path | None) -> Dataset:
        """The samples; their clips are going to be in data_dir."""
        return Dataset(self.samples(data_dir), VERSION, "made by dtbench, test split")

    def prompt(self, sample: Sample) -> Prompt:
        """The words alone: there are no options."""
        return Prompt(sample.question, sample.audio)

    def read(self, text: str, choices: Sequence[str]) -> Extraction:
        """The words as they are; there is no option to choose."""
        return Extraction("", _plain(text), None, "a description")

    def score(self, sample: Sample, extraction: Extraction) -> Score:
        """Word by word."""
        right = extraction.answer == sample.answer
        return Score(Official(correct=right, counted=True), right)


def sounds_told(item: Mapping[str, Any], text: str) -> float:
    """The share of a clip's sounds of which a description says, at their place, all the right words and no other."""
    true, said = _clauses(item["description"]), _clauses(_plain(text))
    return sum(place < len(said) and said[place] == clause for place, clause in enumerate(true)) / len(true)


def _to_describe(sample: Sample) -> Sample:
    asked = {"question": WORDS, "choices": [], "answer": sample.item["description"]}
    groups = {"difficulty": sample.groups["difficulty"]}
    item = {**sample.item, **asked}
    return dataclasses.replace(
        sample, question=WORDS, choices=(), answer=sample.item["description"], groups=groups, item=item
    )


def _plain(text: str) -> str:
    return " ".join(own_turn(text).split())


def _clauses(description: str) -> list[str]:
    """What is said of each sound, in order."""
    return [clause.strip() for clause in description.partition(" .")[0].removeprefix("i hear ").split(" , ")]
