"""The official rules, held to verdicts that the official scripts gave."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtbench.harness.core.schema import Official
from dtbench.harness.score.official import (
    MISSING,
    NO_EARLIER_LETTER,
    NO_PREDICTION,
    NOT_TEXT,
    WRONG_FORMAT,
    CarriedLetterRule,
    letter_rule,
    text_rule,
)

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
NOT_TEXTS = [None, 3, 1.5, True, ["A"], {"text": "A"}]


def recorded(name: str) -> list[dict[str, Any]]:
    """One object a line: item, model_output and what the official script said of them."""
    return [json.loads(line) for line in (GOLDEN / name).read_text(encoding="utf-8").splitlines()]


def named(case: dict[str, Any]) -> str:
    return f"{case['model_output']!a} - {case['note']}"[:80]


@pytest.mark.parametrize("case", recorded("mmar.jsonl") + recorded("mmau.jsonl"), ids=named)
def test_the_text_rule_gives_the_recorded_verdict(case: dict[str, Any]) -> None:
    assert text_rule(case["item"], case["model_output"]) == Official(case["official_correct"], counted=True)


@pytest.mark.parametrize("case", recorded("mmsu.jsonl"), ids=named)
def test_the_letter_rule_gives_the_recorded_verdict(case: dict[str, Any]) -> None:
    verdict = letter_rule(case["item"], case["model_output"])
    assert (verdict.correct, verdict.counted) == (case["official_correct"], case["official_counted"])


@pytest.mark.parametrize("case", recorded("mmsu.jsonl"), ids=named)
def test_the_rule_of_2025_gives_the_recorded_verdict_on_a_record_alone(case: dict[str, Any]) -> None:
    verdict = CarriedLetterRule()(case["item"], case["model_output"])
    alone = case["bench2025_alone"]
    if "error" in alone:
        assert verdict == Official(correct=False, counted=True, why=NO_EARLIER_LETTER)
    else:
        assert (verdict.correct, verdict.counted) == (alone["correct"], alone["counted"])


def test_the_rules_of_2025_and_2026_differ_only_on_empty_responses() -> None:
    rule = CarriedLetterRule()
    differing = set()
    for case in recorded("mmsu.jsonl"):
        before, after = rule(case["item"], case["model_output"]), letter_rule(case["item"], case["model_output"])
        assert before.counted == after.counted
        if before.correct != after.correct:
            differing.add(case["model_output"].strip())
    assert differing
    assert differing <= {"", "None"}


BELL_OR_DRUM = {"choice_a": "a bell", "choice_b": "a drum", "choice_c": None, "answer_gt": "a drum"}


def test_an_empty_response_of_2025_takes_the_letter_of_the_last_record_that_had_one() -> None:
    rule = CarriedLetterRule()
    assert rule(BELL_OR_DRUM, "B").correct
    assert not rule(BELL_OR_DRUM, "no letter here").counted
    assert not rule(BELL_OR_DRUM, None).counted
    assert rule(BELL_OR_DRUM, "") == Official(correct=True, counted=True)
    assert rule(BELL_OR_DRUM, MISSING) == Official(correct=True, counted=True)
    assert rule(BELL_OR_DRUM, "A") == Official(correct=False, counted=True)
    assert rule(BELL_OR_DRUM, "None") == Official(correct=False, counted=True)


def test_a_fresh_rule_of_2025_carries_nothing_from_another_file() -> None:
    CarriedLetterRule()(BELL_OR_DRUM, "B")
    assert CarriedLetterRule()(BELL_OR_DRUM, "").why == NO_EARLIER_LETTER


@pytest.mark.parametrize("prediction", NOT_TEXTS, ids=repr)
def test_what_is_not_text_counts_as_wrong_where_the_script_would_stop(prediction: object) -> None:
    item = {"choices": ["A", "B"], "answer": "A"}
    assert text_rule(item, prediction) == Official(correct=False, counted=True, why=NOT_TEXT)


@pytest.mark.parametrize("prediction", NOT_TEXTS, ids=repr)
def test_what_is_not_text_leaves_the_denominator_of_mmsu(prediction: object) -> None:
    assert letter_rule(BELL_OR_DRUM, prediction) == Official(correct=False, counted=False, why=NOT_TEXT)


def test_a_record_without_prediction_is_left_out_by_the_text_rule_and_empty_to_the_letter_rule() -> None:
    item = {"choices": ["A", "B"], "answer": "A"}
    assert text_rule(item, MISSING) == Official(correct=False, counted=False, why=NO_PREDICTION)
    assert letter_rule(BELL_OR_DRUM, MISSING) == Official(correct=False, counted=True)


def test_a_dropped_response_says_why() -> None:
    assert letter_rule(BELL_OR_DRUM, "the drum").why == WRONG_FORMAT


@pytest.mark.parametrize(
    ("item", "right"),
    [
        ({"choice_b": "3", "answer_gt": "3"}, True),
        ({"choice_b": 3, "answer_gt": "3"}, False),
        ({"choice_b": 3, "answer_gt": 3}, True),
        ({"choice_a": "same", "choice_b": "same", "answer_gt": "same"}, True),
        ({"choice_b": None, "answer_gt": None}, True),
        ({}, True),
        ({"answer_gt": ""}, True),
        ({"choice_b": None}, False),
        ({"choice_b": "None", "answer_gt": None}, False),
    ],
    ids=str,
)
def test_options_and_answer_are_compared_as_they_are_written(item: dict[str, object], right: bool) -> None:
    assert letter_rule(item, "B").correct is right


@pytest.mark.parametrize(
    ("prediction", "right"),
    [
        ("from left to right", True),
        ("From right, to LEFT!", True),
        ("from left", False),
        ("from left to right, not above", False),
        ("it is not from left to right", True),
        ("", False),
        (" ?! ", False),
    ],
)
def test_words_are_a_set_and_negation_is_invisible(prediction: str, right: bool) -> None:
    item = {"choices": ["from left to right", "from above"], "answer": "from left to right"}
    assert text_rule(item, prediction).correct is right


@pytest.mark.parametrize(
    ("prediction", "letter"),
    [
        ("A", "A"),
        ("Because", "B"),
        ("\n D \n", "D"),
        ("(C)", "C"),
        ("\\boxed{B}", "B"),
        ("in the USA.", "A"),
        ("b", None),
        ("**B**", None),
        ("<answer>B</answer>", None),
        ("E", None),
        ("x\nB\n.", "B"),
    ],
)
def test_the_letter_is_read_at_the_first_or_the_last_but_one_place(prediction: str, letter: str | None) -> None:
    item = {f"choice_{name}": name.upper() for name in "abcd"}
    verdicts = {name: letter_rule({**item, "answer_gt": name}, prediction) for name in "ABCD"}
    assert [name for name, verdict in verdicts.items() if verdict.correct] == ([letter] if letter else [])
    assert all(verdict.counted is (letter is not None) for verdict in verdicts.values())


@given(st.text(), st.lists(st.text(), min_size=1, max_size=5), st.data())
def test_no_text_makes_a_rule_stop(prediction: str, choices: list[str], data: st.DataObject) -> None:
    item: dict[str, Any] = {"choices": choices, "answer": data.draw(st.sampled_from(choices))}
    item |= {"choice_a": choices[0], "answer_gt": item["answer"]}
    assert text_rule(item, prediction).counted
    for rule in (letter_rule, CarriedLetterRule()):
        verdict = rule(item, prediction)
        assert verdict.counted or not verdict.correct


SIGNS = st.text(alphabet="aAbB_0 '.,\n\x1c\x85éİıſßΣς\u200b", max_size=12)


@given(SIGNS, st.lists(SIGNS, min_size=1, max_size=4), st.data())
def test_the_text_rule_is_about_sets_of_words_whatever_is_looked_at_first(
    said: str, choices: list[str], data: st.DataObject
) -> None:
    answer = data.draw(st.sampled_from(choices))
    prediction = data.draw(st.sampled_from([said, answer, f"{said} {answer}"]))
    words, right, all_words = (
        set(re.findall(r"\w+", text.lower())) for text in (prediction, answer, "\n".join(choices))
    )
    correct = bool(words) and right <= words and words.isdisjoint(all_words - right)
    assert text_rule({"choices": choices, "answer": answer}, prediction).correct == correct


@given(st.lists(st.from_regex(r"\w[\w ]*", fullmatch=True), min_size=2, max_size=5, unique_by=str.lower))
def test_the_answers_own_text_is_always_right(choices: list[str]) -> None:
    assert all(text_rule({"choices": choices, "answer": answer}, answer).correct for answer in choices)
