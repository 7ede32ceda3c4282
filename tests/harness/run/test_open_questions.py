from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from dtbench import Sample, Task
from dtbench.harness.core.errors import UserError
from dtbench.harness.run.plan import PromptForm, TaskPlan
from dtbench.harness.run.prompt_template import fill_template
from dtbench.harness.run.prompt_words import read_prompt

CLIP = Path("1.wav")
CLOSED = Sample("closed", "Which?", ("a bell", "a horn"), "a bell", CLIP)
OPEN = Sample("open", "What is it?", (), "a bell", CLIP)
SPOKEN = Sample("spoken", "", ("yes", "no"), "yes", CLIP)
SPOKEN_OPEN = Sample("spoken open", "", (), "two", CLIP)


class Mixed(Task):
    name = "mixed"
    empty_may_be_right = True  # open answers are for its scorer

    def __init__(self, *given: Sample) -> None:
        self._given = given

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        return self._given


def plan_of(*samples: Sample, form: PromptForm | None = None) -> TaskPlan:
    task = Mixed(*samples)
    return TaskPlan(task, task.load(None), 1, form or PromptForm())


def text(sample: Sample, answer: str = "direct") -> str:
    return plan_of(sample, form=PromptForm(answer=answer)).prompt(0, 0).text


def test_a_question_without_options_is_not_asked_for_one_of_them() -> None:
    assert text(OPEN) == "What is it?\nAnswer in a few words, without an explanation."
    assert text(OPEN, "think").endswith("Then write one last line: `Answer:` and the answer.")
    assert "option" not in text(OPEN, "think")


def test_a_question_in_its_clip_alone_takes_no_line() -> None:
    assert text(SPOKEN) == "(A) yes\n(B) no\nAnswer with one of the options only, without an explanation."
    assert text(SPOKEN_OPEN) == "Answer in a few words, without an explanation."
    assert text(SPOKEN_OPEN, "think").startswith("First reason")


def test_a_template_has_no_line_of_what_is_not_there() -> None:
    template = "Listen.\n{question}\n\nOptions: {options:plain}\n{options}\nAnswer:"
    assert fill_template(template, SPOKEN_OPEN).text == "Listen.\n\nOptions: \nAnswer:"
    assert fill_template(template, CLOSED).text == (
        "Listen.\nWhich?\n\nOptions: a bell\na horn\n(A) a bell\n(B) a horn\nAnswer:"
    )


def test_open_and_closed_words_have_hashes_of_their_own() -> None:
    hashes = {plan_of(*each).prompt_hash() for each in ((CLOSED,), (OPEN,), (CLOSED, OPEN), (SPOKEN,), (SPOKEN_OPEN,))}
    assert len(hashes) == 5
    assert plan_of(OPEN, CLOSED).prompt_text() == (
        "{question}\n(A) {option 1}\n(B) {option 2}\nAnswer with one of the options only, without an explanation.\n\n"
        "Where there are no options:\n{question}\nAnswer in a few words, without an explanation."
    )


def test_a_letter_cannot_be_forced_where_there_are_no_options() -> None:
    with pytest.raises(UserError, match="--answer forced: the question 'open' of mixed is open: it has no options"):
        plan_of(CLOSED, OPEN, form=PromptForm(answer="forced")).check()


def test_options_are_permuted_only_where_there_are_some() -> None:
    plan = plan_of(OPEN, CLOSED, form=PromptForm(permute=1))
    plan.check()
    assert plan.prompt(0, 0).text == text(OPEN)
    assert plan.prompt(1, 0).choices == ("a horn", "a bell")
    with pytest.raises(UserError, match="--permute 1: no question of mixed has options"):
        plan_of(OPEN, form=PromptForm(permute=1)).check()


def test_a_prompt_names_the_places_of_what_the_questions_have() -> None:
    assert read_prompt("Say what you hear: {question}", {"question"}).template == "Say what you hear: {question}"
    with pytest.raises(UserError, match=r"the prompt needs \{options\};"):
        read_prompt("Say what you hear: {question}", {"question", "options"})
