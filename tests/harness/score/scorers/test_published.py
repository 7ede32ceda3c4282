from __future__ import annotations

import json
from pathlib import Path

import pytest

from dtbench import Sample
from dtbench.harness.core.scorer_names import make_scorer

GOLDEN = Path(__file__).parents[3] / "golden"
OPTIONS = ("Slow waltz", "Fast polka", "Calm drone", "Loud march")


def question(answer: str | None, item: dict[str, object] | None = None, choices: tuple[str, ...] = ()) -> Sample:
    return Sample("a", "Describe it.", choices, answer, item=item)


def test_closed_answers_are_read_as_a_person_read_them() -> None:
    """The answers are ours, and were marked by hand after the criteria that the authors give their judge."""
    scorer = make_scorer("closed-answer")
    other = {}
    for line in (GOLDEN / "big_bench_audio.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        mark = scorer.mark(question(case["gold"]), case["said"])
        if (mark.value == 1) != case["correct"]:
            other[case["said"]] = mark.value
    # A judge may see what is meant; a rule that reads no word of the answer says so and calls nothing wrong.
    assert other == dict.fromkeys(
        ["You end where you began.", "You do not end where you began.", "Ada tells the truth.", "Ada is lying."]
    )


@pytest.mark.parametrize("rule", ["muchomusic", "trea", "star-bench", "voicebench"])
def test_the_letter_of_the_right_option_has_full_marks_another_none_and_nothing_no_answer(rule: str) -> None:
    asked = question("Fast polka", choices=OPTIONS)
    for as_is in (False, True):
        scorer = make_scorer(rule, options={"as_is": as_is})
        assert [scorer.mark(asked, said).value for said in ("B", "A", "")] == [1.0, 0.0, None]


def test_a_script_is_given_the_letter_of_the_option_that_is_meant_or_the_text_as_it_is() -> None:
    asked = question("Fast polka", choices=OPTIONS)
    said = "Definitely the fast polka."
    assert make_scorer("trea").mark(asked, said).value == 1
    assert make_scorer("trea", options={"as_is": True}).mark(asked, said).value == 0  # its first letter is a D


def test_an_instruction_is_followed_or_not_and_an_unknown_one_cannot_be_scored() -> None:
    scorer = make_scorer("instruction")
    asked = question(None, {"task_identifier": "Number Words (at most)", "kwargs": {"N": 2}})
    assert [scorer.mark(asked, said).value for said in ("one two", "one two three", " ")] == [1.0, 0.0, None]
    assert "its task_identifier is 'Nothing'" in scorer.mark(question(None, {"task_identifier": "Nothing"}), "x").fault
