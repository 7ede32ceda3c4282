"""Criteria of a question are read in either spelling, or refused in one line that names the question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dtbench.harness.core.errors import DataError
from dtbench.harness.core.schema import Sample
from dtbench.harness.score.criteria import Rubric, RubricCriterion, has_rubric, rubric_of


def asked(**item: Any) -> Sample:
    return Sample("q7", "Which?", ("crow", "jay"), "jay", Path("clip.wav"), item=item)


KNOCK = {"name": " Hears the knock ", "scoring_point": "Says that a knock comes first", "note": None}


@pytest.mark.parametrize(("listed", "chain"), [("rubric", "thinking"), ("criteria", "chain")])
def test_criteria_and_the_chain_of_their_author_are_read_in_either_spelling(listed: str, chain: str) -> None:
    sample = asked(**{listed: [KNOCK, {"name": "Counts"}], chain: "First a knock."})
    assert has_rubric(sample)
    knock = RubricCriterion("Hears the knock", "Says that a knock comes first", "")
    assert rubric_of(sample) == Rubric((knock, RubricCriterion("Counts", "", "")), "First a knock.")
    assert rubric_of(asked(**{listed: [KNOCK]})).reference == ""


def test_a_question_without_criteria_has_no_rubric() -> None:
    assert not has_rubric(asked(rubric=[], thinking="First a knock."))


@pytest.mark.parametrize(
    ("listed", "complaint"),
    [
        ("Hears the knock", "q7: its criteria are not a list of objects."),
        (["Hears the knock"], "q7: its criteria are not a list of objects."),
        ([{"scoring_point": "Says so"}], "q7: a criterion without a name."),
        ([KNOCK, {"name": "  "}], "q7: a criterion without a name."),
        ([{"name": 3}], "q7: a criterion without a name."),
        (
            [KNOCK, {"name": "HEARS the knock"}],
            "q7: two of its criteria have one name (Hears the knock, HEARS the knock).",
        ),
    ],
)
def test_criteria_that_cannot_be_read_name_their_question(listed: Any, complaint: str) -> None:
    with pytest.raises(DataError) as raised:
        rubric_of(asked(rubric=listed))
    assert str(raised.value) == complaint
