"""Scorers that follow a benchmark's own script: options as its reader takes them, instructions by its rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from dtbench.harness.core.marks import field_of
from dtbench.harness.core.schema import Mark, Sample, unscorable
from dtbench.harness.core.scorable import choice_fault
from dtbench.harness.core.scorer import is_gold
from dtbench.harness.core.task import option_letter
from dtbench.harness.extract.answer import extract
from dtbench.harness.score.scorers import option_readers
from dtbench.harness.score.scorers.instructions import RULES, follows
from dtbench.harness.score.scorers.numbers import read_numbers

Reader = Callable[[str, Sequence[str]], int | None]


def muchomusic_mark(sample: Sample, text: str, *, as_is: bool = False) -> Mark:
    """Score as MuChoMusic's script does."""
    return _option_mark(sample, text, option_readers.muchomusic, as_is=as_is)


def trea_mark(sample: Sample, text: str, *, as_is: bool = False) -> Mark:
    """Score as TREA's script does."""
    return _option_mark(sample, text, option_readers.trea, as_is=as_is)


def star_bench_mark(sample: Sample, text: str, *, as_is: bool = False) -> Mark:
    """Score as STAR-Bench's script does."""
    return _option_mark(sample, text, option_readers.star_bench, as_is=as_is)


def voicebench_mark(sample: Sample, text: str, *, as_is: bool = False) -> Mark:
    """Score as VoiceBench's script for multiple choice does, but for letters that it draws at random."""
    return _option_mark(sample, text, option_readers.voicebench, as_is=as_is)


def _option_mark(sample: Sample, text: str, reader: Reader, *, as_is: bool) -> Mark:
    """Score by what a script reads of the letter of the option that is meant, as a submission has it.

    With `as_is`, and where no option is meant without a guess, it reads the text as it is.
    """
    if fault := choice_fault(sample.choices, sample.answer or ""):
        return unscorable(fault)
    meant = None if as_is else extract(text, sample.choices).choice
    place = reader(text if meant is None else option_letter(sample.choices.index(meant)), sample.choices)
    if place is None or place >= len(sample.choices):
        return Mark(None, why="the script reads no option")
    choice = sample.choices[place]
    return Mark(float(is_gold(choice, sample.answer)), choice, "as the script reads it")


def instruction(sample: Sample, text: str, *, rule: str = "task_identifier", kwargs: str = "kwargs") -> Mark:
    """Score an answer by the rule that the question names, as MMAU-Pro does; the fields say where it does."""
    name, given = field_of(sample, rule), field_of(sample, kwargs)
    if name not in RULES:
        return unscorable(f"its {rule} is {name!r}, and the name of a rule, such as 'No Commas', is expected")
    if not text.strip():
        return Mark(None, why="nothing was said")
    return Mark(float(follows(name, text, given if isinstance(given, Mapping) else {}, sample.question)), text, name)


_CUE = re.compile(r"(?:final answer|the answer|my answer|answer)\s*(?:is|:|-|–)\s*:?", re.IGNORECASE)
_AFTER_CUE = 60
_OR = re.compile(r"\bor\b", re.IGNORECASE)
_YES_OR_NO = re.compile(r"\b(?:(?P<yes>yes|yeah|yep|yup)|(?P<no>no|nope|nah))\b", re.IGNORECASE)
_VALID = re.compile(
    r"\b(?:(?P<no>in-?valid|(?:not|n't|n’t)\s+(?:\w+\s+)?valid)|(?P<yes>valid))\b|(?P<negated>\w+n['’]t\s+(?:\w+\s+)?valid\b)",
    re.IGNORECASE,
)


def closed_answer(sample: Sample, text: str) -> Mark:
    """Score an answer of Big Bench Audio by rule: yes or no, valid or invalid, or a number, by what the right one is.

    Read is the first after the last cue such as `the answer is`. Without a cue the last number is read, but nothing
    where two words contradict each other, or an "or" stands between numbers.
    """
    gold = (sample.answer or "").strip().lower()
    kind = next((kind for kind, answers in _ANSWERS.items() if gold in answers), "number" if gold.isdigit() else None)
    if kind is None:
        return unscorable(f"its answer is {sample.answer!r}, and yes, no, valid, invalid or a number is expected")
    cues = list(_CUE.finditer(text))
    after = text[cues[-1].end() : cues[-1].end() + _AFTER_CUE] if cues else ""
    after_cue, anywhere = _FINDERS[kind](after), _FINDERS[kind](text)
    if not anywhere:
        return Mark(None, why="none of the answers that the question allows was said")
    if not after_cue and len(set(anywhere)) > 1 and (kind != "number" or _OR.search(text)):
        return Mark(None, why="several of the answers that the question allows were said")
    said = after_cue[0] if after_cue else anywhere[-1]
    return Mark(float(said == gold), said, "after a cue" if after_cue else "the last that was said")


def _yes_or_no(text: str) -> list[str]:
    return ["yes" if match["yes"] else "no" for match in _YES_OR_NO.finditer(text)]


def _valid_or_not(text: str) -> list[str]:
    return ["valid" if match["yes"] else "invalid" for match in _VALID.finditer(text)]


def _whole_numbers(text: str) -> list[str]:
    return [f"{value:g}" for value in read_numbers(text)]


_ANSWERS: Mapping[str, Sequence[str]] = MappingProxyType({"yes or no": ("yes", "no"), "valid": ("valid", "invalid")})
_FINDERS: Mapping[str, Callable[[str], list[str]]] = MappingProxyType(
    {"yes or no": _yes_or_no, "valid": _valid_or_not, "number": _whole_numbers}
)
