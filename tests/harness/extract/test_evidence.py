"""What counts as an answer under each threshold of evidence, and what stays visible of the rest."""

from __future__ import annotations

import itertools

import pytest

from dtbench.harness.extract.answer import Extraction, extract
from dtbench.harness.extract.evidence import (
    DEFAULT_MIN_EVIDENCE,
    EVIDENCE_LEVELS,
    WEAKEST,
    as_read,
    is_enough,
    set_weak_aside,
)

PAIRS = list(itertools.product(EVIDENCE_LEVELS, EVIDENCE_LEVELS))


@pytest.mark.parametrize(("level", "threshold"), PAIRS, ids=lambda value: str(value))
def test_a_choice_counts_where_its_evidence_is_as_firm_as_the_threshold(level: str, threshold: str) -> None:
    read = Extraction("It rings.", "a bell it is", "a bell", "by the rule", level)
    counted = set_weak_aside(read, threshold)
    if EVIDENCE_LEVELS.index(level) <= EVIDENCE_LEVELS.index(threshold):
        assert counted is read
        assert is_enough(level, threshold)
    else:
        how = f"by the rule: weaker evidence than {threshold}"
        assert counted == Extraction("It rings.", "a bell it is", None, how, level, "a bell")
        assert not is_enough(level, threshold)


def test_what_was_set_aside_is_the_choice_again_as_it_was_read() -> None:
    read = Extraction("", "a bell", "a bell", "by the rule", "inferred")
    again = as_read(set_weak_aside(read, "stated"))
    assert (again.choice, again.level, again.set_aside) == ("a bell", "inferred", None)
    assert as_read(read) is read


@pytest.mark.parametrize("threshold", EVIDENCE_LEVELS)
def test_a_text_without_an_option_has_nothing_to_set_aside(threshold: str) -> None:
    read = extract("I cannot tell.", ("a bell", "a drum"))
    assert set_weak_aside(read, threshold) is read
    assert (read.level, read.set_aside) == (None, None)


def test_a_reading_of_a_tasks_own_counts_as_stated() -> None:
    own = Extraction("", "a bell", "a bell", "its own rule")
    assert own.level == EVIDENCE_LEVELS[0]
    assert set_weak_aside(own, EVIDENCE_LEVELS[0]) is own


def test_a_stated_answer_counts_under_every_threshold_and_the_usual_one_is_a_level() -> None:
    read = extract("The answer is (B) a drum.", ("a bell", "a drum"))
    assert {set_weak_aside(read, threshold).choice for threshold in EVIDENCE_LEVELS} == {"a drum"}
    assert DEFAULT_MIN_EVIDENCE in EVIDENCE_LEVELS
    assert EVIDENCE_LEVELS[-1] == WEAKEST


@pytest.mark.parametrize(("level", "threshold"), [("sure", "said"), ("said", "sure")])
def test_what_is_no_level_is_an_error_that_names_them(level: str, threshold: str) -> None:
    read = Extraction("", "a bell", "a bell", "its own rule", level)
    with pytest.raises(ValueError, match="'sure' is no level of evidence; there are stated, chosen, concluded"):
        set_weak_aside(read, threshold)
