"""Measure the chains of a run: their form, their length, and how many of mini's criteria they meet."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dtbench.harness.extract.tidy import split_text
from dtbench.harness.store.types import Record
from dtbench.tasks.mini import SPLIT_OF
from dtbench.tasks.mini_world.criteria import criteria_met
from dtbench.tasks.mini_world.items import make_item
from dtbench.tasks.mini_world.splits import slots
from dtbench.training.rewards.completion import split_completion
from dtbench.training.rewards.settings import Template


class ChainMarks(NamedTuple):
    """Means over the answers of a run; None where there is none to average."""

    formed: float | None
    """The share of answers that fit the template of the training to the letter."""
    words: float | None
    """The words of a chain, over the answers that have one, in whatever form."""
    criteria: float | None
    """How many of mini's five criteria a right answer meets; without a chain, none. None for other tasks."""


def chain_marks(records: Iterable[Record], task: str, template: Template) -> ChainMarks:
    """Measure the chains of records that hold an answer."""
    items = items_by_id(task)
    formed: list[bool] = []
    words: list[float] = []
    criteria: list[float] = []
    for record in records:
        text = record["response"]["text"]
        parts = split_completion(text, template)
        chain = split_text(text).thinking if parts is None else parts.chain
        formed.append(parts is not None)
        if chain.split():
            words.append(len(chain.split()))
        if items is not None and record["score"]["correct"] is True:
            criteria.append(sum(criteria_met(items[record["id"]], chain)))
    return ChainMarks(_mean(formed), _mean(words), _mean(criteria))


@functools.cache
def items_by_id(task: str) -> Mapping[str, Mapping[str, Any]] | None:
    """Return the items of a split of mini by id; None for other tasks, whose criteria need a judge."""
    if task not in SPLIT_OF:
        return None
    return {slot.id: make_item(slot).as_published() for slot in slots(SPLIT_OF[task])}


def _mean(values: list[float] | list[bool]) -> float | None:
    return sum(values) / len(values) if values else None
