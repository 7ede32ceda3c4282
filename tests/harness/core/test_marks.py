"""A scorer is found by its name, marks what it is for, and says in one line what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

import dtbench
from dtbench import Mark, Sample, Task, TaskError, UserError, make_scorer
from dtbench.harness.core.marks import TaskScorer, marks_of, score_of
from dtbench.harness.core.schema import WAITING, Official, unscorable
from dtbench.harness.core.scorable import refuse_unscorable, scoring_fault
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.core.scorer_names import find_scorer, scorer_names

OPEN = Sample("q1", "What rings?", (), "A bell", groups={"kind": "open"}, item={"level": 2, "meta": {"part": "b"}})
CLOSED = Sample("q2", "What rings?", ("A bell", "A horn"), "A bell", groups={"kind": "closed"})


def half(sample: Sample, text: str, *, of: float = 1.0) -> float:
    return of / 2


def scored(*scorers: Any) -> Scorer:
    class Own(Scorer):
        name = "own"

    task = Own()
    task.scorers = [one if isinstance(one, TaskScorer) else make_scorer(one) for one in scorers]
    return task


def score(task: Scorer, sample: Sample, text: str) -> dtbench.Score:
    return task.score(sample, task.read(text, sample.choices))


def test_every_built_in_name_is_a_function_and_echoes_nothing_as_right() -> None:
    for name in scorer_names():
        assert callable(find_scorer(name)), name


def test_a_function_is_named_by_its_path_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beats.py").write_text("def same(sample, text):\n    return text == sample.answer\n")
    monkeypatch.syspath_prepend(tmp_path)
    scorer = make_scorer("beats:same")
    assert (scorer.name, scorer.rule) == ("same", "beats:same")
    assert scorer.mark(OPEN, "A bell") == Mark(1.0)
    assert scorer.mark(OPEN, "a bell") == Mark(0.0)


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        ("exct", {}, "unknown scorer 'exct'. Did you mean exact"),
        ("a b:c", {}, "scorer 'a b:c' is not a path to a function: `package.module:function` is expected."),
        ("no_such_module:f", {}, "no module named 'no_such_module' to load a scorer from."),
        ("os:sep", {}, "scorer 'os:sep': os:sep is str, and a function is expected."),
        ("exact", {"cas": True}, "scorer 'exact': it has no option 'cas'. Did you mean case?"),
        ("text", {"case": True}, "scorer 'text': it has no option 'case'. It takes no options."),
    ],
)
def test_what_is_wrong_with_a_named_scorer_is_one_line(rule: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        make_scorer(rule, options=options)
    assert str(error.value).startswith(message)


def test_a_needed_option_that_is_missing_is_named() -> None:
    def by(sample: Sample, text: str, *, pattern: str) -> bool:
        return pattern in text

    with pytest.raises(UserError, match=r"scorer 'by': it needs the option 'pattern'\."):
        make_scorer(by)


@pytest.mark.parametrize(
    ("given", "value"),
    [(True, 1.0), (False, 0.0), (0.25, 0.25), (numpy.float32(0.5), 0.5), (numpy.bool_(True), 1.0), (None, None)],
)
def test_what_a_function_returns_becomes_a_number_of_pythons_own(given: Any, value: float | None) -> None:
    mark = TaskScorer("own", lambda sample, text: given).mark(OPEN, "x")
    assert mark.value == value
    assert type(mark.value) in {float, type(None)}


@pytest.mark.parametrize("given", [1.5, -0.1, float("nan"), "1", [1], Mark(2.0)])
def test_anything_else_than_a_mark_is_refused_with_the_question(given: Any) -> None:
    with pytest.raises(TaskError, match=r"^the scorer 'own' of the question 'q1' returned .*; a Mark, a number from 0"):
        TaskScorer("own", lambda sample, text: given).mark(OPEN, "x")


def test_a_function_that_fails_is_one_line_with_its_question() -> None:
    with pytest.raises(TaskError, match=r"the scorer 'own' of the question 'q1' failed with ZeroDivisionError"):
        TaskScorer("own", lambda sample, text: 1 / 0).mark(OPEN, "x")


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        ({}, (True, True)),
        ({"kind": "open"}, (True, False)),
        ({"kind": ["open", "closed"]}, (True, True)),
        ({"choices": False}, (True, False)),
        ({"choices": True}, (False, True)),
        ({"level": 2}, (True, False)),
        ({"level": "2", "meta.part": "b"}, (True, False)),
        ({"meta.part.more": "b"}, (False, False)),
    ],
)
def test_when_picks_questions_by_heading_field_and_options(when: dict[str, Any], fits: tuple[bool, bool]) -> None:
    scorer = make_scorer(half, when=when)
    assert (scorer.fits(OPEN), scorer.fits(CLOSED)) == fits


def test_the_first_scorer_that_fits_is_official_and_all_of_them_are_kept() -> None:
    task = scored(make_scorer("text", when={"choices": True}), make_scorer(half, when={"kind": "open"}), "exact")
    found = score(task, OPEN, "a bell")
    assert found.official == Official(correct=False, counted=True, mark=0.5)
    assert found.marks == {"half": 0.5, "exact": 1.0}
    assert found.correct is False
    closed = score(task, CLOSED, "(A)")
    assert closed.official == Official(correct=True, counted=True)
    assert closed.marks == {"text": 1.0, "exact": 0.0}
    assert closed.correct is True


def test_no_answer_is_wrong_to_the_official_scorer_and_unanswered_to_a_reader() -> None:
    found = score(scored("exact"), OPEN, "<think>A bell.</think>")
    assert found.official == Official(correct=False, counted=True)
    assert (found.correct, found.marks) == (None, {"exact": None})


def test_a_mark_that_waits_is_not_counted_and_leaves_the_reader_to_the_next_scorer() -> None:
    judge = TaskScorer("judge", lambda sample, text: WAITING)
    found = score(scored(judge, "exact"), OPEN, "A bell")
    assert found.official == Official(correct=False, counted=False, why="waits for a second pass")
    assert (found.correct, found.waits, found.marks) == (True, ("judge",), {"judge": None, "exact": 1.0})
    alone = score(scored(judge), OPEN, "A bell")
    assert (alone.correct, alone.waits) == (None, ("judge",))


def test_a_question_that_no_scorer_is_for_is_not_counted() -> None:
    found = score(scored(make_scorer("exact", when={"kind": "spoken"})), OPEN, "A bell")
    assert found.official == Official(correct=False, counted=False, why="no scorer of the task is for this question")
    assert score_of({}, correct=True, has_choices=True).correct is True
    assert marks_of([], OPEN, "A bell") == {}


def test_an_open_question_with_a_scorer_can_be_scored_and_one_without_an_answer_is_refused() -> None:
    assert scoring_fault(scored("exact"), OPEN) == ""
    nothing = Sample("q3", "What?", (), None)
    assert scoring_fault(scored("exact"), nothing) == "it has no answer, and the words of a right one are expected"
    assert scoring_fault(scored(lambda sample, text: unscorable("it has no rules")), nothing) == "it has no rules"
    assert scoring_fault(scored(half), OPEN).startswith("the task's own rule scores an empty answer as correct")


def test_task_of_takes_a_scorer_and_then_needs_no_options() -> None:
    rows = [
        {"question": "What rings?", "answer": ["A bell", "bells"], "audio": b"x"},
        {"question": "How many?", "answer": 3, "audio": b"x"},
    ]
    task = Task.of(rows, name="open", scorer=["exact", half])
    first, second = task.samples(None)
    refuse_unscorable(task, task.load(None))
    assert (first.choices, first.answer, second.answer) == ((), "A bell", "3")
    assert [score(task, first, text).correct for text in ("the bell!", "Bells", "horns")] == [True, True, False]
    assert score(task, second, "Answer: 3").marks == {"exact": 1.0, "half": 0.5}
    assert task.prompt(first).text == f"What rings?\n{task.open_wordings['direct']}"


def test_task_of_says_what_an_open_answer_may_be_and_names_two_scorers_alike() -> None:
    with pytest.raises(dtbench.DataError, match="a text, a number or a list of them is expected"):
        Task.of([{"question": "What?", "answer": {"a": 1}, "audio": b"x"}], name="open", scorer="exact")
    with pytest.raises(UserError, match="two scorers are named 'exact'"):
        Task.of([], name="open", scorer=["exact", "exact"])
