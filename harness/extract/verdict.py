"""Survey what a text says of each option that it names, and decide which it means, or why it means none."""

from __future__ import annotations

import re
from typing import NamedTuple

from dtbench.harness.extract import cues
from dtbench.harness.extract.ending import Ending
from dtbench.harness.extract.listing import find_listed, find_marked
from dtbench.harness.extract.options import Options
from dtbench.harness.extract.page import Page, lay_out
from dtbench.harness.extract.paraphrase import find_paraphrases, widen_spots
from dtbench.harness.extract.parts import answers_several
from dtbench.harness.extract.patterns import lazy_pattern
from dtbench.harness.extract.sentences import LONG, judge_groups
from dtbench.harness.extract.spots import Spot
from dtbench.harness.extract.stance import ASIDE, CHOSEN, CONCLUDED, IDENTIFIED, SAID, STATED, Group

_ANSWER_MARKER = lazy_pattern(r"\s*A:\s+(?=[A-Z][a-z]+ [a-z])")
_TOGETHER = lazy_pattern(
    r"[\s*_\"')\].(]*(?:\) ?\(|,|/|&|\+|\b(?:and|or|nor|und|oder|noch|et|ou|y|o|e|и|или|ni|as well as)\b"
    r"|和|或者?|还是|以及|与"
    r"|や|と|か)"
    r"[\s*_\"'(\[,]*(?:(?:and|or|nor|maybe|perhaps|possibly|also|just|even|option|either|by|from|of|a|an|the"
    r"|it (?:might|could|may) be)[\s*_\"'(\[]+){0,4}$",
    re.IGNORECASE,
)
_OR = lazy_pattern(r"\b(?:or|oder|ou|o|или)\b|或|/|か", re.IGNORECASE)
_QUOTE = lazy_pattern(r"[\s*_(:]*[\"']\w")
_POINTS = lazy_pattern(f"{cues.EXPLICIT}|{cues.CHOOSE}", re.IGNORECASE)
_TURNS = lazy_pattern(rf"{cues.NEGATE}|{cues.HEDGE}|{cues.CONTEXT}|[?]", re.IGNORECASE)


def _points_at_answer(text: str) -> bool:
    """Whether a text announces an answer or commits to one anywhere."""
    small = text.lower()
    return (cues.may_state(small) or cues.may_choose(small)) and _POINTS.search(text) is not None


class ReadVerdict(NamedTuple):
    """The option that a text means, if it means one."""

    option: int | None
    how: str
    start: int = 0
    end: int = 0
    """Where the deciding words stand."""
    level: int = 0
    inferred: bool = False
    """Whether no option is named: it is said in other words, or left over."""

    no_option: bool = False
    """Whether the answer is stated, and is none of the options."""

    @property
    def useless(self) -> bool:
        """Whether the text holds nothing that could be an answer to the question."""
        return self.no_option or self.how == NOTHING.how

    def in_other_words(self) -> ReadVerdict:
        """Return the verdict as one on words that are not an option's own."""
        return self._replace(how=f"{self.how}, in other words", inferred=True)

    @property
    def evidence(self) -> str | None:
        """Return the level of evidence for the option; None without an option."""
        if self.option is None:
            return None
        return "inferred" if self.inferred else _EVIDENCE.get(self.level, "said")


_EVIDENCE = {STATED: "stated", CHOSEN: "chosen", CONCLUDED: "concluded"}
NOTHING = ReadVerdict(None, "nothing decides")
SEVERAL = ReadVerdict(None, "several options named")


def decide_option(text: str, options: Options, *, cued: bool = False, ending: Ending | None = None) -> ReadVerdict:
    """Return the verdict of a folded text; cued: it stands where an answer is expected; ending: how the text ends."""
    verdict = _decide(text, options, cued=cued)
    if ending is None or verdict.option is None:
        return verdict
    if ending.looped and verdict.level < STATED and options.count_in(text[-200:]) > 1:
        return NOTHING._replace(how="the text goes in circles")
    if ending.unfinished and _is_weak(verdict, text, numeric=options.numeric[verdict.option]):
        return NOTHING._replace(how="the text was cut off")
    return verdict


def _is_weak(verdict: ReadVerdict, text: str, *, numeric: bool) -> bool:
    """Whether a verdict falls where the text breaks off: all but a statement, a commitment, a conclusion at the end."""
    bare = verdict.how == "chosen" and not text[verdict.start : verdict.start + 1].isalpha()
    lone = verdict.how == "chosen, by letter" and not text[verdict.end : verdict.end + 1].strip()
    at_end = verdict.level >= CONCLUDED and not text[verdict.end :].strip()
    return verdict.inferred or (numeric and bare) or lone or (verdict.level < CHOSEN and not at_end)


def _decide(text: str, options: Options, *, cued: bool) -> ReadVerdict:
    whole = options.whole(text)
    if whole is not None:
        return ReadVerdict(whole, "option text", 0, len(text), STATED)
    marker = _ANSWER_MARKER.match(text)
    if marker is not None:
        beside = _decide(text[marker.end() :], options, cued=True)
        if beside.option is not None:
            return beside._replace(start=beside.start + marker.end(), end=beside.end + marker.end())
    page = lay_out(text, options)
    groups = _survey_options(page, cued=cued)
    verdict = _strong(groups, page) or _weaker(groups, page)
    if verdict is not None and verdict.no_option:
        return _stated_in_other_words(page, verdict, cued=cued) or verdict
    if verdict is not None and verdict.level >= CHOSEN:
        return verdict
    if verdict is not None and verdict.level >= CONCLUDED and not _points_at_answer(text):
        return verdict
    loose = _survey_options(page, cued=cued, loosely=True)
    other = _weigh_other_words(loose, verdict, page) if len(loose) > len(groups) else None
    return other or verdict or _by_hint(page, cued=cued)


def _stated_in_other_words(page: Page, verdict: ReadVerdict, *, cued: bool) -> ReadVerdict | None:
    """Return the option that a statement means which names none, if it tells one in other words."""
    if _QUOTE.match(page.text, verdict.end):
        return None  # what is quoted is meant word for word
    other = _strong(_survey_options(page, cued=cued, loosely=True), page)
    if other is not None and other.option is not None:
        return other.in_other_words()
    hinted = _by_hint(page, cued=True) if cued else NOTHING
    return None if hinted.option is None else hinted


def _weigh_other_words(loose: list[Group], verdict: ReadVerdict | None, page: Page) -> ReadVerdict | None:
    """Return what the text says in other words, where that goes before what it says in the options' own."""
    other = _strong(loose, page) or (_weaker(loose, page) if verdict is None or verdict.level < ASIDE else None)
    if other is None or (other.option is None and verdict is not None):
        return None
    if other.option is None:
        return other
    return other.in_other_words() if _tells_in_other_words(other, page) else None


def _tells_in_other_words(verdict: ReadVerdict, page: Page) -> bool:
    """Whether words that are not an option's own can decide: in a short text, or in the conclusion of a longer one."""
    ends = page.sentence(verdict.start) >= len(page.begins) - 3
    return len(page.text) <= LONG or (verdict.level >= CONCLUDED and ends)


def _survey_options(page: Page, *, cued: bool = False, loosely: bool = False) -> list[Group]:
    """Return what the text says of the options that it names, grouped: asserted, doubted or denied, and how firmly."""
    spots = widen_spots(page)
    if loosely:
        spots = sorted([*spots, *find_paraphrases(page)], key=lambda spot: spot[:3])
    entries = find_listed(page, spots)
    listed = set(entries)
    runs: list[list[Spot]] = []  # of mentions that are joined by commas, `and` or `or`
    for spot in spots:
        if spot in listed:
            continue
        if runs and _goes_on(page, runs[-1], spot):
            runs[-1].append(spot)
        else:
            runs.append([spot])
    groups = [_group(page, run) for run in runs]
    return judge_groups(page, groups, find_marked(page, entries), cued=cued)


def _goes_on(page: Page, run: list[Spot], spot: Spot) -> bool:
    last = run[-1]
    between = page.cues[last.end : spot.start]
    if len(between) > 40 or not (last.kind == spot.kind or (last.strong and spot.strong)):
        return False
    return bool(_TOGETHER.match(between)) and page.sentence(run[0].start) == page.sentence(spot.start)


def _group(page: Page, run: list[Spot]) -> Group:
    options = tuple(dict.fromkeys(spot.option for spot in run))
    either = len(options) > 1 and _OR.search(page.cues, run[0].end, run[-1].start)
    weak = all(spot.kind == "letter" and not spot.strong for spot in run)
    stance = "doubted" if either else "said"
    kind = "weak" if weak else run[0].kind
    return Group(run[0].start, run[-1].end, options, stance, SAID, page.sentence(run[0].start), kind)


def _by_hint(page: Page, *, cued: bool) -> ReadVerdict:
    """Decide by hints, the last resort where no option is named, denied or doubted at all."""
    if len(page.text) > LONG or _TURNS.search(page.text):
        return NOTHING
    ordered = page.options.ordered(page.words_in(max(0, len(page.cues) - 300), len(page.cues)))
    if ordered is not None:
        return ReadVerdict(ordered, "told in its order", 0, len(page.cues), SAID, inferred=True)
    hinted = page.options.hinted(page.words, cued=cued)
    if hinted is None:
        return NOTHING
    return ReadVerdict(hinted, "the only option hinted at", 0, len(page.cues), SAID, inferred=True)


def _strong(groups: list[Group], page: Page) -> ReadVerdict | None:
    """Decide by the last statement of the answer, unless it is taken back."""
    strong = [group for group in groups if group.level >= CHOSEN and group.stance != "denied"]
    if any(group.stance == "said" and group.level >= CONCLUDED for group in groups):
        strong = [group for group in strong if not (group.supposed and group.stance == "doubted")]
    if any(group.level == STATED and group.kind != "none" for group in strong):
        strong = [group for group in strong if group.kind != "none" or group.level == STATED]
    if not strong:
        return None
    last = strong[-1]
    withdrawn = cues.WITHDRAWN.search(page.cues, last.end)
    if withdrawn is not None:
        return ReadVerdict(None, "answer withdrawn", last.start, withdrawn.end(), last.level)
    corrected = _correction(groups, last, page)
    if corrected is not None:
        return _decided(corrected, "corrected")._replace(level=CHOSEN)
    if len(last.options) > 1 or answers_several(page, groups):
        return ReadVerdict(None, "several options named as the answer", last.start, last.end, last.level)
    if last.stance == "doubted" and len({option for group in strong for option in group.options}) > 1:
        return ReadVerdict(None, "only doubtful answers", last.start, last.end, last.level)
    contradicted = _contradicted(groups, last)
    if contradicted is not None:
        return _decided(contradicted._replace(kind="conflict"), "stated")._replace(level=STATED)
    return _decided(last, "stated" if last.level == STATED else "chosen")


def _contradicted(groups: list[Group], letter: Group) -> Group | None:
    """Return the option that the words say, where they deny the one that the letter names."""
    after = [group for group in groups if group.start > letter.end and group.kind == "text"]
    denied = {option for group in after if group.stance == "denied" for option in group.options}
    said = [group for group in after if group.stance == "said"]
    if letter.kind not in {"letter", "weak"} or letter.options[0] not in denied:
        return None
    return said[0] if len({option for group in said for option in group.options}) == 1 else None


def _correction(groups: list[Group], last: Group, page: Page) -> Group | None:
    mark = cues.CORRECTION.search(page.cues, last.end)
    if mark is None:
        return None
    later = [g for g in groups if g.start >= mark.start() and g.stance == "said" and len(g.options) == 1]
    later = [group for group in later if group.level >= SAID]
    return later[-1] if later else None


def _decided(group: Group, how: str) -> ReadVerdict:
    option = group.options[0]
    if option < 0:
        none = group.kind == "none"
        why = "the stated answer is none of the options" if none else "no such option"
        return ReadVerdict(None, why, group.start, group.end, group.level, no_option=none)
    if group.kind == "conflict":
        how = f"{how}, letter and text in conflict: the text stands"
    elif group.kind in {"letter", "weak"}:
        how = f"{how}, by letter"
    return ReadVerdict(option, how, group.start, group.end, group.level)


def _weaker(groups: list[Group], page: Page) -> ReadVerdict | None:
    """Decide by the best of what is said without naming it the answer."""
    withdrawn = cues.WITHDRAWN.search(page.cues)
    if withdrawn is not None and all(group.end <= withdrawn.start() for group in groups):
        return ReadVerdict(None, "answer withdrawn", withdrawn.start(), withdrawn.end())
    refusal = cues.REFUSAL.search(page.cues)
    if refusal is not None and not any(group.start <= refusal.start() < group.end for group in groups):
        after = [group for group in groups if group.start > refusal.end() and group.level >= CONCLUDED]
        return _by_level(after, page) or ReadVerdict(None, "refusal", refusal.start(), refusal.end())
    return _by_level(groups, page) or _by_elimination(groups, len(page.options)) or _by_doubt(groups, page)


def _by_level(groups: list[Group], page: Page) -> ReadVerdict | None:
    options = page.options
    said = [group for group in groups if group.stance == "said"]
    if answers_several(page, groups):
        return SEVERAL
    concluded = [group for group in said if group.level == CONCLUDED]
    if concluded and len(concluded[-1].options) == 1:
        return _decided(concluded[-1], "concluded")
    asserted = [group for group in said if group.level >= SAID]
    if not asserted:
        return _all_one(said, "mentioned") if len(page.text) <= LONG else None
    in_words = [group for group in asserted if group.kind == "text"] if len(page.text) <= LONG else []
    together = options.union({option for group in in_words for option in group.options})
    if together is not None:
        return ReadVerdict(
            together, "its parts named together", asserted[0].start, asserted[-1].end, SAID, inferred=True
        )
    if options.both_of_them in {option for group in asserted for option in group.options}:
        return _all_one([group for group in asserted if options.both_of_them in group.options], "said")
    taken_back = cues.TAKEN_BACK.search(page.cues)
    if taken_back is not None and (left := [group for group in asserted if group.start > taken_back.end()]):
        return _all_one(left, "said") or SEVERAL
    identified = [group for group in asserted if group.level == IDENTIFIED and group.kind == "text"]
    return _all_one(asserted, "said") or _all_one(identified, "identified") or SEVERAL


def _all_one(groups: list[Group], how: str) -> ReadVerdict | None:
    """Decide for the option that all of the groups name, if they name one."""
    return _decided(groups[-1], how) if len({option for group in groups for option in group.options}) == 1 else None


def _by_elimination(groups: list[Group], n: int) -> ReadVerdict | None:
    denied = [group for group in groups if group.stance == "denied"]
    left = set(range(n)) - {option for group in denied for option in group.options}
    if len(left) != 1 or not denied or n < 3:
        return None  # of two options, denying one is not yet choosing the other
    return ReadVerdict(left.pop(), "all others ruled out", denied[-1].start, denied[-1].end, SAID, inferred=True)


def _by_doubt(groups: list[Group], page: Page) -> ReadVerdict | None:
    if len(page.text) > LONG or len(page.options) < 3:
        return None
    doubted = [g for g in groups if g.stance == "doubted" and not g.supposed and g.kind not in {"letter", "weak"}]
    only = _all_one(doubted, "the only one considered")
    return only and only._replace(level=0, inferred=True)
