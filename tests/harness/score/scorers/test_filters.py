"""Filters that take an answer out of a text, one after the other."""

from __future__ import annotations

from typing import Any

import pytest

from dtbench import Sample, UserError
from dtbench.harness.score.scorers.filters import regex

OPEN = Sample("q", "Does it ring?", (), "Yes")
CLOSED = Sample("q", "What rings?", ("A horn", "A bell"), "A bell")
FIRST = {"function": "regex"}
LAST = {"function": "regex", "group_select": -1}
LOWER, TAKE = {"function": "lowercase"}, {"function": "take_first"}
MAP = {"function": "map", "mapping_dict": {"yes": "Yes"}}


@pytest.mark.parametrize(
    ("sample", "text", "options", "value"),
    [
        (OPEN, "The answer is Yes.", {"pattern": r"answer is (\w+)"}, 1.0),
        (OPEN, "answer is No, answer is Yes", {"pattern": r"answer is (\w+)"}, 0.0),
        (OPEN, "answer is No, answer is Yes", {"pattern": r"answer is (\w+)", "take": "last"}, 1.0),
        (OPEN, "it does: yes", {"pattern": r"(?P<said>yes|no)", "group": "said", "even": True}, 1.0),
        (OPEN, "yes", {"pattern": "yes|no"}, 0.0),
        (OPEN, "YES!", {"filters": [{"lower": True}, {"strip": " !"}, {"map": {"yes": "Yes"}}]}, 1.0),
        (OPEN, "perhaps", {"filters": [{"map": {"yes": "Yes"}, "default": "No"}]}, 0.0),
        (OPEN, "Y-e-s", {"filters": [{"remove": "-"}]}, 1.0),
        (OPEN, "ring", {"pattern": r"answer is (\w+)"}, None),
        (
            OPEN,
            "is YES is no",
            {"filters": [{"function": "regex", "regex_pattern": r"is (\w+)"}, LOWER, TAKE, MAP]},
            1.0,
        ),
        (OPEN, "is no is yes", {"filters": [{**LAST, "regex_pattern": r"is (\w+)"}, LOWER, TAKE, MAP]}, 1.0),
        (OPEN, "is no is yes", {"filters": [{**LAST, "regex_pattern": r"was (\w+)"}]}, None),
        (CLOSED, "(B)", {"pattern": r"\(([A-Z])\)"}, 1.0),
        (CLOSED, "I say A bell", {"pattern": "A bell|A horn"}, 1.0),
        (CLOSED, "(A)", {"pattern": r"\(([A-Z])\)"}, 0.0),
    ],
)
def test_what_the_filters_leave_is_compared(
    sample: Sample, text: str, options: dict[str, Any], value: float | None
) -> None:
    assert regex(sample, text, **options).value == value


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"^scorer 'regex': it needs a pattern, or filters\.$"),
        ({"pattern": "("}, r"^scorer 'regex', filter 1: '\(' is no regular expression: "),
        ({"pattern": "(Yes)", "group": 2}, r"^scorer 'regex': '\(Yes\)' has no group 2\.$"),
        ({"filters": [{"lowr": True}]}, r"^scorer 'regex', filter 1: 'lowr' is not known\. Did you mean lower\?"),
        ({"filters": [{"function": "lower"}]}, r"filter 1: the function 'lower' is not known\. Did you mean lowercase"),
        ({"filters": [{"regex": "Yes", "takes": "last"}]}, r"filter 1: 'takes' is not known\. Did you mean take\?"),
    ],
)
def test_what_is_wrong_with_filters_is_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        regex(OPEN, "Yes", **options)
