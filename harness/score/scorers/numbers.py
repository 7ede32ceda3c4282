"""The scorer of open answers that are a number."""

from __future__ import annotations

import re
from typing import Literal

from dtbench.harness.core.schema import Mark, Sample, unscorable
from dtbench.harness.score.scorers.answer_part import NO_GOLD, answer_words, gold_answers

_NUMBER = re.compile(r"(?<![\w.])[-+−]?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?")
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = {
    word: 10 * place for place, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
WORDS: dict[str, int] = {word: value for value, word in enumerate(_SMALL)} | _TENS
_WORD = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(_TENS)})[- ](?P<ones>{'|'.join(_SMALL[1:10])})|(?P<one>{'|'.join(WORDS)}))\b",
    re.IGNORECASE,
)


def number(
    sample: Sample,
    text: str,
    *,
    tolerance: float = 0.0,
    relative: float = 0.0,
    unit: str = "",
    take: Literal["only", "first", "last"] = "last",
) -> Mark:
    """Give full marks to a number that is the right one, or no further off than a tolerance.

    `tolerance` is in the answer's own unit, `relative` a share of the right number. The number may be spelled up to
    ninety-nine. With `unit`, only a number that this unit follows is read. Of several numbers the last one counts, the
    first, or none where `take` is "only".
    """
    golds = [value for gold in gold_answers(sample) for value in read_numbers(gold)[:1]]
    if not golds:
        return unscorable(NO_GOLD if sample.answer is None else f"its answer {sample.answer!r} is not a number")
    found = read_numbers(answer_words(text), unit)
    if not found or (take == "only" and len(set(found)) > 1):
        return Mark(None, why="no number was said" if not found else "several numbers were said")
    said = found[0] if take == "first" else found[-1]
    right = any(abs(said - gold) <= max(tolerance, relative * abs(gold)) + 1e-9 * abs(gold) for gold in golds)
    return Mark(float(right), f"{said:g}", "number")


def read_numbers(text: str, unit: str = "") -> list[float]:
    """Return the numbers of a text in order, spelled ones too; with a unit, those that it follows."""
    found = [(match.start(), match.end(), _value(match[0])) for match in _NUMBER.finditer(text)]
    for match in _WORD.finditer(text):
        value = WORDS[match["one"].lower()] if match["one"] else _spelled(match["tens"], match["ones"])
        found.append((match.start(), match.end(), float(value)))
    follows = re.compile(rf"\s*-?{re.escape(unit)}(?!\w)", re.IGNORECASE)
    return [value for _, end, value in sorted(found) if not unit or follows.match(text, end)]


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


def _spelled(tens: str, ones: str) -> int:
    return WORDS[tens.lower()] + WORDS[ones.lower()]
