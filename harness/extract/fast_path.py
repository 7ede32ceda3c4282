"""Answers that need no reading: the commonest forms, recognised at once.

Nothing here may say other than the full reading would; it only says it sooner, and passes on whatever is not plain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from dtbench.harness.extract.tidy import before_next_question


class FastAnswer(NamedTuple):
    """An answer in so many words."""

    words: str
    choice: str
    how: str


_WRAPPED = re.compile(
    r"(?P<said>(?:the )?(?:correct |final |right )?answer(?: is)?:? )?[\"']?(?:[(\[]?(?P<letter>[A-Z])[)\].:]{1,2} )?"
    r"(?P<text>[^\n]+?)[\"']?[.]?",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[(\[]?([A-Z])[)\].:]{0,2}")
_ANSWER_LINE = re.compile(r"\n\**(?:final )?answer\**:\** ([^\n]+)$", re.IGNORECASE)
_LONGEST = 400


def fast_answer(said: str, choices: Sequence[str]) -> FastAnswer | None:
    """The answer of a text that is one, or that ends in an answer tag or line that holds one."""
    if len(said) <= _LONGEST:
        whole = _plain(said, choices)
        if whole is not None:
            return whole
    if said.endswith("</answer>"):
        begin = said.rfind("<answer>")
        inner = _plain(said[begin + 8 : -9].strip(), choices) if begin >= 0 else None
        return inner and inner._replace(how=f"answer tag: {inner.how}")
    line = _ANSWER_LINE.search(said, max(0, len(said) - _LONGEST))
    if line is None or before_next_question(said) is not None:
        return None
    inner = _plain(line[1].strip(), choices)
    return inner and inner._replace(how="stated")


def _plain(text: str, choices: Sequence[str]) -> FastAnswer | None:
    if text and text in choices:
        return FastAnswer(text, text, "option text")
    wrapped = _WRAPPED.fullmatch(text)
    if wrapped is not None and (inner := wrapped["text"].strip()) in choices:
        letter = wrapped["letter"]
        if letter is None or choices.index(inner) == ord(letter.upper()) - ord("A"):
            return FastAnswer(text, inner, "stated" if wrapped["said"] else "option text")
    letter = _LETTER.fullmatch(text)
    if letter is None or min(map(len, choices), default=0) < 3:  # short options may be letters themselves
        return None
    place = ord(letter[1]) - ord("A")
    return FastAnswer(text, choices[place], "chosen, by letter") if place < len(choices) else None
