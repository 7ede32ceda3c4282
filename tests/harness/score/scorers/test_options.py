"""Questions with options: by the option that is meant, or by its letter alone."""

from __future__ import annotations

from typing import Any

import pytest

from dtbench import Sample
from dtbench.harness.score.scorers.options import option_letter_given, option_text

ASKED = Sample("q", "What rings?", ("A horn", "A bell", "A clock"), "A bell")


@pytest.mark.parametrize(
    ("text", "value"),
    [("(B) A bell", 1.0), ("It is a bell.", 1.0), ("A", 0.0), ("a horn or a bell", None), ("", None)],
)
def test_text_takes_the_option_that_is_meant(text: str, value: float | None) -> None:
    assert option_text(ASKED, text).value == value


@pytest.mark.parametrize(
    ("text", "options", "value"),
    [
        ("B", {}, 1.0),
        ("(B) A horn", {}, 1.0),
        ("**B.** A bell", {}, 1.0),
        ("A.", {}, 0.0),
        ("The answer is B", {}, 1.0),
        ("I hear B", {}, None),
        ("A bell", {}, 0.0),
        ("b", {}, None),
        ("D", {}, None),
        ("Bell", {}, None),
        ("", {}, None),
        ("First A, then B", {"at": "first"}, 0.0),
        ("First A, then B", {"at": "last"}, 1.0),
    ],
)
def test_letter_reads_a_capital_letter_and_no_words(text: str, options: dict[str, Any], value: float | None) -> None:
    assert option_letter_given(ASKED, text, **options).value == value


def test_a_gold_that_is_no_option_is_refused_by_both() -> None:
    wrong = Sample("q", "?", ("A horn", "A bell"), "A drum")
    for scorer in (option_text, option_letter_given):
        assert scorer(wrong, "A").fault.startswith("its answer 'A drum' is not one of its options")
