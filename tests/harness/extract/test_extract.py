from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtbench.harness.extract.answer import extract, fast_answer
from dtbench.harness.extract.tidy import split_text

TABLE = Path(__file__).parent
Case = dict[str, Any]


def cases(*names: str) -> list[Case]:
    return [
        json.loads(line)
        for name in names
        for line in (TABLE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]


CASES = cases("cases")
FRAGMENTS = [
    *("Cat", "not", "B", "(A)", "or", "<think>", "</think>", "answer:", "\n", ".", ",", "{", "\\boxed{"),
    *("“", "是", "3 dB", "-3 dB", "n't", "'", "if", "[x]", "~~", "|", "2", "the second"),
]
SHAPES = (
    "<think>{}",
    "{}</think>",
    "<answer>{}</answer>",
    "\\boxed{{{}}}",
    '{{"answer": "{}"}}',
    "The answer is {}.",
    "{}",
)


def shown(case: Case) -> str:
    return f"{case['note']}: {case['output'][:40]!r}"


@pytest.mark.parametrize("case", CASES, ids=shown)
def test_the_reading_is_that_of_a_careful_reader(case: Case) -> None:
    read = extract(case["output"], case["choices"])
    assert read.choice == case["expect"], read


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.xfail(reason="not read yet")) for case in cases("open")], ids=shown
)
def test_what_is_still_open(case: Case) -> None:
    assert extract(case["output"], case["choices"]).choice == case["expect"]


def test_what_is_recognised_at_once_is_what_the_full_reading_says(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = [case for case in CASES if fast_answer(split_text(case["output"]).answer.strip(), case["choices"])]
    assert len(at_once) > 100
    sooner = [extract(case["output"], case["choices"]).choice for case in at_once]
    monkeypatch.setattr("dtbench.harness.extract.answer.fast_answer", lambda said, choices: None)
    assert [extract(case["output"], case["choices"]).choice for case in at_once] == sooner


def test_the_table_is_large_and_holds_many_texts_without_an_answer() -> None:
    silent = sum(case["expect"] is None for case in CASES)
    assert len(CASES) >= 150
    assert 0.15 < silent / len(CASES) < 0.35
    assert len(cases("open")) < 0.03 * len(CASES)


@pytest.mark.parametrize(
    ("output", "thinking"),
    [
        ("<think>one</think>B", "one"),
        ("one</think>B", "one"),
        ("<THINKING> one </THINKING>B", "one"),
        ("<think>one</think>so<think>two</think>B", "one\ntwo"),
        ("<reasoning>one <think>two</think> three</reasoning>B", "one <think>two</think> three"),
        ("<think>one <b>two</b>", "one <b>two</b>"),
        ("<|channel|>analysis<|message|>one<|end|><|start|>assistant<|channel|>final<|message|>B", "one"),
        ("B", ""),
    ],
)
def test_the_chain_is_given_back_as_it_was_written(output: str, thinking: str) -> None:
    assert extract(output, ["Cat", "Dog"]).thinking == thinking


@pytest.mark.parametrize(
    ("output", "how"),
    [
        ("B. Cat", "conflict"),
        ("<answer>B</answer>", "answer tag"),
        ("\\boxed{Dog}", "box"),
        ('{"answer": "Dog"}', "JSON"),
        ("Not the cat, not the owl.", "ruled out"),
        ("I cannot hear the audio.", "refusal"),
        ("<think>It may be", "cut off"),
        ("", "empty"),
        ("<answer>F</answer>", "no such option"),
        ("The cat or the dog.", "several"),
    ],
)
def test_how_names_the_rule(output: str, how: str) -> None:
    assert how in extract(output, ["Cat", "Dog", "Owl"]).how


def test_the_answer_is_given_in_the_words_of_the_model() -> None:
    assert extract("<think>x</think><answer> the dog </answer>", ["Cat", "Dog"]).answer == "the dog"
    assert extract("It barks. The answer is the dog. Good.", ["Cat", "Dog"]).answer == "The answer is the dog."
    assert extract("I do not know.", ["Cat", "Dog"]).answer == ""


def test_options_that_are_equal_give_the_first() -> None:
    assert extract("B", ["Cat", "Cat"]).choice == "Cat"


@settings(max_examples=150)
@given(st.text(max_size=200), st.lists(st.text(max_size=20), max_size=6), st.sampled_from(SHAPES))
def test_any_text_gives_one_of_the_options_or_none(text: str, choices: list[str], shape: str) -> None:
    read = extract(shape.format(text), choices)
    assert read.choice is None or read.choice in choices
    assert read == extract(shape.format(text), choices)


@settings(max_examples=150)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40))
def test_any_mix_of_cues_and_options_is_read_without_a_fault(words: list[str]) -> None:
    read = extract(" ".join(words), ["Cat", "3 dB", "-3 dB", "Dog"])
    assert read.choice in {None, "Cat", "3 dB", "-3 dB", "Dog"}


def test_mutations_of_the_table_are_read_without_a_fault() -> None:
    draw = random.Random(7)
    for case in CASES:
        letters = list(case["output"])
        for _ in range(3):
            if letters:
                place = draw.randrange(len(letters))
                letters[place : place + draw.randrange(4)] = draw.choice(
                    ["", "\n", "<", "</think>", "A", "不", "\\", '"']
                )
        read = extract("".join(letters), case["choices"])
        assert read.choice is None or read.choice in case["choices"]


@pytest.mark.parametrize(
    "unit", ["<answer>", "<think>", "</think>", "\\boxed{", "not a cat, ", "A ", "{", '"answer": "', " ", "答案是"]
)
def test_a_megabyte_of_one_thing_is_read(unit: str) -> None:
    read = extract(unit * (1_000_000 // len(unit)), ["Cat", "Dog"])
    assert read.choice is None or unit == "not a cat, "


@pytest.mark.parametrize("shape", SHAPES[2:])
def test_every_option_of_an_ordinary_question_is_found_in_every_shape(shape: str) -> None:
    choices = ["A man", "A woman", "Both of them", "Nobody"]
    assert [extract(shape.format(choice), choices).choice for choice in choices] == choices
    assert [extract(shape.format(letter), choices).choice for letter in "ABCD"] == choices


@pytest.mark.parametrize(
    ("output", "choice", "how"),
    [
        ("It is a bird of red.", "a red bird", "said, in other words"),
        ("The answer is dogs.", "a dog", "stated"),
        ("Answer: red bird", "a red bird", "stated"),
        ("a dog", "a dog", "option text"),
    ],
)
def test_in_other_words_is_said_of_words_that_are_not_the_options_own_and_of_no_others(
    output: str, choice: str, how: str
) -> None:
    read = extract(output, ["a red bird", "a blue bird", "a dog", "a cat"])
    assert (read.choice, read.how) == (choice, how)


@pytest.mark.parametrize(("count", "choice"), [(2, None), (3, "bird"), (4, None), (5, "cow")])
def test_the_middle_option_is_one_where_their_number_is_odd(count: int, choice: str | None) -> None:
    assert extract("The middle option.", ["dog", "bird", "cow", "frog", "whale"][:count]).choice == choice
