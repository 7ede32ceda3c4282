"""How a run shows its questions: the order of the options, and the words of a paraphrase.

An answer is read against what was shown, and stored and scored in the data set's own words.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.option_orders import option_places
from dtbench.harness.core.schema import Sample
from dtbench.harness.store.paraphrases import Paraphrase, kept_paraphrases
from dtbench.harness.store.types import TaskInfo


class ShownQuestion(NamedTuple):
    """A question as a run shows it."""

    sample: Sample
    """In the words and the order shown; its answer stays in the data set's words."""
    own_choices: Sequence[str]
    """The options in the order shown, in the data set's words."""

    @property
    def is_reworded(self) -> bool:
        """Whether the options stand in other words than the data set's."""
        return self.sample.choices != self.own_choices


class QuestionForm(NamedTuple):
    """What a run does to each question before it is worded."""

    permute: int = 0
    """By how many places the options are rotated."""
    order: int = 1
    """Which of all orders the options have, from 1 for the data set's own."""
    seed: int = 0
    """Of the run: orders are drawn with it where there are too many."""
    paraphrases: Mapping[str, Paraphrase] | None = None
    """The words of each question that has others; None for the data set's."""

    @classmethod
    def of_task(cls, about: TaskInfo, folder: Path) -> QuestionForm:
        """Return the form in which a stored run asked a task."""
        given = about.get("paraphrase")
        words = None if given is None else kept_paraphrases(folder, given["sha256"], given["number"])
        return cls(about["permute"], about.get("order", 1), about["seed"], words)

    def places(self, options: int, id_: str) -> Sequence[int]:
        """Return the data set's place of the option at each place shown."""
        return option_places(options, self.permute, self.order, f"{self.seed}\0{id_}")

    def show(self, sample: Sample) -> ShownQuestion:
        """Return a question as it is shown."""
        words = None if self.paraphrases is None else self.paraphrases.get(sample.id)
        places: Sequence[int] | None = None
        if self.order != 1 or (sample.choices and self.permute % len(sample.choices)):
            places = self.places(len(sample.choices), sample.id)
        if words is None and places is None:
            return ShownQuestion(sample, sample.choices)
        own = sample.choices if places is None else tuple(sample.choices[place] for place in places)
        question, choices = sample.question, own
        if words is not None:
            question = words.question or question
            if words.choices is not None:
                choices = words.choices if places is None else tuple(words.choices[place] for place in places)
        return ShownQuestion(dataclasses.replace(sample, question=question, choices=choices), own)
