"""Fingerprints that run folders hold: a folder of an earlier version goes on only where they come out as they did."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import Task
from dtbench.harness.run.plan import PromptForm, TaskPlan
from dtbench.harness.run.selection import select_samples
from dtbench.harness.store.shard_states import questions_hash
from dtbench.harness.store.types import RunInfo

QUESTIONS = "18e5d0313e41dad5bb0ae7e45aa67c7aac5260d6dac75a7ef71b3b0b1120bfca"


class Birds(Task):
    name = "birds"

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        return [Sample(f"b{n}", f"Which of {n}, ö?", ("crow", "jay"), "jay", Path(f"{n}.wav")) for n in range(4)]


def planned(form: PromptForm, limit: int | None = None) -> dict[str, Any]:
    task = Birds()
    data = Dataset(list(task.samples(None)), "own", "here")
    return dict(TaskPlan(task, select_samples(data, limit, None), 1, form).settings())


def test_of_questions_and_of_which_of_them_are_asked() -> None:
    every, some = planned(PromptForm(template="{question}\n{options}")), planned(PromptForm(template="x"), limit=2)
    assert every["data"]["sha256"] == some["data"]["sha256"] == QUESTIONS
    assert (every["ids_sha256"], some["ids_sha256"]) == ("c9ed8eb7ec2e", "274b2a6168f2")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (PromptForm(template="{question}\n{options}"), "9d1201e4f613"),
        (PromptForm(template="{question}\n{options}", system="Listen."), "14a5425327b2"),
    ],
)
def test_of_the_words_of_a_prompt(form: PromptForm, expected: str) -> None:
    assert planned(form)["prompt_hash"] == expected


def test_of_what_the_shards_of_a_run_share() -> None:
    tasks = {"b": {"ids_sha256": "b2c3d4e5f6a1", "samples": 4}, "a": {"ids_sha256": "a1b2c3d4e5f6", "samples": 1}}
    assert questions_hash(cast("RunInfo", {"tasks": tasks})) == "f691e6d6d8bb"
