"""Judge what each sentence says of the options it names: cues and options, read once from left to right."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache

from dtbench.harness.extract import cues
from dtbench.harness.extract.page import Page
from dtbench.harness.extract.patterns import lazy_pattern
from dtbench.harness.extract.spots import in_spans
from dtbench.harness.extract.stance import ASIDE, CHOSEN, CONCLUDED, IDENTIFIED, SAID, STATED, Group, Stance

_CUES = cues.one_pattern(
    (
        ("relative", cues.RELATIVE),
        ("no_option", cues.NO_OPTION),
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
_QUOTED = lazy_pattern(
    r"\b(?:say|says|said|saying|states?|asks?|asked|announces?|announcer|words?|text|phrases?|spoken|utterance|repeats?"
    r"|sings?|sang)\b[^\"'.!?\n]{0,40}(\"[^\"\n]{1,300}\"|(?<=[ :])'(?:[^'\n]|'(?=\w)){1,300}'(?!\w))",
    re.IGNORECASE,
)
_ANY_WORD = lazy_pattern(r"[^\W_]")
_WORD = lazy_pattern(r"[^\W_]+(?:'\w+)?")
_POINTED_AT = lazy_pattern(r"(?::|->|→|=)[\s*_\"'(]*(?:the |an? )?$", re.IGNORECASE)
_EMPTY = lazy_pattern(r"[(\[{]\s*[)\]}]|_{2,}|\?\?")
_ENDS = lazy_pattern(r"[\s*_\"')\]}.!`]*$")
_JUST_BEFORE = lazy_pattern(r":?[\s*_\"'(\[]*(?:(?:the|a|an)\s)?[\s*_\"'(\[]*", re.IGNORECASE)
_THING = lazy_pattern(
    r"(?:\b(?:fig(?:ure|\.)?|panel|section|part|microphone|mic|take|channel|track|table|graph|plot|diagram|case|step"
    r"|phase|line|curve|position|group|chord|note|string|key|vitamin)|[\d$%°])\s{0,4}[(\[]?$",
    re.IGNORECASE,
)
_SUPPOSITION = lazy_pattern(r"\s*(?:if|when|as)\b[^,.;]{8,160}, (?:then )?(?:the |an? )?", re.IGNORECASE)
_OPENING = lazy_pattern(r"[\s*_\"'(\[#>]*(?:(?:option|choice|answer)[\s:]*)?[*_(\[]*", re.IGNORECASE)
_LABEL = lazy_pattern(r"[A-Za-z]\b[)\].:*_]+|[A-Z]\b")
_EXPLAINS = lazy_pattern(r"\s*(?:;|\n|[-(]\s?\w|(?:,\s)?(?:because\b|since|as|which|given|for|the|it|there)\b|$)")
LONG = 300
"""From here on a text has room for more than its answer: what is said in passing no longer counts."""
_FAR_AWAY = 1 << 60


def judge_groups(page: Page, groups: Sequence[Group], marked: Sequence[Group], *, cued: bool) -> list[Group]:
    """Give the groups their stance and level, and add one for each statement of an answer that is no option."""
    may_quote = any(sign in page.cues for sign in ('"', " '", ":'"))
    quoted = [quote.span(1) for quote in _QUOTED.finditer(page.cues)] if may_quote else []
    judged = list(marked)
    waiting, carried_to = deque(groups), 1 if cued else 0
    for sentence in _sentences_to_read(page, groups, carried_to):
        end = page.span(sentence)[1]
        inside = []
        while waiting and waiting[0].start < end:
            inside.append(waiting.popleft())
        reader = _SentenceReader(page, sentence, quoted, carried=sentence == carried_to)
        judged += reader.read(inside)
        if reader.points_on:
            carried_to = page.next_sentence(sentence)
    return sorted(judged)


def _sentences_to_read(page: Page, groups: Sequence[Group], first: int) -> list[int]:
    """Return the sentences that name options or may state an answer, and those right after the latter."""
    stating = {number for number in range(1, len(page.begins) + 1) if cues.may_state(page.lower(number))}
    after = {page.next_sentence(number) for number in stating}
    return sorted(({group.sentence for group in groups} | stating | after | {first}) - {0})


class _SentenceReader:
    """Reads one sentence."""

    def __init__(self, page: Page, sentence: int, quoted: list[tuple[int, int]], *, carried: bool) -> None:
        self.page = page
        self.text, self.shown = page.cues, page.text
        self.options = page.options
        self.begin, self.end = page.span(sentence)
        self.sentence = sentence
        self.quoted = quoted
        self.stated: tuple[int, int] | None = (self.begin, self.begin) if carried else None
        """Where the answer is announced that is still to come."""
        self.carried = carried
        self.stance = Stance(
            cue=STATED if carried else 0,
            cue_end=self.begin,
            asks="?" in self.text[max(self.begin, self.end - 4) : self.end],
            of_prompt=cues.is_instruction(self.text[self.begin : min(self.end, self.begin + 400)]),
        )
        self.points_on = False
        """Whether it ends where the answer is to follow: "Answer:" at the end of a line."""

    def read(self, groups: Sequence[Group]) -> list[Group]:
        """Return the groups that say something, judged, and one for an answer that names no option."""
        judged: list[Group] = []
        named = [(group.start, group.end) for group in groups]
        for item in self._in_order(groups, named):
            if isinstance(item, Group):
                verdict = self._judge(item)
                judged += [] if verdict is None else [verdict]
                self.stance.pass_by(verdict)
                self.stated = None
                continue
            following = bisect_right(named, (item.end() - 1, _FAR_AWAY))
            self.stance.read(item, named[following][0] if following < len(named) else _FAR_AWAY)
            if item.lastgroup == "explicit":
                self.stated, self.carried = item.span(), False
            elif item.lastgroup == "no_option" and not (self.stance.doubted or self.stance.asks):
                judged.append(self._without_option(*item.span())._replace(level=CHOSEN))
        if self.stance.cue == STATED and not _ANY_WORD.search(self.text, self.stance.cue_end, self.end):
            self.points_on = not _EMPTY.search(self.text, self.stance.cue_end, self.end)
        if self._names_no_option():
            judged.append(self._without_option(*(self.stated or (self.begin, self.end))))
        return judged

    def _without_option(self, start: int, end: int) -> Group:
        """Return the group of an answer that is no option, or that is the option which says so."""
        none = self.options.none_of_them
        if none is not None and cues.NONE_OF_THEM.search(self.text, start, end):
            return Group(start, end, (none,), "said", STATED, self.sentence, "text")
        return Group(start, end, (-1,), "said", STATED, self.sentence, "none")

    def _names_no_option(self) -> bool:
        """Whether an answer is announced, and then comes something definite that is no option."""
        stance = self.stance
        if self.stated is None or stance.asks or stance.of_prompt or stance.doubted or self.points_on:
            return False
        cue = self.text[max(self.begin, self.stated[0] - 12) : self.stated[1]]
        words = _WORD.findall(self.text, self.stated[1], self.end)
        if not words:
            return _EMPTY.search(self.text, self.stated[1], self.end) is not None
        if self.carried and all(word.lower() in cues.FILLER for word in words):
            return False  # announced once more
        if not self.carried and not cues.NAMES_ANSWER.search(cue):
            return False
        if cues.VAGUE.match(self.text, self.stated[1], self.end):
            return False
        return len(words) <= (8 if self.carried or cue.rstrip().endswith((":", "-", "=", ">")) else 24)

    def _in_order(self, groups: Sequence[Group], named: list[tuple[int, int]]) -> Iterator[Group | re.Match[str]]:
        """Yield groups and cues in order; cues inside an option's name or inside quoted speech are none."""
        waiting = deque(groups)
        covered = 0
        for event in self._events(named):
            place = event.start()
            while waiting and waiting[0].start <= place:
                group = waiting.popleft()
                if group.start >= covered:
                    yield group
            if in_spans(place, named) or (event.lastgroup in _NOT_IN_QUOTES and in_spans(place, self.quoted)):
                continue
            if event.lastgroup == "choose":
                covered = event.end()  # "my answer from A to B": the A is part of the cue
            yield event
        yield from (group for group in waiting if group.start >= covered)

    def _events(self, named: list[tuple[int, int]]) -> list[re.Match[str]]:
        key = (self.sentence, tuple(named))
        if key not in self.page.found_cues:
            self.page.found_cues[key] = list(self._find_events(named))
        return self.page.found_cues[key]

    def _find_events(self, named: list[tuple[int, int]]) -> Iterator[re.Match[str]]:
        """Yield the cues of the sentence; a relative clause is one only where it ends right before an option."""
        search = _any_cue(in_ascii=self.text.isascii()).search
        event = search(self.text, self.begin, self.end)
        while event is not None:
            counts = event.lastgroup != "relative" or _points_on(self.text, event.end(), named)
            if counts:
                yield event
            event = search(self.text, event.end() if counts else event.start() + 1, self.end)

    def _judge(self, group: Group) -> Group | None:
        text, stance, end = self.text, self.stance, self.end
        if stance.asks:  # the yes or no that follows decides
            if cues.ANSWERED_YES.match(text, end):
                return group._replace(level=CHOSEN)
            return group._replace(stance="denied") if cues.ANSWERED_NO.match(text, end) else None
        if stance.of_prompt and stance.cue < CHOSEN:
            return None
        rest = text[group.end : min(end, group.end + 120)]
        view, praised = _view(group, stance, rest)
        if view == "doubted" and self._is_consequence(group):
            view = "said"
        leads = view == "said" and self._leads(group)
        level = self._level(group, rest, chosen=praised or leads)
        quoted = level < STATED and in_spans(group.start, self.quoted)
        if quoted and group.kind == "letter":
            return None
        if stance.aside or (stance.context and level < CHOSEN) or quoted:
            level = ASIDE
        if group.kind == "weak" and view != "denied" and not (leads or praised) and self._is_a_name(group, level):
            return None
        if level < CONCLUDED and view == "said" and self._in_passing(group):
            level = ASIDE
            if group.kind == "letter":
                return None
        return group._replace(level=level, stance=view, supposed=stance.supposed)

    def _level(self, group: Group, rest: str, *, chosen: bool) -> int:
        level = max(self.stance.cue or SAID, CHOSEN if chosen else 0)
        if level == IDENTIFIED and self._is_slight(group) and not self._is_near(group):
            level = SAID
        if not _ANY_WORD.search(self.text, 0, group.start) and not _ANY_WORD.search(self.text, group.end):
            return STATED  # the text says nothing else
        if self._closes_text(group, level) or self._is_alone(group):
            return max(level, CHOSEN)
        if cues.IN_TOTAL.match(rest) or self._closes_sentence(group, rest):
            return max(level, CONCLUDED)
        return level

    def _is_a_name(self, group: Group, level: int) -> bool:
        """Whether a letter on its own in running text is a note or a name, not an option."""
        if level >= CHOSEN and self._closes_text(group, SAID):
            return False
        if level == CHOSEN and self.stance.cue_end == 0:
            return False
        return level < CONCLUDED or not self._is_near(group)

    def _is_near(self, group: Group) -> bool:
        """Whether the cue that points at an option stands right before it."""
        place = self.stance.cue_end
        return group.start - place < 80 and len(_WORD.findall(self.text, place, group.start)) <= 3

    def _is_in_stack(self, group: Group) -> bool:
        """Whether a number or a letter has a line of its own as a part of a formula that was copied line by line."""
        if len(self.text) <= LONG or not (self._is_slight(group) or group.end - group.start == 1):
            return False
        line = self.text.rfind("\n", 0, group.start)
        before = self.text[max(0, line - 40) : max(0, line)].rstrip(" ")
        return before[-1:].isalnum() and "answer" not in before.lower()

    def _is_slight(self, group: Group) -> bool:
        return group.kind == "text" and all(self.options.slight[option] for option in group.options)

    def _closes_text(self, group: Group, level: int) -> bool:
        """Whether a letter that nothing points at ends the text after a comma or dash: `Given the tone, D.`"""
        if group.kind != "weak" or level != SAID or len(group.options) != 1:
            return False
        before = self.text[max(0, group.start - 3) : group.start].rstrip()
        return before.endswith((",", "-", ":")) and not _ANY_WORD.search(self.text, group.end)

    def _is_consequence(self, group: Group) -> bool:
        """Whether an option is all that follows from a supposition: `If the bees die, fewer flowers will grow.`"""
        supposed = _SUPPOSITION.fullmatch(self.text, self.begin, group.start) is not None
        return supposed and len(self.options.words[group.options[0]]) > 2

    def _leads(self, group: Group) -> bool:
        """Whether the text begins with the label of an option, and goes on to explain it: `(B) Dog, because ...`"""
        if len(group.options) != 1 or not _OPENING.fullmatch(self.shown, 0, group.start):
            return False
        label = _LABEL.match(self.shown, group.start)
        return label is not None and (group.kind == "text" or _EXPLAINS.match(self.shown, label.end()) is not None)

    def _in_passing(self, group: Group) -> bool:
        """Whether a letter names a thing, or a number or a short word stands in a longer text."""
        if group.kind == "letter":
            return _THING.search(self.text, max(self.begin, group.start - 16), group.start) is not None
        labelled = _LABEL.match(self.shown, group.start) is not None and group.end - group.start > 2
        return self._is_slight(group) and not labelled and len(self.text) > LONG

    def _closes_sentence(self, group: Group, rest: str) -> bool:
        """Whether a colon or an arrow points at the option, and nothing comes after it."""
        before = self.text[max(self.begin, group.start - 10) : group.start]
        return _POINTED_AT.search(before) is not None and _ENDS.match(rest) is not None

    def _is_alone(self, group: Group) -> bool:
        """Whether the sentence says nothing but the option."""
        if self.end - self.begin > group.end - group.start + 80 or self._is_in_stack(group):
            return False
        around = _WORD.findall(self.text, self.begin, group.start) + _WORD.findall(self.text, group.end, self.end)
        return all(word.lower() in cues.FILLER for word in around)


def _points_on(text: str, place: int, named: list[tuple[int, int]]) -> bool:
    """Whether an option is named right at a place, articles and marks aside."""
    following = bisect_right(named, (place - 1, _FAR_AWAY))
    return following < len(named) and _JUST_BEFORE.fullmatch(text, place, named[following][0]) is not None


def _view(group: Group, stance: Stance, rest: str) -> tuple[str, bool]:
    """Return what is thought of the option, and whether what follows calls it right."""
    if cues.GOOD.match(rest) and not stance.denied:
        return "said" if len(group.options) == 1 else group.stance, True
    if stance.denied or (cues.BAD.match(rest) and not stance.exempt):
        return "denied", False
    if stance.doubted or cues.DOUBT_AFTER.match(rest):
        return "doubted", False
    return group.stance, False
