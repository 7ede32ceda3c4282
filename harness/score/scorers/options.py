"""Scorers of questions with options: by the option that is meant, or by its letter alone."""

from __future__ import annotations

import re
from typing import Literal

from dtbench.harness.core.schema import Mark, Sample, unscorable
from dtbench.harness.core.scorable import choice_fault
from dtbench.harness.core.scorer import is_gold
from dtbench.harness.core.task import LETTERS
from dtbench.harness.extract.answer import extract
from dtbench.harness.score.scorers.answer_part import answer_words

_LETTER = re.compile(r"(?<![\w'’])[(\[]?(?P<letter>[A-Z])(?![\w'’])")


def option_text(sample: Sample, text: str) -> Mark:
    """Give full marks where the option that is meant is the right one, as dtbench reads it, without a guess."""
    if fault := choice_fault(sample.choices, sample.answer or ""):
        return unscorable(fault)
    read = extract(text, sample.choices)
    if read.choice is None:
        return Mark(None, read.answer, read.how)
    return Mark(float(is_gold(read.choice, sample.answer)), read.choice, read.how)


def option_letter_given(sample: Sample, text: str, *, at: Literal["answer", "first", "last"] = "answer") -> Mark:
    """Give full marks for the letter of the right option: where the answer begins, or the first or last one at all.

    Nothing but a capital letter counts, alone or in brackets: the words of an option are not read.
    """
    if fault := choice_fault(sample.choices, sample.answer or ""):
        return unscorable(fault)
    letters = LETTERS[: len(sample.choices)]
    found = _LETTER.finditer(answer_words(text) if at == "answer" else text)
    known = [match for match in found if match["letter"] in letters]
    if at == "answer":
        known = [match for match in known if not match.string[: match.start()].strip(" *_")]
    if not known:
        return Mark(None, why="no letter of an option stands where it is looked for")
    letter = known[-1 if at == "last" else 0]["letter"]
    return Mark(float(is_gold(sample.choices[letters.index(letter)], sample.answer)), letter, "letter")
