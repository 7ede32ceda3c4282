"""What is read of a judge's reply: a verdict where there is one, and never one where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.harness.judge.replies import read_answer_verdict
from dtbench.harness.judge.verdict import UnreadableError
from dtbench.harness.score.scorers.judging import JudgeRule

GOLDEN = Path(__file__).parents[2] / "golden"
WORDS = JudgeRule.of({})


def recorded(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GOLDEN / f"{name}.jsonl").read_text().splitlines()]


def mark(text: str, rule: JudgeRule = WORDS) -> float | None:
    try:
        return read_answer_verdict(text, rule).mark
    except UnreadableError:
        return None


def test_what_a_strict_reader_of_big_bench_audio_reads_is_read_alike() -> None:
    """AU-Harness takes a reply that is one of the words, and leaves out any other."""
    rows = recorded("bba_judge_replies")
    strict = [row for row in rows if row["equals"] is not None]
    assert [mark(row["reply"]) for row in strict] == [row["equals"] for row in strict]
    assert len(strict) == 5


def test_where_a_lenient_reader_of_big_bench_audio_takes_the_wrong_word_another_is_read_or_none() -> None:
    """NVIDIA's reader looks for CORRECT anywhere, and for the first word where INCORRECT stands beside it."""
    lenient = {"CORRECT": 1.0, "INCORRECT": 0.0}
    others = {
        row["reply"]: mark(row["reply"])
        for row in recorded("bba_judge_replies")
        if mark(row["reply"]) != lenient.get(row["contains"])
    }
    assert others == {
        "NOT CORRECT": None,
        "CORRECT, not INCORRECT": 1.0,
        "": None,
        "<think>is it INCORRECT?</think>CORRECT": 1.0,
    }


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('{"verdict": "CORRECT"}', 1.0),
        ('```json\n{"reason": "INCORRECT at first", "judgement": "incorrect"}\n```', 0.0),
        ('{"correct": true}', 1.0),
        ('{"correct": "perhaps"}', None),
        ("**Verdict:** INCORRECT", 0.0),
        ("Is it CORRECT or INCORRECT? Both clips differ.\n\n**INCORRECT**", 0.0),
        ("Verdict: CORRECT\nVerdict: INCORRECT", None),
        ("CORRECT or INCORRECT", None),
        ("INCORRECT. The correct answer is owl.", 0.0),
        ("The answer is incorrect, since the correct answer is an owl.", None),
        ("It isn't correct.", None),
        ("This is partially correct.", None),
        ("The answer is correct.", 1.0),
        ("<think>INCORRECT? No.</think>\n\nCORRECT", 1.0),
        ("<think>CORRECT", None),
        ("CORRECTLY done", None),
        ("", None),
        ("I cannot say.", None),
    ],
)
def test_one_word_is_read_where_it_is_the_verdict(reply: str, expected: float | None) -> None:
    assert mark(reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("4", 0.8),
        ("Score: 4/5", 0.8),
        ("**Rating:** [[2]]", 0.4),
        ('{"score": "5/5", "reason": "1 owl"}', 1.0),
        ("Of 2 owls it hears 1. Score: 3", 0.6),
        ("2 or 3", None),
        ("6", None),
        ("0", None),
        ("none", None),
        ('{"score": true}', None),
    ],
)
def test_one_score_is_read_where_it_is_within_the_scale(reply: str, expected: float | None) -> None:
    found = mark(reply, JudgeRule.of({"scale": [1, 5]}))
    assert found == (None if expected is None else pytest.approx(expected))


def test_a_named_score_that_is_absent_makes_a_reply_unreadable_unless_the_authors_give_it_a_value() -> None:
    strict = JudgeRule.of({"scale": [1, 5], "scores": ["CLARITY", "DEPTH"]})
    assert mark("**CLARITY:** [4] - fine\n**DEPTH**: 2", strict) == pytest.approx(0.6)
    assert mark("CLARITY: 4", strict) is None
    assert mark("CLARITY: 4", JudgeRule.of({"scale": [1, 5], "scores": ["CLARITY", "DEPTH"], "absent": 2})) == 0.6


def test_a_text_that_repeats_itself_is_read_in_no_time_that_grows_with_its_square() -> None:
    for text in ("<think>" * 20_000, "CORRECT INCORRECT " * 10_000, "not " * 40_000, '{"verdict":' * 10_000):
        assert mark(text) is None


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"prompt": "Is it right?"}, "{response}, where the answer goes, is expected"),
        ({"verdict": "(a)(b)"}, "a regular expression with one group is expected"),
        ({"verdict": "("}, "no regular expression"),
        ({"scale": [5, 1]}, "the lowest and the highest score are expected, such as [1, 5]"),
        ({"scale": "x"}, "the lowest and the highest score are expected, such as [1, 5]"),
        ({"scores": ["A"]}, "name their scale as well"),
        ({"unreadable": "right"}, "unjudged or wrong is expected"),
        ({"right": []}, "a word for right answers and one for wrong ones are expected"),
    ],
)
def test_an_option_that_is_not_allowed_is_one_line(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match="scorer 'judge'") as error:
        JudgeRule.of(options)
    assert complaint in str(error.value)
