from __future__ import annotations

from pathlib import Path

import pytest

from dtbench.harness.core.schema import Sample
from dtbench.harness.run.plan import PromptForm, TaskPlan
from dtbench.tasks import registry as task_registry
from dtbench.tasks.mini import Mini
from dtbench.training.stages.describe_task import SPEC, DescribeTask, sounds_described

DESCRIPTION = "i hear first loud short low tone , second 3 soft high beeps , third soft long noise ."


def first() -> Sample:
    """The first clip that is to be described."""
    return next(iter(DescribeTask().samples(Path("clips"))))


def test_a_model_is_asked_for_a_description_and_told_nothing_of_the_question_or_its_answer() -> None:
    task = task_registry.get_task(SPEC)
    data = task.load(Path("clips"))
    prompt = TaskPlan(task, data.select([0]), 1, PromptForm()).prompt(0, 0)
    assert (prompt.text, prompt.choices, prompt.system) == ("describe the audio .", (), None)
    assert len(data.samples) == Mini.size


def test_it_asks_about_the_clips_of_mini_where_mini_has_them() -> None:
    own, asked = next(iter(Mini().samples(Path("clips")))), first()
    assert (asked.id, asked.audio) == (own.id, own.audio)
    assert asked.answer == own.item["description"]


@pytest.mark.parametrize(
    ("change", "right"),
    [
        (lambda told: told, True),
        (lambda told: f" {told}\n", True),
        (lambda told: told.replace("first", "second", 1), False),
        (lambda told: f"<think> {told} </think>", False),
        (lambda told: f"{told} so", False),
        (lambda told: "", False),
    ],
    ids=["to the word", "spaces", "a wrong word", "tags", "a word more", "nothing"],
)
def test_a_description_is_right_to_the_word_or_wrong(change: object, right: bool) -> None:
    assert callable(change)
    task, sample = DescribeTask(), first()
    score = task.score(sample, task.read(change(sample.answer), sample.choices))
    assert (score.correct, score.official.correct) == (right, right)


@pytest.mark.parametrize(
    ("said", "share"),
    [
        (DESCRIPTION, 1.0),
        (DESCRIPTION.replace("3 soft", "4 soft"), 2 / 3),
        (DESCRIPTION.replace(" , third soft long noise", ""), 2 / 3),
        (DESCRIPTION.replace("first loud short low tone , ", ""), 0.0),
        (DESCRIPTION.replace(" .", " , fourth loud long noise ."), 1.0),
        ("", 0.0),
    ],
    ids=["all", "a wrong number", "one left out", "none at its place", "one too many", "nothing"],
)
def test_a_sound_counts_where_all_its_words_are_right_at_its_place(said: str, share: float) -> None:
    assert sounds_described({"description": DESCRIPTION}, said) == pytest.approx(share)
