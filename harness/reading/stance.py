"""How a text stands to the options it names: cues, negations and doubts, read once from left to right."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dtbench.harness.reading import lexicon

STATED, CHOSEN, CONCLUDED, IDENTIFIED, SAID, ASIDE = 6, 5, 4, 3, 2, 1


class Group(NamedTuple):
    """Options named together at one place."""

    start: int
    end: int
    indices: tuple[int, ...]
    stance: str
    """`said`, `doubted` or `denied`."""
    level: int
    """STATED as the answer, CHOSEN, CONCLUDED, IDENTIFIED as what is heard, SAID in passing, or ASIDE."""
    sentence: int
    kind: str
    """`text`, `letter`, `weak` for letters without a mark, or `conflict` of a letter with a text beside it."""
    supposed: bool = False
    """Said under an `if`."""


_CUES = "|".join(
    f"(?P<{name}>{pattern})"
    for name, pattern in (
        ("explicit", lexicon.EXPLICIT),
        ("choose", lexicon.CHOOSE),
        ("except", lexicon.EXCEPT),
        ("background", lexicon.BACKGROUND),
        ("context", lexicon.CONTEXT),
        ("conclude", lexicon.CONCLUDE),
        ("negate", lexicon.NEGATE),
        ("hedge", lexicon.HEDGE),
        ("subject", lexicon.NEW_SUBJECT),
        ("identify", lexicon.IDENTIFY),
        ("reset", lexicon.RESET),
        ("comma", lexicon.COMMA),
    )
)
_EVENTS = re.compile(_CUES, re.IGNORECASE)
# In plain ASCII no cue begins inside a word, which saves looking there.
_ASCII_EVENTS = re.compile(rf"(?:(?=[^A-Za-z])|(?<![A-Za-z]))(?:{_CUES})", re.IGNORECASE)
_QUOTED = re.compile(
    r"\b(?:say|says|said|saying|states?|asks?|asked|announces?|announcer|words?|text|phrases?|spoken|utterance|repeats?|sings?|sang)\b"
    r"[^\"'.!?\n]{0,40}(\"[^\"\n]{1,300}\"|(?<=[ :])'(?:[^'\n]|'(?=\w)){1,300}'(?!\w))",
    re.IGNORECASE,
)
_ANY_WORD = re.compile(r"[^\W_]")
_WORD = re.compile(r"[^\W_]+(?:'\w+)?")
_POINTED = re.compile(r"(?::|->|→|=)[\s*_\"'(]*$")
_ENDS = re.compile(r"[\s*_\"')\]}.!`]*$")
_PAST_OR_IF = frozenset(("if", "at first", "initially", "first impression", "first instinct", "first said", "was going to"))
_EMPHATIC = frozenset(("clearly", "definitely", "indeed", "very likely", "finally", "overall"))


@dataclass(slots=True)
class _State:
    """What has been read of the sentence so far."""

    cue: int = 0
    cue_end: int = 0
    denied: bool = False
    doubted: bool = False
    supposed: bool = False
    aside: bool = False
    context: bool = False
    any_denied: bool = False
    asks: bool = False
    instructs: bool = False
    exempt: bool = False
    """What follows is left out of what the sentence says of all."""

    def clear(self) -> None:
        self.denied = self.doubted = self.aside = self.supposed = False

    def pass_group(self, group: Group | None) -> None:
        """An option was named: what pointed at it is used up."""
        if group is not None and group.stance == "denied":
            self.any_denied = True
        if not (self.aside or self.context or (group is not None and group.stance == "doubted")):
            self.cue = 0
        self.denied = self.context = False

    def read(self, event: re.Match[str], next_group: int) -> None:
        """Take in one cue word; next_group: where the next option is named."""
        name, words = event.lastgroup, event[0].lower()
        if name in {"explicit", "choose", "except"}:
            self.cue, self.cue_end = STATED if name == "explicit" else CHOSEN, event.end()
            self.exempt = name == "except"
            self.denied = self.aside = False
            self.doubted = self.doubted and self.supposed
        elif name == "conclude":
            if self.cue < CHOSEN:
                self.cue, self.cue_end = CONCLUDED, event.end()
            if words not in _EMPHATIC:
                self.clear()
        elif name == "identify":
            if self.cue < CONCLUDED:
                self.cue, self.cue_end = IDENTIFIED, event.end()
        elif name == "negate":
            self.denied = True
        elif name == "hedge":
            self.doubted = True
            self.supposed = self.supposed or words in _PAST_OR_IF
        elif name == "background":
            self.aside = True
        elif name == "context":
            self.context = True
        elif name in {"reset", "subject"}:
            if self.any_denied and not self.cue:
                self.cue, self.cue_end = CONCLUDED, event.end()  # "not this but that"
            self.clear()
        elif next_group - event.end() > 6:  # a comma that does not go on with a list of options
            self.denied = self.aside = self.context = False


def judge(text: str, groups: list[Group], marked: list[Group], bounds: list[int], *, cued: bool) -> list[Group]:
    """The groups with stance and level; marked ones have theirs already."""
    quoted = [m.span(1) for m in _QUOTED.finditer(text)]
    taken = [(g.start, g.end) for g in groups]
    state, number, carried = _State(), -1, STATED if cued else 0
    judged = list(marked)
    for item in _in_order(text, groups, quoted, taken):
        now = bisect_right(bounds, item.start if isinstance(item, Group) else item.start())
        if now != number:
            state = _State(cue=carried, cue_end=bounds[now - 1])
            begin, end = bounds[now - 1], _end_of(bounds, now, text)
            state.asks = "?" in text[max(begin, end - 4) : end]
            state.instructs = bool(lexicon.INSTRUCTION.match(text[begin : min(end, begin + 400)]))
            number = now
        carried = 0
        if isinstance(item, Group):
            verdict = _judge_one(text, item, state, bounds, quoted)
            if verdict is not None:
                judged.append(verdict)
            state.pass_group(verdict)
        else:
            state.read(item, _next_start(taken, item.end()))
            if state.cue == STATED and not _ANY_WORD.search(text, state.cue_end, _end_of(bounds, number, text)):
                carried = STATED
    return sorted(judged)


def _in_order(
    text: str, groups: list[Group], quoted: list[tuple[int, int]], taken: list[tuple[int, int]]
) -> Iterator[Group | re.Match[str]]:
    waiting = iter(groups)
    group = next(waiting, None)
    for event in (_ASCII_EVENTS if text.isascii() else _EVENTS).finditer(text):
        while group is not None and group.start <= event.start():
            yield group
            group = next(waiting, None)
        inside_quote = event.lastgroup in {"explicit", "choose", "conclude"} and _within(event.start(), quoted)
        if not inside_quote and not _within(event.start(), taken):
            yield event
    while group is not None:
        yield group
        group = next(waiting, None)


def _within(place: int, spans: list[tuple[int, int]]) -> bool:
    i = bisect_right(spans, (place, 1 << 60)) - 1
    return i >= 0 and spans[i][0] <= place < spans[i][1]


def _next_start(taken: list[tuple[int, int]], place: int) -> int:
    i = bisect_right(taken, (place - 1, 1 << 60))
    return taken[i][0] if i < len(taken) else 1 << 60


def sentence_at(bounds: list[int], place: int, text: str) -> tuple[int, int]:
    """Where the sentence around a place begins and ends."""
    number = bisect_right(bounds, place)
    return bounds[number - 1], _end_of(bounds, number, text)


def _end_of(bounds: list[int], number: int, text: str) -> int:
    return bounds[number] if number < len(bounds) else len(text)


def _judge_one(
    text: str, group: Group, state: _State, bounds: list[int], quoted: list[tuple[int, int]]
) -> Group | None:
    begin, end = bounds[group.sentence - 1], _end_of(bounds, group.sentence, text)
    rest = text[group.end : min(end, group.end + 120)]
    if state.asks or (state.instructs and state.cue < CHOSEN):
        return None
    level, stance = state.cue or SAID, group.stance
    if lexicon.GOOD.match(rest) and not state.denied:
        level, stance = max(level, CHOSEN), "said" if len(group.indices) == 1 else stance
    elif state.denied or (lexicon.BAD.match(rest) and not state.exempt):
        stance = "denied"
    elif state.doubted or lexicon.DOUBT_AFTER.match(rest):
        stance = "doubted"
    trailing = group.kind == "weak" and level == SAID and _closes_text(text, group)
    if trailing or _bare(text, begin, group, end):
        level = max(level, CHOSEN)
    elif lexicon.IN_TOTAL.match(rest) or (
        _POINTED.search(text[max(begin, group.start - 6) : group.start]) and _ENDS.match(rest)
    ):
        level = max(level, CONCLUDED)
    if state.aside or (state.context and level < CHOSEN):
        level = ASIDE
    if _within(group.start, quoted) and level < STATED:
        level = ASIDE
    if group.kind == "weak" and not trailing and stance != "denied" and (level < CONCLUDED or _far(text, state.cue_end, group, level)):
        return None
    return group._replace(level=level, stance=stance, supposed=state.supposed)


def _closes_text(text: str, group: Group) -> bool:
    """Whether a letter ends a text after a comma or dash: `Given the tone, D.`"""
    before = text[max(0, group.start - 3) : group.start].rstrip()
    return before.endswith((",", "-", ":")) and not _ANY_WORD.search(text, group.end) and len(group.indices) == 1


def _bare(text: str, begin: int, group: Group, end: int) -> bool:
    """Whether a sentence says nothing but the option."""
    if end - begin > group.end - group.start + 80:
        return False
    around = _WORD.findall(text, begin, group.start) + _WORD.findall(text, group.end, end)
    return all(word.lower() in lexicon.FILLER for word in around)


def _far(text: str, cue_end: int, group: Group, level: int) -> bool:
    if level == CHOSEN and cue_end == 0:
        return False
    return len(_WORD.findall(text, cue_end, group.start)) > 3
