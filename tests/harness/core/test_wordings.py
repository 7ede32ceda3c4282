"""The words in which a task asks, by style of answer, and that what they ask for is read without doubt."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType

import pytest

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.schema import Prompt, Sample
from dtbench.harness.core.task import STYLES, WORDINGS, Task
from dtbench.harness.extract.answer import extract
from dtbench.harness.run.plan import PromptForm, TaskPlan

SAMPLE = Sample("1", "Which bird calls?", ("a crow", "a jay"), "a jay", Path("1.wav"))


class Birds(Task):
    name = "birds"

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        return [SAMPLE]


class OwnWords(Birds):
    def prompt(self, sample: Sample) -> Prompt:
        return Prompt(f"Hark! {sample.question}", sample.audio, system="You know birds.")


class OwnStyles(Birds):
    wordings = MappingProxyType({**WORDINGS, "think": "Think aloud."})


def prompt(task: Task, style: str, template: str | None = None) -> Prompt:
    return TaskPlan(task, Dataset([SAMPLE], "own", "here"), 1, PromptForm(template, answer=style)).prompt(0, 0)


@pytest.mark.parametrize("style", STYLES)
def test_every_style_shows_question_and_options_and_then_its_own_words(style: str) -> None:
    text = prompt(Birds(), style).text
    assert text == f"Which bird calls?\n(A) a crow\n(B) a jay\n{WORDINGS[style]}"


def test_a_prompt_of_the_task_s_own_stands_for_direct_answers_and_before_the_words_of_other_styles() -> None:
    assert prompt(OwnWords(), "direct").text == "Hark! Which bird calls?"
    for style in ("think", "forced"):
        own = prompt(OwnWords(), style)
        assert (own.text, own.system) == (f"Hark! Which bird calls?\n{WORDINGS[style]}", "You know birds.")


def test_a_task_may_word_a_style_itself() -> None:
    assert prompt(OwnStyles(), "think").text.endswith("\nThink aloud.")
    assert prompt(OwnStyles(), "forced").text.endswith(WORDINGS["forced"])


@pytest.mark.parametrize("style", STYLES)
def test_only_a_forced_prompt_names_letters_to_be_held_to(style: str) -> None:
    expected = ("A", "B") if style == "forced" else ()
    assert prompt(Birds(), style).letters == expected
    assert prompt(Birds(), style, "{question}\n{options}").letters == expected


def test_the_style_is_in_the_settings_and_so_are_the_words() -> None:
    told = {}
    for style in STYLES:
        plan = TaskPlan(Birds(), Dataset([SAMPLE], "own", "here"), 1, PromptForm(answer=style))
        told[style] = plan.settings()
        assert (told[style]["answer"], WORDINGS[style] in told[style]["prompt"]) == (style, True)
    assert len({about["prompt_hash"] for about in told.values()}) == len(STYLES)
    assert told["forced"]["forced"] == {"temperature": 0, "max_tokens": 1, "top_logprobs": 20}


@pytest.mark.parametrize("last", ["Answer: B", "Answer: (B)", "Answer: (B) a jay", "answer: B.", "**Answer:** B"])
@pytest.mark.parametrize("between", ["\n", "", "\n\n"])
@pytest.mark.parametrize("opened", ["<think>", "", "<THINK>"])
def test_what_think_asks_for_is_read_without_doubt(last: str, between: str, opened: str) -> None:
    closed = opened.replace("<", "</") or "</think>"  # some templates open the chain themselves
    chain = "A caw would be (A) a crow. It may be the crow... no, a screech: the jay."
    read = extract(f"{opened}{chain}{closed}{between}{last}", SAMPLE.choices)
    assert (read.choice, read.thinking) == ("a jay", chain)


def test_a_model_that_thinks_without_tags_is_read_by_its_last_line() -> None:
    read = extract("It may be a crow, but it screeches.\nAnswer: B", SAMPLE.choices)
    assert read.choice == "a jay"
