from __future__ import annotations

import json

import pytest

from dtbench.harness.core.errors import (
    DataError,
    DtbenchError,
    MachineryError,
    TaskError,
    UserError,
    did_you_mean,
    format_error,
    one_line,
)


def test_the_users_mistakes_exit_with_2_and_all_others_with_3() -> None:
    assert {kind.exit_code for kind in (UserError, DataError)} == {2}
    assert {kind.exit_code for kind in (DtbenchError, TaskError, MachineryError)} == {3}


def test_an_unknown_name_is_answered_with_the_nearest_and_all() -> None:
    assert did_you_mean("mmau", ["mmar", "mmau-mini"]) == "Did you mean mmau-mini or mmar? Known: mmar, mmau-mini."
    assert did_you_mean("zzz", ["mmar"]) == "Known: mmar."


def test_nearest_looks_past_upper_and_lower_case() -> None:
    assert did_you_mean("MMAR", ["mmar", "Own"]).startswith("Did you mean mmar?")
    assert did_you_mean("own", ["mmar", "Own"]).startswith("Did you mean Own?")


def test_an_error_is_described_with_the_line_of_the_code_that_is_to_blame() -> None:
    try:
        json.loads("{")  # raised deep inside the library
    except ValueError as error:
        line = format_error(error)
    assert line.startswith("JSONDecodeError: Expecting property name")
    assert line.partition(" (test_errors.py, line ")[1]


def test_an_error_of_several_lines_is_described_in_one() -> None:
    assert format_error(ValueError("first\n  second")) == "ValueError: first second"
    assert format_error(KeyboardInterrupt()) == "KeyboardInterrupt"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a drum", "a drum"),
        ("größer 答案", "größer 答案"),
        ("two\nlines\r\nthree", "two lines three"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\ud800", "\\ud800"),
        ("\u202etrick", "\\u202etrick"),
    ],
)
def test_what_is_shown_is_one_line_that_commands_no_terminal(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert one_line(text).encode()
