"""What the chains of a run are like: their form, their length, and how many of mini's criteria they meet."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dtbench.harness.extract.tidy import split_text
from dtbench.tasks.mini import SPLIT_OF
from dtbench.tasks.mini_world.criteria import criteria_met
from dtbench.tasks.mini_world.items import make_item
from dtbench.tasks.mini_world.splits import slots
from dtbench.training.rewards.completion import split_completion
from dtbench.training.rewards.settings import Template


class ChainMarks(NamedTuple):
    """All of a run's answers together; None where there is nothing to take a mean of."""

    formed: float | None
    """The share of answers in the form that the training asks for, to the letter."""
    words: float | None
    """How long a chain is, of the answers that have one, in whatever form."""
    criteria: float | None
    """How many of mini's five criteria a right answer meets; one without a chain meets none. None for other tasks."""


def chain_marks(records: Iterable[Mapping[str, Any]], task: str, template: Template) -> ChainMarks:
    """The marks of a run's records that hold an answer."""
    items = items_of(task)
    formed: list[bool] = []
    words: list[float] = []
    criteria: list[float] = []
    for record in records:
        text = record["response"]["text"]
        found = split_completion(text, template)
        chain = split_text(text).thinking if found is None else found.chain
        formed.append(found is not None)
        if chain.split():
            words.append(len(chain.split()))
        if items is not None and record["score"]["correct"] is True:
            criteria.append(sum(criteria_met(items[record["id"]], chain)))
    return ChainMarks(_mean(formed), _mean(words), _mean(criteria))


@functools.cache
def items_of(task: str) -> Mapping[str, Mapping[str, Any]] | None:
    """The items of a split of mini by id; None for another task, whose criteria need a judge."""
    if task not in SPLIT_OF:
        return None
    return {slot.id: make_item(slot).as_published() for slot in slots(SPLIT_OF[task])}


def _mean(values: list[float] | list[bool]) -> float | None:
    return sum(values) / len(values) if values else None
