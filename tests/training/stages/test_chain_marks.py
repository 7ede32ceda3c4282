from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_up_run import answered

from dtbench.harness.core.schema import Sample
from dtbench.tasks.mini import Mini
from dtbench.training.rewards import Template
from dtbench.training.stages.chain_marks import ChainMarks, chain_marks

TASK = Mini()
TAGS = Template("<think>", "</think>")
SAMPLE: Sample = next(iter(TASK.samples(Path("clips"))))
REFERENCE = str(SAMPLE.item["thinking"])
WRONG = next(choice for choice in SAMPLE.choices if choice != SAMPLE.answer)


def marks(*texts: str, task: str = "mini") -> ChainMarks:
    return chain_marks([record(text) for text in texts], task, TAGS)


def record(text: str) -> Any:
    return answered(TASK, SAMPLE, text)


def test_a_right_answer_behind_the_reference_chain_meets_all_five_criteria() -> None:
    assert marks(f"<think> {REFERENCE} </think> {SAMPLE.answer}") == (1.0, len(REFERENCE.split()), 5.0)


def test_a_right_answer_without_a_chain_meets_none_and_counts() -> None:
    told = marks(f"<think> {REFERENCE} </think> {SAMPLE.answer}", str(SAMPLE.answer))
    assert told == (0.5, len(REFERENCE.split()), 2.5)


def test_criteria_of_wrong_answers_do_not_count() -> None:
    assert marks(f"<think> {REFERENCE} </think> {WRONG}").criteria is None


def test_a_chain_in_another_form_is_held_against_the_criteria_too() -> None:
    answer = SAMPLE.answer
    told = marks(f"<think> {REFERENCE} </think> <think> {REFERENCE} </think> {answer}", f"<think> so </think> {answer}")
    assert told.formed == 0.5
    assert told.criteria == 2.5


def test_another_task_has_no_criteria_here_and_no_answers_have_no_marks() -> None:
    assert marks(f"<think> {REFERENCE} </think> {SAMPLE.answer}", task="mmar").criteria is None
    assert chain_marks([], "mini", TAGS) == (None, None, None)


@pytest.mark.parametrize("number", range(3))
def test_what_a_chain_leaves_out_is_a_criterion_less(number: int) -> None:
    cue = SAMPLE.item["cue"][number + 2]
    told = marks(f"<think> {REFERENCE.replace(cue, 'it')} </think> {SAMPLE.answer}")
    assert told.criteria is not None
    assert told.criteria < 5
