"""Judge the stance of a text on the options it names: cues, negations and doubts, read once from left to right."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from dtbench.harness.extract import cues
from dtbench.harness.extract.page import Page
from dtbench.harness.extract.spots import in_spans

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
    """As of a spot, and `weak` for letters that are not marked as names."""
    supposed: bool = False
    """Said under an `if`, or of what was thought before."""


_CUES = cues.one_pattern(
    (
        ("explicit", cues.EXPLICIT),
        ("choose", cues.CHOOSE),
        ("except", cues.EXCEPT),
        ("background", cues.BACKGROUND),
        ("context", cues.CONTEXT),
        ("conclude", cues.CONCLUDE),
        ("negate", cues.NEGATE),
        ("hedge", cues.HEDGE),
        ("subject", cues.NEW_SUBJECT),
        ("identify", cues.IDENTIFY),
        ("reset", cues.RESET),
        ("comma", cues.COMMA),
    )
)


@cache
def _any_cue(*, in_ascii: bool) -> re.Pattern[str]:
    """Compile every cue into one pattern; in ASCII none begins inside a word, which saves the search there."""
    return re.compile(rf"(?:(?=[^A-Za-z])|(?<![A-Za-z]))(?:{_CUES})" if in_ascii else _CUES, re.IGNORECASE)


_NOT_IN_QUOTES = frozenset(("explicit", "choose", "conclude"))
_QUOTED = re.compile(
    r"\b(?:say|says|said|saying|states?|asks?|asked|announces?|announcer|words?|text|phrases?|spoken|utterance|repeats?"
    r"|sings?|sang)\b[^\"'.!?\n]{0,40}(\"[^\"\n]{1,300}\"|(?<=[ :])'(?:[^'\n]|'(?=\w)){1,300}'(?!\w))",
    re.IGNORECASE,
)
_ANY_WORD = re.compile(r"[^\W_]")
_WORD = re.compile(r"[^\W_]+(?:'\w+)?")
_POINTED_AT = re.compile(r"(?::|->|→|=)[\s*_\"'(]*(?:the |an? )?$", re.IGNORECASE)
_ENDS = re.compile(r"[\s*_\"')\]}.!`]*$")
_SUPPOSING = frozenset(
    (
        "以为",
        "一开始",
        "起初",
        "最初は",
        "if",
        "at first",
        "initially",
        "first impression",
        "first instinct",
        "first said",
        "was going to",
    )
)
_EMPHATIC = frozenset(("clearly", "definitely", "indeed", "finally", "overall"))
_FAR_AWAY = 1 << 60


@dataclass(slots=True)
class _State:
    """The stance of the sentence so far on the next option."""

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

    def clear(self) -> None:
        self.denied = self.doubted = self.aside = self.supposed = False

    def point(self, level: int, end: int) -> None:
        self.cue, self.cue_end = level, end

    def read(self, event: re.Match[str], next_group: int) -> None:
        """Update the state by one cue; next_group: where the next option is named."""
        kind, words, end = event.lastgroup, event[0].lower(), event.end()
        if kind in {"explicit", "choose", "except"}:
            self.point(STATED if kind == "explicit" else CHOSEN, end)
            self.exempt = kind == "except"
            self.denied = self.aside = False
            self.doubted = self.doubted and self.supposed
        elif kind == "conclude":
            if self.cue < CHOSEN:
                self.point(CONCLUDED, end)
            if words not in _EMPHATIC:
                self.clear()
        elif kind == "identify":
            if self.cue < CONCLUDED:
                self.point(IDENTIFIED, end)
        elif kind in {"reset", "subject"}:
            if words == ";" and self.cue == STATED:
                self.cue = 0  # the answer was given in words that name no option
            if self.any_denied and not self.cue:
                self.point(CONCLUDED, end)  # "not this but that"
            self.clear()
        else:
            self._turn(kind, words, next_group - end)

    def _turn(self, kind: str | None, words: str, distance: int) -> None:
        if kind == "negate":
            self.denied = True
        elif kind == "hedge":
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
        if group is not None and group.stance == "denied":
            self.any_denied = True
        denied_after = group is not None and group.stance == "denied" and not self.denied
        doubted = group is not None and group.stance == "doubted"
        if not (self.aside or self.context or doubted or denied_after):
            self.cue = 0
        self.denied = self.context = False


def judge_groups(page: Page, groups: Sequence[Group], marked: Sequence[Group], *, cued: bool) -> list[Group]:
    """Give the groups their stance and level; marked ones have theirs already."""
    quoted = [quote.span(1) for quote in _QUOTED.finditer(page.cues)]
    named = [(group.start, group.end) for group in groups]
    judged = list(marked)
    state, sentence, carried = _State(), 0, STATED if cued else 0
    for item in _in_order(page.cues, groups, quoted, named):
        now = page.sentence(item.start if isinstance(item, Group) else item.start())
        if now != sentence:
            sentence = now
            state = _begin(page, sentence, carried)
        carried = 0
        if isinstance(item, Group):
            verdict = _judge_one(page, item, state, quoted)
            judged += [] if verdict is None else [verdict]
            state.pass_by(verdict)
        else:
            following = bisect_right(named, (item.end() - 1, _FAR_AWAY))
            state.read(item, named[following][0] if following < len(named) else _FAR_AWAY)
            # "Answer:" at the end of a line speaks of the next one.
            if state.cue == STATED and not _ANY_WORD.search(page.cues, state.cue_end, page.span(sentence)[1]):
                carried = STATED
    return sorted(judged)


def _begin(page: Page, sentence: int, carried: int) -> _State:
    begin, end = page.span(sentence)
    return _State(
        cue=carried,
        cue_end=begin,
        asks="?" in page.cues[max(begin, end - 4) : end],
        of_prompt=cues.INSTRUCTION.match(page.cues[begin : min(end, begin + 400)]) is not None,
    )


def _in_order(
    text: str, groups: Sequence[Group], quoted: list[tuple[int, int]], named: list[tuple[int, int]]
) -> Iterator[Group | re.Match[str]]:
    """Yield groups and cues in order; cues inside an option's name or inside quoted speech are none."""
    waiting = iter(groups)
    group = next(waiting, None)
    covered = 0
    for event in _any_cue(in_ascii=text.isascii()).finditer(text):
        place = event.start()
        while group is not None and group.start <= place:
            if group.start >= covered:
                yield group
            group = next(waiting, None)
        if in_spans(place, named) or (event.lastgroup in _NOT_IN_QUOTES and in_spans(place, quoted)):
            continue
        if event.lastgroup == "choose":
            covered = event.end()  # "my answer from A to B": the A is part of the cue
        yield event
    while group is not None:
        if group.start >= covered:
            yield group
        group = next(waiting, None)


def _judge_one(page: Page, group: Group, state: _State, quoted: list[tuple[int, int]]) -> Group | None:
    begin, end = page.span(group.sentence)
    if state.asks:  # the yes or no that follows decides
        if cues.ANSWERED_YES.match(page.cues, end):
            return group._replace(level=CHOSEN)
        return group._replace(stance="denied") if cues.ANSWERED_NO.match(page.cues, end) else None
    if state.of_prompt and state.cue < CHOSEN:
        return None
    rest = page.cues[group.end : min(end, group.end + 120)]
    stance, praised = _stance(group, state, rest)
    level = max(state.cue or SAID, CHOSEN if praised else 0)
    trailing = group.kind == "weak" and level == SAID and _closes_text(page.cues, group)
    if trailing or _alone(page.cues, begin, group, end):
        level = max(level, CHOSEN)
    elif cues.IN_TOTAL.match(rest) or _closes_sentence(page.cues, begin, group, rest):
        level = max(level, CONCLUDED)
    if state.aside or (state.context and level < CHOSEN) or (level < STATED and in_spans(group.start, quoted)):
        level = ASIDE
    if group.kind == "weak" and stance != "denied" and not (trailing or praised):
        alone = level == CHOSEN and state.cue_end == 0
        near_cue = group.start - state.cue_end < 80 and len(_WORD.findall(page.cues, state.cue_end, group.start)) <= 3
        if level < CONCLUDED or not (alone or near_cue):
            return None  # a letter on its own in running text is a note or a name
    return group._replace(level=level, stance=stance, supposed=state.supposed)


def _stance(group: Group, state: _State, rest: str) -> tuple[str, bool]:
    """Return the stance, and whether what follows calls the option right."""
    if cues.GOOD.match(rest) and not state.denied:
        return "said" if len(group.options) == 1 else group.stance, True
    if state.denied or (cues.BAD.match(rest) and not state.exempt):
        return "denied", False
    if state.doubted or cues.DOUBT_AFTER.match(rest):
        return "doubted", False
    return group.stance, False


def _closes_text(text: str, group: Group) -> bool:
    """Whether a letter ends a text after a comma or dash: `Given the tone, D.`"""
    before = text[max(0, group.start - 3) : group.start].rstrip()
    return before.endswith((",", "-", ":")) and not _ANY_WORD.search(text, group.end) and len(group.options) == 1


def _closes_sentence(text: str, begin: int, group: Group, rest: str) -> bool:
    """Whether a colon or an arrow points at the option, and nothing comes after it."""
    before = text[max(begin, group.start - 10) : group.start]
    return _POINTED_AT.search(before) is not None and _ENDS.match(rest) is not None


def _alone(text: str, begin: int, group: Group, end: int) -> bool:
    """Whether a sentence says nothing but the option."""
    if end - begin > group.end - group.start + 80:
        return False
    around = _WORD.findall(text, begin, group.start) + _WORD.findall(text, group.end, end)
    return all(word.lower() in cues.FILLER for word in around)
