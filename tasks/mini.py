"""mini: questions about synthetic sounds, for trying everything without a download.

Nothing is fetched. Questions and clips follow from a seed, bit for bit the same on every machine; a clip is written as
WAV when it is first read. The record of an item holds its true sounds (`events`), a reference chain (`thinking`) and
five criteria (`cue`, `rubric`) under the names that MMAR gives them. `mini` is the test split; `mini-train-1` and
`mini-train-2` are for training, and share no clip with it or with each other.

A sound is low under 400 Hz and high from 1131 Hz, soft under -25 dB (RMS, full scale), short under half a second. In
`easy` items everything is far from these boundaries, in `boundary` items what is asked for is close to them, or faint.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.scorer import Column, Grouping
from dtbench.harness.core.task import WORDINGS, ChainEdit, Task
from dtbench.tasks.data.layouts import task_folder
from dtbench.tasks.mini_world.chain_edits import edit_chain
from dtbench.tasks.mini_world.clips import GeneratedClip
from dtbench.tasks.mini_world.criteria import criteria_met
from dtbench.tasks.mini_world.events import KINDS, LENGTHS, LEVELS, PITCHES, WAYS
from dtbench.tasks.mini_world.items import Item, make_item
from dtbench.tasks.mini_world.questions import CATEGORIES
from dtbench.tasks.mini_world.splits import DIFFICULTIES, SPLITS, Slot, slots

DESCRIBED = "dtbench.training.stages.describe_task:DescribeTask"
"""The task that asks for descriptions, by its place: it is no benchmark, so it is not listed."""
VERSION = "1"
"""Of questions and sounds; a change to either is a new one."""


class Mini(Task):
    """The test split. Scored by the option's text."""

    name = "mini"
    title = "mini: questions about generated tones, beeps, chirps and noise"
    licence = "Apache-2.0"
    makes_clips = True
    split: ClassVar[str] = "test"
    size = SPLITS["test"].size
    groupings: ClassVar[tuple[Grouping, ...]] = (
        Grouping("Category", ("category",), tuple(CATEGORIES)),
        Grouping("Difficulty", ("difficulty",)),
    )
    wordings = MappingProxyType(
        {**WORDINGS, "direct": "answer directly .", "think": "think and answer ."}  # words that its model knows
    )
    columns: ClassVar[tuple[Column, ...]] = (
        *(Column(word, {"difficulty": word}) for word in DIFFICULTIES),
        Column("Avg"),
    )

    def groups(self, item: Item) -> Mapping[str, str]:
        """Return what the question is reported under."""
        return {"category": item.slot.category, "difficulty": item.slot.difficulty}

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        """Make the questions one by one."""
        folder = task_folder(self.name, data_dir)
        if folder.is_file() or folder.parent.is_file():
            raise DataError(f"--data-dir {data_dir}: this is a file; a folder for the clips is expected.")
        return (self._sample(slot, folder) for slot in slots(self.split))

    def chain_criteria(self, item: Mapping[str, Any], chain: str) -> Sequence[bool]:
        """Return which of its five criteria a chain meets, by its words."""
        return criteria_met(item, chain)

    def chain_edits(self, item: Mapping[str, Any], chain: str) -> Sequence[ChainEdit]:
        """Return the chain with one sound described otherwise, and with another step, where that changes the answer."""
        return edit_chain(item, chain)

    def content_words(self, sample: Sample) -> Collection[str]:
        """Return the words for qualities of sounds, whatever the question asks for."""
        return {*KINDS, *LEVELS, *LENGTHS, *PITCHES, *WAYS}

    def companion_tasks(self) -> Sequence[str]:
        """Return the task that asks for descriptions of the clips."""
        return (DESCRIBED,)

    def load(self, data_dir: Path | None) -> Dataset:
        """Load the samples; their clips are written into data_dir when they are read."""
        return Dataset(self.samples(data_dir), VERSION, f"made by dtbench, {self.split} split")

    def _sample(self, slot: Slot, folder: Path) -> Sample:
        item = make_item(slot)
        return Sample(
            id=slot.id,
            question=item.question,
            choices=item.choices,
            answer=item.solution.answer,
            audio=GeneratedClip(slot, folder),
            groups=dict(self.groups(item)),
            item=item.as_published(),
        )


class MiniTrain1(Mini):
    """For the first stage of training: four of five are easy."""

    name = "mini-train-1"
    title = "mini, for the first stage of training: four of five are easy"
    split = "train-1"
    size = SPLITS["train-1"].size


class MiniTrain2(Mini):
    """For the second stage of training: four of five are at the boundary."""

    name = "mini-train-2"
    title = "mini, for the second stage of training: four of five are at the boundary"
    split = "train-2"
    size = SPLITS["train-2"].size
