"""Parse a judge's reply strictly: a mark for each criterion, or a reason why there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dtbench.harness.extract.tidy import split_text
from dtbench.harness.score.criteria import RubricCriterion

_BEGINNING = re.compile(r"[\[{]")
_OPENING, _CLOSING = "<think>", "</think>"
_MARKS = {"0": 0, "1": 1}
_LONGEST = 50_000
"""Characters at the end of a reply that are looked through: no verdict is as long, and some texts take long."""
_MOST = 1000
"""Characters of a justification that are kept."""


class JudgeVerdict(NamedTuple):
    """A mark for each criterion, in their order."""

    marks: tuple[int, ...]
    why: tuple[str, ...]

    @property
    def share(self) -> float:
        """The share of criteria that are met."""
        return sum(self.marks) / len(self.marks)


class UnreadableError(Exception):
    """No verdict can be read from a reply."""


def read_judge_verdict(text: str, criteria: Sequence[RubricCriterion]) -> JudgeVerdict:
    """Parse the verdict in a reply; an UnreadableError where a mark is missing or is neither 0 nor 1."""
    entries = _entries(text)
    if len(entries) != len(criteria):
        raise UnreadableError(f"it marks {len(entries)} criteria of {len(criteria)}")
    by_name = {_plain(str(entry.get("name", ""))): entry for entry in entries}
    if len(by_name) != len(entries):
        raise UnreadableError("it marks one criterion twice, or names none")
    marks, why = [], []
    for criterion in criteria:
        entry = by_name.get(_plain(criterion.name))
        if entry is None:
            raise UnreadableError(f"it does not mark {criterion.name!r}")
        marks.append(_mark(entry.get("score"), criterion))
        why.append(str(entry.get("justification", ""))[:_MOST])
    return JudgeVerdict(tuple(marks), tuple(why))


def json_values(text: str) -> Iterator[Any]:
    """Yield each list and object of JSON in a reply without its thoughts, inner ones as well as outer ones."""
    decode = json.JSONDecoder().raw_decode
    for part in dict.fromkeys((split_text(text).answer, without_thoughts(text))):  # a verdict may quote tags
        part = part[-_LONGEST:]
        for begin in _BEGINNING.finditer(part):
            try:
                value, _ = decode(part, begin.start())
            except ValueError:
                continue
            except RecursionError:  # deeper than any verdict, and each bracket of it would take as long again
                return
            yield value


def without_thoughts(text: str) -> str:
    """Cut out what stands between tags of thought; a regular expression would look for the end from each beginning."""
    kept, place = [], 0
    while (begin := text.find(_OPENING, place)) >= 0 and (end := text.find(_CLOSING, begin)) >= 0:
        kept.append(text[place:begin])
        place = end + len(_CLOSING)
    return "".join([*kept, text[place:]])


def _entries(text: str) -> list[dict[str, Any]]:
    """Find the list of marks in a reply, whether alone, in an object of its own, or in a fence."""
    for value in json_values(text):
        if isinstance(value, dict):
            value = next((one for one in value.values() if isinstance(one, list)), None)
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            return value
    raise UnreadableError("it holds no JSON list of marks")


def _mark(score: object, criterion: RubricCriterion) -> int:
    if isinstance(score, bool) or not isinstance(score, int | float | str):
        raise UnreadableError(f"the mark of {criterion.name!r} is {json.dumps(score)}, 0 or 1 is expected")
    text = f"{score:g}" if isinstance(score, float) else str(score).strip()
    if text not in _MARKS:
        raise UnreadableError(f"the mark of {criterion.name!r} is {text[:20]!r}, 0 or 1 is expected")
    return _MARKS[text]


def _plain(name: str) -> str:
    """Normalize a name for comparison: judges drop numbers, quotes and case."""
    return re.sub(r"^\s*\d+[.)]\s*", "", " ".join(name.split())).strip("\"'*` .:").casefold()
