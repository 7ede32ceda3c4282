"""Find where a text only lists the options, and the marks that it gives them there."""

from __future__ import annotations

import re

from dtbench.harness.extract import cues
from dtbench.harness.extract.page import Page
from dtbench.harness.extract.patterns import lazy_pattern
from dtbench.harness.extract.spots import Spot
from dtbench.harness.extract.stance import CHOSEN, SAID, Group

_LINE_HEAD = lazy_pattern(r"(?:^|\n)[\s*_>#|(\[✓✔✅☑❌✗✘•·-]*(?:option |choice )?[*_(\[]*$", re.IGNORECASE)
_BULLET = lazy_pattern(r"(?:^|\n)\s*[-+*•·](?:\s*\[[ xX]\]|\s*[✓✔✅☑❌✗✘])?\s+[*_\"']*$|(?:^|\n)\s*\d[.)]\s+[*_]*$")
_ANNOUNCING = lazy_pattern(
    r"\b(?:answer(?! choices| options)|(?:correct|right|best|final|most \w+) (?:option|choice|match))\b[^.!?\n]{0,100}:"
    r"[\s*_]*\n\s*$|\b(?:answer|option|choice|match|fit|guess)(?: is| would be)?[\s*_]*:[\s*_]*\n\s*$",
    re.IGNORECASE,
)
_REST_OF_LINE = lazy_pattern(r"[^\n]*\w")


def find_listed(page: Page, spots: list[Spot]) -> list[Spot]:
    """Return the spots that are entries of a list: at the heads of lines, or labels one right after the other."""
    text = page.text
    labels = [spot for spot in spots if spot.label_at is not None and spot.option >= 0]
    heads = [spot for spot in labels if _heads_a_line(text, spot)]
    heads += [
        spot for spot in spots if spot.label_at is None and _BULLET.search(text[max(0, spot.start - 24) : spot.start])
    ]
    alone = [spot for spot in labels if _heads_a_line(text, spot, alone=True)]
    entries = {spot for group in (heads, alone) if len({spot.option for spot in group}) > 1 for spot in group}
    run: list[Spot] = []
    for spot in labels:
        if run and (spot.option != run[-1].option + 1 or re.search(r"[^\W\d]", text[run[-1].end : spot.start])):
            run = []
        run.append(spot)
        if len(run) >= min(3, len(page.options)) and run[0].option == 0:
            entries.update(run)
    entries.update(_one_by_one(page, labels))
    listed = [spot for spot in spots if spot in entries]
    return [spot for place, spot in enumerate(listed) if not _is_announced(text, spot, listed[place + 1 : place + 2])]


def _is_announced(text: str, spot: Spot, following: list[Spot]) -> bool:
    """Whether an entry stands alone under the words that announce the answer: `The answer is:` and then one bullet."""
    line = text.rfind("\n", 0, spot.start) + 1
    announced = _ANNOUNCING.search(text, max(0, line - 160), line) is not None
    return announced and not (following and text.count("\n", spot.end, following[0].start) <= 1)


def _one_by_one(page: Page, labels: list[Spot]) -> list[Spot]:
    """Return labels A, B, C that begin a sentence each, with anything behind them."""
    run: list[Spot] = []
    for spot in labels:
        begin = page.span(page.sentence(spot.start))[0]
        before = page.text[begin : spot.label_at].rstrip(" *_(")
        if spot.option == len(run) and (
            (before.endswith(":") and "answer" not in before.lower()) or not re.search(r"\w", before)
        ):
            run.append(spot)
    return run if len(run) >= 3 else []


def _heads_a_line(text: str, spot: Spot, *, alone: bool = False) -> bool:
    """Whether a label begins a line, with nothing after it or with something, as asked for."""
    place = spot.label_at or 0
    is_alone = spot.kind == "letter" and not _REST_OF_LINE.match(text, spot.end, spot.end + 80)
    return is_alone == alone and _LINE_HEAD.search(text[max(0, place - 40) : place]) is not None


def find_marked(page: Page, entries: list[Spot]) -> list[Group]:
    """Return the listed option that alone is marked as right, and those that are marked as wrong."""
    good, bad = [], []
    for place, spot in enumerate(entries):
        following = entries[place + 1].start if place + 1 < len(entries) else len(page.text)
        line_end = page.text.find("\n", spot.end)
        rest = page.text[spot.end : min(following, line_end if line_end >= 0 else following)]
        begin = page.text.rfind("\n", 0, spot.start) + 1
        head = page.text[begin : spot.start] if place == 0 or begin >= entries[place - 1].end else ""
        shown = head + page.text[spot.start : spot.end] + rest
        if cues.BAD_SIGN.search(shown) or cues.BAD.match(rest):
            bad.append(spot)
        elif (cues.GOOD_SIGN.search(shown) or cues.GOOD_MARK.search(rest)) and not cues.BAD_MARK.search(rest):
            good.append(spot)
    right = [_group(page, spot, "said", CHOSEN) for spot in good] if len(good) == 1 else []
    return right + [_group(page, spot, "denied", SAID) for spot in bad]


def _group(page: Page, spot: Spot, stance: str, level: int) -> Group:
    return Group(spot.start, spot.end, (spot.option,), stance, level, page.sentence(spot.start), spot.kind)
