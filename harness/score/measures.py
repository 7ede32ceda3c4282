"""What the chains of thought of a run are worth: figures that accuracy alone does not tell.

Records in, figures out. Criteria, and with them lucky answers, need a task that checks chains by itself
(`Task.chain_criteria`), as those of mini's world do; the other measures are of any run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.task import Task
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.harness.extract.tidy import split_text
from dtbench.harness.store.measure_types import GroupMeasures, RunMeasures
from dtbench.harness.store.types import Record

LEAST_SHARE = 3 / 5
"""A right answer whose chain meets a smaller share of its criteria is a lucky one."""
CUT = "length"
"""Why a model ended that reached its limit of tokens."""
Items = Mapping[str, Mapping[str, Any]]
"""The questions of a task as published, by id."""


class ChainReading(NamedTuple):
    """A text, read for its chain of thought."""

    chain: str
    formed: bool | None = None
    """Whether the text has the form that was asked for; None where none was."""


ReadChain = Callable[[str], ChainReading]


class MeasuredAnswer(NamedTuple):
    """An answer and its chain, as measures take them."""

    right: bool
    words: int
    """Of the chain; 0 where there is none."""
    formed: bool | None
    cut: bool
    """Whether the answer or its chain was cut at a limit of tokens."""
    criteria: Sequence[bool] | None
    """Which criteria the chain meets; None where nothing checks them."""
    groups: Mapping[str, str]

    @property
    def is_lucky(self) -> bool:
        """Whether the answer is right and its chain does not lead there."""
        return self.right and self.criteria is not None and sum(self.criteria) < LEAST_SHARE * len(self.criteria)


def tagged_chain(tags: ChainTags | None = None) -> ReadChain:
    """Return what reads a chain between these tags, or between any that are known."""
    return lambda text: ChainReading(split_text(text, tags).thinking)


def checks_chains(task: Task) -> bool:
    """Return whether a task checks chains of thought itself."""
    return type(task).chain_criteria is not Task.chain_criteria


def measured_answers(
    records: Iterable[Record], task: Task, items: Items, read: ReadChain | None = None
) -> list[MeasuredAnswer]:
    """Read the chain of each answer of a run, and check it where the task can; failed requests are left out.

    `items` are needed where the task checks chains, and only then.
    """
    read, checks = read or tagged_chain(), checks_chains(task)
    answers = []
    for record in records:
        if "error" in record:
            continue
        response = record["response"]
        reading = read(response["text"])
        criteria = task.chain_criteria(items[record["id"]], reading.chain) if checks else None
        cut = response["finish_reason"] == CUT or response.get("cut_at_budget", False)
        right, words = record["score"]["correct"] is True, len(reading.chain.split())
        answers.append(MeasuredAnswer(right, words, reading.formed, cut, criteria, record["groups"]))
    return answers


def run_measures(answers: Sequence[MeasuredAnswer]) -> RunMeasures:
    """Measure the answers of a run, all of them and by every group."""
    formed = [answer.formed for answer in answers if answer.formed is not None]
    empty, cut = [one for one in answers if not one.words], [one for one in answers if one.cut]
    return {
        **group_measures(answers),
        "formed": _mean(formed),
        "empty_rate": _mean([not answer.words for answer in answers]),
        "empty_accuracy": _mean([answer.right for answer in empty]),
        "cut_rate": _mean([answer.cut for answer in answers]),
        "cut_accuracy": _mean([answer.right for answer in cut]),
        "groups": _by_group(answers),
    }


def group_measures(answers: Sequence[MeasuredAnswer]) -> GroupMeasures:
    """Measure some answers of a run."""
    right = [answer for answer in answers if answer.right]
    checked = [answer for answer in right if answer.criteria is not None]
    return {
        "n": len(answers),
        "right": len(right),
        "accuracy": _mean([answer.right for answer in answers]),
        "criteria": _mean([sum(answer.criteria or ()) for answer in checked]),
        "lucky_rate": _mean([answer.is_lucky for answer in checked]),
        "words": _mean([answer.words for answer in answers if answer.words]),
    }


def _by_group(answers: Sequence[MeasuredAnswer]) -> dict[str, dict[str, GroupMeasures]]:
    groups: dict[str, dict[str, list[MeasuredAnswer]]] = {}
    for answer in answers:
        for heading, value in answer.groups.items():
            groups.setdefault(heading, {}).setdefault(value, []).append(answer)
    return {
        heading: {value: group_measures(own) for value, own in sorted(values.items())}
        for heading, values in sorted(groups.items())
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
