"""The stance of a sentence on the option it names next: what cues, negations and doubts so far make of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

STATED, CHOSEN, CONCLUDED, IDENTIFIED, SAID, ASIDE = 6, 5, 4, 3, 2, 1


class Group(NamedTuple):
    """Options named together at one place."""

    start: int
    end: int
    options: tuple[int, ...]
    stance: str
    """`said`, `doubted` or `denied`."""
    level: int
    """STATED as the answer, CHOSEN, CONCLUDED, IDENTIFIED as what is heard, SAID in passing, or ASIDE."""
    sentence: int
    kind: str
    """As of a spot, `weak` for letters that are not marked as names, `none` for an answer that is no option."""
    supposed: bool = False
    """Said under an `if`, or of what was thought before."""


_SUPPOSING = frozenset(
    (
        *(
            "以为",
            "一开始",
            "起初",
            "最初は",
            "if",
            "whether",
            "at first",
            "initially",
            "first impression",
            "first instinct",
        ),
        *("first said", "was going to"),
    )
)
_LEVELS = {"explicit": STATED, "choose": CHOSEN, "except": CHOSEN}
_EMPHATIC = frozenset(("clearly", "definitely", "indeed", "finally", "overall"))


@dataclass(slots=True)
class Stance:
    """What the sentence so far makes of the next option."""

    cue: int = 0
    cue_end: int = 0
    denied: bool = False
    doubted: bool = False
    supposed: bool = False
    aside: bool = False
    context: bool = False
    exempt: bool = False
    """What follows is an exception to what the sentence says of all."""
    any_denied: bool = False
    of_prompt: bool = False
    """The sentence belongs to the prompt: an instruction."""
    asks: bool = False

    def _clear(self) -> None:
        self.denied = self.doubted = self.aside = self.supposed = False

    def _point(self, level: int, end: int) -> None:
        self.cue, self.cue_end = level, end

    def read(self, event: re.Match[str], next_group: int) -> None:
        """Update the state by one cue; next_group: where the next option is named."""
        kind, words, end = event.lastgroup, event[0].lower(), event.end()
        if kind in _LEVELS:
            self._point_firmly(_LEVELS[kind], end)
            self.exempt = kind == "except"
        elif kind in {"conclude", "relative"}:
            if self.cue < CHOSEN:
                self._point(CONCLUDED, end)
            if kind == "conclude" and words not in _EMPHATIC:
                self._clear()
        elif kind == "identify":
            if self.cue < CONCLUDED:
                self._point(IDENTIFIED, end)
        elif kind in {"reset", "subject"}:
            self._start_anew(words, end)
        else:
            self._turn(kind, words, next_group - end)

    def _point_firmly(self, level: int, end: int) -> None:
        self._point(level, end)
        self.denied = self.aside = False
        self.doubted = self.doubted and self.supposed

    def _start_anew(self, words: str, end: int) -> None:
        if words == ";" and self.cue == STATED:
            self.cue = 0  # the answer was given in words that name no option
        if self.any_denied and not self.cue:
            self._point(CONCLUDED, end)  # "not this but that"
        self._clear()

    def _turn(self, kind: str | None, words: str, distance: int) -> None:
        if kind == "negate":
            self.denied = True
        elif kind == "hedge" and not (words == "would" and self.cue == CONCLUDED):
            self.doubted = True
            self.supposed = self.supposed or words in _SUPPOSING
        elif kind == "background":
            self.aside = True
        elif kind == "context":
            self.context = True
        elif distance > 6:  # a comma that does not go on with a list of options
            self.denied = self.aside = self.context = False

    def pass_by(self, group: Group | None) -> None:
        """Update the state after an option: the cue that pointed at it is used up."""
        denied = group is not None and group.stance == "denied"
        self.any_denied = self.any_denied or denied
        doubted = group is not None and group.stance == "doubted"
        used = group is not None and not (self.aside or self.context or doubted or (denied and not self.denied))
        if used:
            self.cue = 0
        self.denied = self.context = False
