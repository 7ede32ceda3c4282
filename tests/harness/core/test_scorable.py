"""Which questions are refused when a task is loaded, and that no figure comes of an empty answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_data import LAYOUTS

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError, TaskError
from dtbench.harness.core.schema import Official, Sample, Score
from dtbench.harness.core.scorable import EMPTY_IS_RIGHT, NO_GOLD, NO_OPTIONS, refuse_unscorable, scoring_fault
from dtbench.harness.core.scorer import NO_ANSWER, OfficialRule, Scorer
from dtbench.harness.core.task import Task
from dtbench.harness.extract.answer import Extraction
from dtbench.tasks.registry import TASKS, get_task
from dtbench.training.stages.describe_task import DescribeTask


class Birds(Task):
    """A task of a user's own, with nothing but its questions."""

    name = "birds"

    def __init__(self, *questions: Sample) -> None:
        self.questions = questions

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        return self.questions


class Withheld(Birds):
    answers_public = False


class WithoutVerdict(Birds):
    no_verdict = "similarity calls no single answer right"


class Scripted(Birds):
    """A task with an official rule of its own."""

    def official(self, version: str) -> OfficialRule:
        def begins(item: Mapping[str, Any], prediction: object) -> Official:
            return Official(correct=str(prediction).startswith(item["answer"][:3]), counted=True)

        return begins


class Open(Birds):
    """A task that reads open answers, and leaves their score to the text of the right one."""

    def read(self, text: str, choices: Sequence[str]) -> Extraction:
        return Extraction("", text, text.strip() or None, "as it stands")


class Counting(Birds):
    """A task that scores by itself, without any gold."""

    def score(self, sample: Sample, extraction: Extraction) -> Score:
        right = "three" in extraction.answer
        return Score(Official(correct=right, counted=True), right)


class Naive(Birds):
    """A task that scores by itself and forgot that there may be no answer."""

    def score(self, sample: Sample, extraction: Extraction) -> Score:
        right = extraction.choice == sample.answer
        return Score(Official(correct=right, counted=True), right)


class Faulty(Birds):
    def score(self, sample: Sample, extraction: Extraction) -> Score:
        raise ZeroDivisionError


def question(choices: Any = ("Crow", "Jay"), answer: Any = "Jay", id_: str = "a") -> Sample:
    return Sample(id_, "Which bird calls?", choices, answer, Path("a.wav"))


EMPTY = "its answer is empty, and the text of the correct option is expected"
REFUSED: dict[str, tuple[type[Birds], Sample, str]] = {
    "empty": (Birds, question(answer=""), EMPTY),
    "blank": (Birds, question(answer=" \n"), EMPTY),
    "empty and an empty option": (Birds, question(("", "Jay"), ""), EMPTY),
    "empty, with a script": (Scripted, question(answer=""), EMPTY),
    "empty, open": (Open, question((), ""), EMPTY),
    "empty, scored by itself": (Naive, question(answer=""), EMPTY),
    "no gold": (Birds, question(answer=None), NO_GOLD),
    "no gold, with a script": (Scripted, question(answer=None), NO_GOLD),
    "no gold, and none is asked for": (Naive, question(answer=None), EMPTY_IS_RIGHT),
    "a number": (Birds, question(answer=1), "its answer is 1, and the text of the correct option is expected"),
    "a list": (Birds, question(answer=["Jay"]), "its answer is ['Jay'], and the text of the correct option is"),
    "none of the options": (
        Birds,
        question(answer="Robin"),
        "its answer 'Robin' is not one of its options ['Crow', 'Jay",
    ),
    "a letter": (Birds, question(answer="B"), "its answer 'B' is not one of its options ['Crow', 'Jay']"),
    "other case": (Birds, question(answer="jay"), "['Crow', 'Jay']; the option 'Jay' is spelled differently"),
    "other spaces": (Birds, question(answer="Jay "), "['Crow', 'Jay']; the option 'Jay' is spelled differently"),
    "no options": (Birds, question((), "Jay"), NO_OPTIONS),
    "no options, with a script": (Scripted, question((), "Jay"), NO_OPTIONS),
    "one option": (Birds, question(("Jay",)), "its options are ['Jay'], and two or more different ones are expected"),
    "all alike": (Birds, question(("Jay", "Jay")), "two or more different ones are expected"),
    "all alike but for spaces": (Birds, question(("Jay", " Jay")), "two or more different ones are expected"),
    "an empty option": (Birds, question(("Jay", "Crow", "  ")), "its option 3 is empty, and a text is expected"),
    "the gold with other spaces": (
        Birds,
        question(("Jay", "Crow", "Jay ")),
        "its options 'Jay' and 'Jay ' differ only in spaces, and only one is correct",
    ),
    "one text for all options": (Birds, question("Jay"), "its options are 'Jay', and a list of texts is expected"),
    "options that are no texts": (
        Birds,
        question((1, "Jay")),
        "its options are [1, 'Jay'], and a list of texts is exp",
    ),
}
LEGITIMATE: dict[str, tuple[type[Birds], Sample]] = {
    "as usual": (Birds, question()),
    "the gold twice": (Birds, question(("Jay", "Crow", "Jay"))),
    "options that differ in case": (Birds, question(("Mw", "mW", "MW"), "mW")),
    "withheld": (Withheld, question(answer=None)),
    "withheld, as an empty text": (Withheld, question(answer="")),
    "without a verdict": (WithoutVerdict, question((), None)),
    "open": (Open, question((), "a jay")),
    "scored by itself": (Counting, question((), None)),
    "published, and the gold is no option": (Scripted, question(answer="Robin")),
    "published, and one option": (Scripted, question(("Jay",))),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_question_that_cannot_be_scored_is_refused_in_one_line(case: str) -> None:
    of, asked, why = REFUSED[case]
    task = of(question(id_="fine"), asked, question(answer=asked.answer, choices=asked.choices, id_="b"))
    with pytest.raises(DataError) as raised:
        refuse_unscorable(task, Dataset(task.samples(None), "own", "birds.json"))
    line = str(raised.value)
    assert "\n" not in line
    assert why in line
    assert line.startswith("birds: the question 'a' cannot be scored: ")
    then = "Correct it in the data (birds.json), or leave it out with --ids; 2 of 3 questions cannot be scored."
    assert line.endswith(then)


@pytest.mark.parametrize("case", LEGITIMATE)
def test_a_question_without_a_gold_or_with_odd_options_stays_where_it_can_be_scored(case: str) -> None:
    of, asked = LEGITIMATE[case]
    assert scoring_fault(of(), asked) == ""


def test_a_rule_that_calls_an_empty_answer_right_is_named() -> None:
    class Anything(Birds):
        def official(self, version: str) -> OfficialRule:
            return lambda item, prediction: Official(correct=prediction in item["answer"], counted=True)

    assert scoring_fault(Anything(), question()) == EMPTY_IS_RIGHT


def test_a_fault_in_the_score_of_a_task_of_ones_own_is_named_with_its_line() -> None:
    with pytest.raises(
        TaskError, match=r"^birds: scoring an empty answer to 'a' failed with ZeroDivisionError \(test_"
    ):
        scoring_fault(Faulty(), question())


TEXTS = st.sampled_from(("", " ", "a", "A", "Jay", "Jay ", "jay", "no", "No.", "(B)", "\n"))


@settings(max_examples=200)
@given(st.lists(TEXTS, max_size=4).map(tuple), st.none() | TEXTS)
def test_every_gold_scores_right_and_an_empty_answer_never_whatever_the_options_are(
    choices: tuple[str, ...], gold: str | None
) -> None:
    task, asked = Birds(), question(choices, gold)
    for said in (NO_ANSWER, Extraction("", "", "", "an empty option"), Extraction("", " ", " ", "a blank one")):
        score = task.score(asked, said)
        assert (score.official.correct, bool(score.correct)) == (False, False)
    if scoring_fault(task, asked) == "":
        right = task.score(asked, Extraction("", str(gold), gold, "the gold"))
        assert (right.official.correct, right.official.counted, right.correct) == (True, True, True)


def samples_of(name: str, folder: Path) -> Iterable[tuple[Scorer, Sample]]:
    """Some questions of a task of ours, in every layout in which it is published."""
    builders: Sequence[Callable[[Path], None] | None] = [build for task, build in LAYOUTS.values() if task == name] or [
        None
    ]
    for number, build in enumerate(builders):
        home = folder / str(number)
        if build is not None:
            build(home)
        task = DescribeTask() if name == DescribeTask.name else get_task(name)
        yield from ((task, sample) for sample in islice(task.samples(home), 400))


OF_CLASSES = [name for name, target in TASKS.items() if not target.endswith(".toml") and name != "mmau-test"]
"""Those of task files are held to the same in tests/tasks/benchmarks, each in its own layout."""


@pytest.mark.parametrize("name", [*OF_CLASSES, DescribeTask.name])
def test_every_gold_answer_scores_right_on_every_task_and_an_empty_one_never(name: str, tmp_path: Path) -> None:
    seen = 0
    for seen, (task, sample) in enumerate(samples_of(name, tmp_path), start=1):  # noqa: B007
        assert scoring_fault(task, sample) == ""
        gold = sample.answer
        assert gold is not None
        right = task.score(sample, Extraction("", gold, gold if sample.choices else None, "the gold"))
        assert (right.official.correct, right.official.counted, right.correct) == (True, True, True)
        for text in ("", " \n", "<think>It is"):
            score = task.score(sample, task.read(text, sample.choices))
            assert not score.official.correct
            assert not score.correct
    assert seen >= 6
