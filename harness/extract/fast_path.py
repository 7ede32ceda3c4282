"""Recognise the commonest forms of an answer at once.

The result is what the full reading gives, only sooner; any other form is left to the full reading.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from dtbench.harness.extract.tidy import before_next_question


class FastAnswer(NamedTuple):
    """An answer that is recognised at once."""

    words: str
    choice: str
    how: str


_WRAPPED = re.compile(
    r"(?P<cue>(?:the )?(?:correct |final |right )?answer(?: is)?:? )?[\"']?(?:[(\[]?(?P<letter>[A-Z])[)\].:]{1,2} )?"
    r"(?P<text>[^\n]+?)[\"']?[.]?",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[(\[]?([A-Z])[)\].:]{0,2}")
_ANSWER_LINE = re.compile(r"\n\**(?:final )?answer\**:\** ([^\n]+)$", re.IGNORECASE)
_MAX_LENGTH = 400


def fast_answer(text: str, choices: Sequence[str]) -> FastAnswer | None:
    """Return the answer of a text that is nothing else, or that ends in an answer tag or line with one."""
    if len(text) <= _MAX_LENGTH:
        whole = _match_whole(text, choices)
        if whole is not None:
            return whole
    if text.endswith("</answer>"):
        begin = text.rfind("<answer>")
        inner = _match_whole(text[begin + 8 : -9].strip(), choices) if begin >= 0 else None
        return inner and inner._replace(how=f"answer tag: {inner.how}")
    line = _ANSWER_LINE.search(text, max(0, len(text) - _MAX_LENGTH))
    if line is None or before_next_question(text) is not None:
        return None
    inner = _match_whole(line[1].strip(), choices)
    return inner and inner._replace(how="stated")


def _match_whole(text: str, choices: Sequence[str]) -> FastAnswer | None:
    if text and text in choices:
        return FastAnswer(text, text, "option text")
    wrapped = _WRAPPED.fullmatch(text)
    if wrapped is not None and (inner := wrapped["text"].strip()) in choices:
        letter = wrapped["letter"]
        if letter is None or choices.index(inner) == ord(letter.upper()) - ord("A"):
            return FastAnswer(text, inner, "stated" if wrapped["cue"] else "option text")
    letter = _LETTER.fullmatch(text)
    if letter is None or min(map(len, choices), default=0) < 3:  # short options may be letters themselves
        return None
    place = ord(letter[1]) - ord("A")
    return FastAnswer(text, choices[place], "chosen, by letter") if place < len(choices) else None
