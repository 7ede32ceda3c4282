"""Open answers by their words: what evens out, where the answer stands, what several right answers are."""

from __future__ import annotations

from typing import Any

import pytest

from dtbench import Mark, Sample
from dtbench.harness.score.scorers.answer_part import answer_words
from dtbench.harness.score.scorers.words import contains, exact

BELL = Sample("q", "What rings?", (), "The church bell", item={"answer": ["The church bell"], "also": ["carillon", 7]})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A bell", "A bell"),
        ("It rings.\nAnswer: **a bell**", "a bell"),
        ("Answer: a horn\nNo.\nAnswer: a bell.", "a bell."),
        ("So the final answer is: a bell", "a bell"),
        ("I hear <answer>a bell</answer> here", "a bell"),
        (r"It is \boxed{a bell}.", "a bell"),
        ('{"answer": "a bell"}', "a bell"),
        ("There is no answer here", "There is no answer here"),
        ("", ""),
    ],
)
def test_the_words_of_an_answer_are_what_is_marked_as_one_or_all_of_it(text: str, words: str) -> None:
    assert answer_words(text) == words


@pytest.mark.parametrize(
    ("text", "options", "value"),
    [
        ("church bell", {}, 1.0),
        ("Answer: a CHURCH-BELL!", {}, 1.0),
        ("the Church bell", {"case": True}, 0.0),
        ("The church bell.", {"punctuation": True}, 0.0),
        ("church bell", {"articles": True}, 0.0),
        ("Ｃｈｕｒｃｈ bell", {}, 1.0),
        ("carillon", {}, 0.0),
        ("carillon", {"aliases": "also"}, 1.0),
        ("7", {"aliases": "also"}, 1.0),
        ("I think: church bell", {}, 0.0),
        ("Well. Answer: church bell", {"whole": True}, 0.0),
        ("", {}, None),
        (" ** ", {}, None),
    ],
)
def test_exact_evens_out_what_was_not_asked_to_count(text: str, options: dict[str, Any], value: float | None) -> None:
    assert exact(BELL, text, **options).value == value


@pytest.mark.parametrize("gold", ["The", "?!", "C#", "é", "a"])
def test_a_gold_of_signs_or_articles_alone_is_compared_as_it_is(gold: str) -> None:
    sample = Sample("q", "?", (), gold)
    assert exact(sample, gold).value == 1.0
    assert exact(sample, "...").value == 0.0


def test_contains_finds_whole_words_and_says_which() -> None:
    assert contains(BELL, "I hear a church bell, twice.") == Mark(1.0, "The church bell", "contained")
    assert contains(BELL, "churchbells").value == 0.0
    assert contains(BELL, "the Carillon of a town", aliases="also") == Mark(1.0, "carillon", "contained")
    assert contains(BELL, "").value is None
    assert contains(Sample("q", "?", (), None), "bell").fault.startswith("it has no answer")
