"""Measures of chains of thought, computed by hand for a few answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from made_up_run import answered, failed

from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import Task
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.harness.score.measures import (
    ChainReading,
    MeasuredAnswer,
    group_measures,
    measured_answers,
    run_measures,
    tagged_chain,
)

CHOICES = ("bell", "dog")


class Checked(Task):
    """Questions whose chains are checked by the five words that they should have."""

    name = "checked"

    def samples(self, data_dir: Path | None) -> Sequence[Sample]:
        return ()

    def chain_criteria(self, item: Mapping[str, Any], chain: str) -> Sequence[bool]:
        return [word in chain.split() for word in item["words"]]


class Unchecked(Task):
    """The same without a check."""

    name = "unchecked"

    def samples(self, data_dir: Path | None) -> Sequence[Sample]:
        return ()


def sample(number: int, depth: str) -> Sample:
    item = {"words": "a b c d e".split(), "answer": "bell", "choices": CHOICES}
    return Sample(f"q{number}", "which ?", CHOICES, "bell", groups={"depth": depth}, item=item)


SAMPLES = [sample(number, "1" if number < 3 else "2") for number in range(6)]
ITEMS = {one.id: one.item for one in SAMPLES}
TEXTS = [
    "<think>a b c d e</think>bell",
    "<think>a b c</think>bell",
    "<think>a b x</think>bell",
    "bell",
    "<think>a b c d e</think>dog",
    "<think>a b c d e so it is",
]


def measured(task: Task, **last: Any) -> list[MeasuredAnswer]:
    records = [answered(task, one, text) for one, text in zip(SAMPLES, TEXTS, strict=True)]
    records[-1] = answered(task, SAMPLES[-1], TEXTS[-1], finish_reason="length", **last)
    return measured_answers([*records, failed(sample(9, "2"))], task, ITEMS)


def test_a_right_answer_is_lucky_where_its_chain_meets_fewer_than_three_of_five_criteria() -> None:
    answers = measured(Checked())
    assert [sum(answer.criteria or ()) for answer in answers] == [5, 3, 2, 0, 5, 5]
    assert [answer.is_lucky for answer in answers] == [False, False, True, True, False, False]
    measures = run_measures(answers)
    assert (measures["n"], measures["right"], measures["accuracy"]) == (6, 4, 4 / 6)
    assert measures["criteria"] == (5 + 3 + 2 + 0) / 4
    assert measures["lucky_rate"] == 2 / 4


def test_empty_and_cut_chains_are_told_apart_with_their_accuracy() -> None:
    measures = run_measures(measured(Checked()))
    assert (measures["empty_rate"], measures["empty_accuracy"]) == (1 / 6, 1.0)
    assert (measures["cut_rate"], measures["cut_accuracy"]) == (1 / 6, 0.0)
    assert measures["words"] == (5 + 3 + 3 + 5 + 8) / 5
    at_budget = measured(Checked(), cut_at_budget=True)
    assert [answer.cut for answer in at_budget] == [False] * 5 + [True]


def test_every_group_is_measured_by_itself() -> None:
    answers = measured(Checked())
    groups = run_measures(answers)["groups"]["depth"]
    assert {value: (one["n"], one["right"], one["lucky_rate"]) for value, one in groups.items()} == {
        "1": (3, 3, 1 / 3),
        "2": (3, 1, 1.0),
    }
    assert groups["1"] == group_measures(answers[:3])


def test_a_task_that_checks_no_chains_has_all_other_measures() -> None:
    measures = run_measures(measured(Unchecked()))
    assert (measures["criteria"], measures["lucky_rate"], measures["formed"]) == (None, None, None)
    assert (measures["accuracy"], measures["empty_rate"]) == (4 / 6, 1 / 6)


def test_no_answers_have_no_means() -> None:
    measures = run_measures(measured_answers([failed(SAMPLES[0])], Checked(), {}))
    assert (measures["n"], measures["right"], measures["groups"]) == (0, 0, {})
    assert {measures["accuracy"], measures["words"], measures["empty_rate"], measures["cut_accuracy"]} == {None}


@pytest.mark.parametrize(("tags", "chain"), [(None, ""), (ChainTags("<my>", "</my>"), "a b c d e")])
def test_a_chain_is_read_between_the_tags_that_are_given(tags: ChainTags | None, chain: str) -> None:
    text = "<my>a b c d e</my>bell"
    assert tagged_chain(tags)(text) == ChainReading(chain, None)
    record = answered(Checked(), SAMPLES[0], text)
    (answer,) = measured_answers([record], Checked(), ITEMS, tagged_chain(tags))
    assert answer.words == len(chain.split())
    (formed,) = measured_answers([record], Checked(), ITEMS, lambda text: ChainReading("a b c", formed=True))
    assert (formed.words, run_measures([formed, formed._replace(formed=False)])["formed"]) == (3, 0.5)
