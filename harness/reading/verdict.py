"""From what is said of each option to the one that is meant, or to the reason why none is."""

from __future__ import annotations

import re
from typing import NamedTuple

from dtbench.harness.reading import lexicon
from dtbench.harness.reading.options import Options
from dtbench.harness.reading.stance import ASIDE, CHOSEN, CONCLUDED, IDENTIFIED, SAID, STATED, Group
from dtbench.harness.reading.survey import survey
from dtbench.harness.reading.words import tokens

_ANSWER_MARKER = re.compile(r"\s*A:\s+(?=[A-Z][a-z]+ [a-z])")
_ASKED = re.compile(f"{lexicon.EXPLICIT}|{lexicon.CHOOSE}", re.IGNORECASE)
_TURNED = re.compile(rf"{lexicon.NEGATE}|{lexicon.HEDGE}|[?]", re.IGNORECASE)


class Verdict(NamedTuple):
    """The option that a text means, if it means one."""

    index: int | None
    how: str
    start: int = 0
    end: int = 0
    """Where the deciding words stand."""
    level: int = 0


NOTHING = Verdict(None, "nothing decides")
SEVERAL = Verdict(None, "several options named")


def read(text: str, options: Options, *, cued: bool = False) -> Verdict:
    """What a text means; cued: it stands where an answer was asked for, as in a tag."""
    whole = options.whole(text)
    if whole is not None:
        return Verdict(whole, "option text", 0, len(text), STATED)
    if (marker := _ANSWER_MARKER.match(text)) is not None:
        beside = read(text[marker.end() :], options, cued=True)
        if beside.index is not None:
            return beside._replace(start=beside.start + marker.end(), end=beside.end + marker.end())
    groups = survey(text, options, cued=cued)
    strong = _strong(groups, text)
    if strong is not None:
        return strong
    weaker = _weaker(groups, text, options)
    if weaker is not None and weaker.index is not None and not _ASKED.search(text):
        return weaker
    loose = survey(text, options, cued=cued, loosely=True)
    if len(loose) > len(groups):
        strong = _strong(loose, text)
        if strong is not None:
            return _loosely(strong)
    weaker = weaker or _weaker(loose, text, options)
    return _loosely(weaker) if weaker is not None else _by_hint(text, options)


def _by_hint(text: str, options: Options) -> Verdict:
    """The last resort, where no option is named, denied or doubted at all."""
    if _TURNED.search(text):
        return NOTHING
    hinted = options.hinted(tokens(text, options.normal))
    return NOTHING if hinted is None else Verdict(hinted, "the only option hinted at", 0, len(text), SAID)


def _loosely(verdict: Verdict) -> Verdict:
    return verdict if verdict.index is None else verdict._replace(how=f"{verdict.how}, in other words")


def _strong(groups: list[Group], text: str) -> Verdict | None:
    """The last statement of the answer, unless it is taken back."""
    strong = [g for g in groups if g.level >= CHOSEN and g.stance != "denied"]
    if any(g.stance == "said" and g.level >= CONCLUDED for g in groups):
        strong = [g for g in strong if not (g.supposed and g.stance == "doubted")]
    if not strong:
        return None
    last = strong[-1]
    withdrawn = lexicon.WITHDRAWN.search(text, last.end)
    if withdrawn is not None and not any(g.start > withdrawn.end() for g in strong):
        return Verdict(None, "answer withdrawn", last.start, withdrawn.end(), last.level)
    corrected = _correction(groups, last, text)
    if corrected is not None:
        return _found(corrected, "corrected")
    if len(last.indices) > 1:
        return Verdict(None, "several options named as the answer", last.start, last.end, last.level)
    if last.stance == "doubted" and len({i for g in strong for i in g.indices}) > 1:
        return Verdict(None, "only doubtful answers", last.start, last.end, last.level)
    return _found(last, "stated" if last.level == STATED else "chosen")


def _correction(groups: list[Group], last: Group, text: str) -> Group | None:
    mark = lexicon.CORRECTION.search(text, last.end)
    if mark is None:
        return None
    later = [
        g for g in groups if g.start >= mark.start() and g.stance == "said" and len(g.indices) == 1 and g.level >= SAID
    ]
    return later[-1] if later else None


def _found(group: Group, how: str) -> Verdict:
    index = group.indices[0]
    if index < 0:
        return Verdict(None, "no such option", group.start, group.end, group.level)
    if group.kind == "conflict":
        how = f"{how}, letter and text in conflict: the text stands"
    elif group.kind in {"letter", "weak"}:
        how = f"{how}, by letter"
    return Verdict(index, how, group.start, group.end, group.level)


def _weaker(groups: list[Group], text: str, options: Options) -> Verdict | None:
    """The best of what is said without naming it the answer."""
    withdrawn = lexicon.WITHDRAWN.search(text)
    if withdrawn is not None and all(g.end <= withdrawn.start() for g in groups):
        return Verdict(None, "answer withdrawn", withdrawn.start(), withdrawn.end())
    refusal = lexicon.REFUSAL.search(text)
    if refusal is not None and not any(g.start <= refusal.start() < g.end for g in groups):
        groups = [g for g in groups if g.start > refusal.end() and g.level >= CONCLUDED]
        return _by_level(groups, options) or Verdict(None, "refusal", refusal.start(), refusal.end())
    return _by_level(groups, options) or _by_elimination(groups, len(options)) or _by_doubt(groups)


def _by_level(groups: list[Group], options: Options) -> Verdict | None:
    said = [g for g in groups if g.stance == "said"]
    concluded = [g for g in said if g.level == CONCLUDED]
    if concluded and len(concluded[-1].indices) == 1:
        return _found(concluded[-1], "concluded")
    plainly = [g for g in said if g.level >= SAID]
    if plainly:
        together = options.union({i for g in plainly for i in g.indices if i >= 0})
        if together is not None:
            return Verdict(together, "its parts named together", plainly[0].start, plainly[-1].end, SAID)
        return (
            _all_one(plainly, "said")
            or _all_one([g for g in plainly if g.level == IDENTIFIED], "identified")
            or SEVERAL
        )
    return _all_one(said, "mentioned")


def _all_one(groups: list[Group], how: str) -> Verdict | None:
    """The option that all of the groups name, if they name one."""
    return _found(groups[-1], how) if len({i for g in groups for i in g.indices}) == 1 else None


def _by_elimination(groups: list[Group], n: int) -> Verdict | None:
    denied = {i for g in groups if g.stance == "denied" for i in g.indices if i >= 0}
    left = set(range(n)) - denied
    if len(left) != 1 or not denied:
        return None
    last = [g for g in groups if g.stance == "denied"][-1]
    return Verdict(left.pop(), "all others ruled out", last.start, last.end, SAID)


def _by_doubt(groups: list[Group]) -> Verdict | None:
    doubted = [g for g in groups if g.stance == "doubted" and not g.supposed]
    if len({i for g in doubted for i in g.indices}) != 1:
        return None
    return _found(doubted[-1], "the only one considered")
