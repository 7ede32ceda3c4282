"""Scorers of open answers by their parts: lists, and transcripts word by word or sign by sign."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

from dtbench.harness.core.marks import field_of
from dtbench.harness.core.schema import Mark, Sample, unscorable
from dtbench.harness.score.scorers.answer_part import NO_GOLD, answer_words, even_out, gold_answers

_BETWEEN = re.compile(r"\s*(?:[,;\n]|->|→|\band\b|\bthen\b)\s*", re.IGNORECASE)
_BULLET = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.)])\s+")
NOTHING_LISTED = "nothing was listed"
NOTHING_SAID = "nothing was said"


def listed(sample: Sample, text: str, *, ordered: bool = True, partial: bool = False) -> Mark:
    """Give full marks to the same things in the same order, or in any where `ordered` is False.

    With `partial` the mark is twice what both lists share by the length of both: in order, the longest common
    sequence. Things stand apart by commas, semicolons, lines, arrows, `and` or `then`; spelling is evened out.
    """
    published = field_of(sample, "answer")
    golds = published if isinstance(published, list | tuple) else _things(sample.answer or "")
    right = [even_out(str(one)) for one in golds]
    if not right:
        return unscorable(NO_GOLD)
    said = [even_out(one) for one in _things(answer_words(text))]
    if not said:
        return Mark(None, why=NOTHING_LISTED)
    same = said == right if ordered else sorted(said) == sorted(right)
    value = float(same)
    if partial and not same:
        shared = _common(said, right) if ordered else _shared(said, right)
        value = 2 * shared / (len(said) + len(right))
    return Mark(value, ", ".join(said), "the same list" if same else "another list")


def _things(text: str) -> list[str]:
    lines = "\n".join(_BULLET.sub("", line) for line in text.splitlines())
    return [one for one in (part.strip() for part in _BETWEEN.split(lines)) if one]


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    return sum(min(one.count(thing), other.count(thing)) for thing in {*one})


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the length of the longest common sequence."""
    lengths = [0] * (len(other) + 1)
    for thing in one:
        before = 0
        for place, against in enumerate(other, start=1):
            here = lengths[place]
            lengths[place] = before + 1 if thing == against else max(here, lengths[place - 1])
            before = here
    return lengths[-1]


def word_errors(sample: Sample, text: str, *, case: bool = False, punctuation: bool = False, aliases: str = "") -> Mark:
    """Mark a transcript by 1 less its word error rate, 0 at least; of several references the nearest counts."""
    return _errors(sample, text, aliases, _Spelling(case, punctuation, of_words=True))


def sign_errors(sample: Sample, text: str, *, case: bool = False, punctuation: bool = False, aliases: str = "") -> Mark:
    """Mark a transcript by 1 less its character error rate, 0 at least; of several references the nearest counts."""
    return _errors(sample, text, aliases, _Spelling(case, punctuation, of_words=False))


class _Spelling:
    """Cuts a transcript into what is counted."""

    def __init__(self, case: bool, punctuation: bool, *, of_words: bool) -> None:
        self._case, self._punctuation = case, punctuation
        self.of_words = of_words

    def units(self, text: str) -> Sequence[str]:
        evened = even_out(text, case=self._case, punctuation=self._punctuation, articles=True)
        return evened.split() if self.of_words else evened


def _errors(sample: Sample, text: str, aliases: str, spelling: _Spelling) -> Mark:
    golds = gold_answers(sample, aliases)
    said = spelling.units(text)
    if not golds or not said:
        return Mark(None, why=NOTHING_SAID) if golds else unscorable(NO_GOLD)
    references = [spelling.units(gold) for gold in golds]
    rate = min(edit_distance(said, reference) / len(reference) for reference in references)
    name = "word" if spelling.of_words else "character"
    return Mark(max(0.0, 1 - rate), text.strip(), f"{name} error rate {rate:.4f}")


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Return how many insertions, deletions and replacements lead from one sequence to the other.

    A column of the usual table is held as the bits of two whole numbers (Myers, Journal of the ACM 46, 1999).
    """
    if not one:
        return len(other)
    places: dict[Hashable, int] = {}
    for place, unit in enumerate(one):
        places[unit] = places.get(unit, 0) | 1 << place
    every, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    up, down, distance = every, 0, len(one)
    for unit in other:
        same = places.get(unit, 0)
        across = (((same & up) + up) ^ up) | same
        right_up, right_down = down | (~(across | up) & every), up & across
        distance += bool(right_up & last) - bool(right_down & last)
        right_up, right_down = (right_up << 1 | 1) & every, (right_down << 1) & every
        up, down = right_down | (~(same | down | right_up) & every), right_up & (same | down)
    return distance
