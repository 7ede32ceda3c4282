"""Survey what a text says of each option that it names: asserted, doubted or denied, and how firmly."""

from __future__ import annotations

import re

from dtbench.harness.extract.listing import find_listed, find_marked
from dtbench.harness.extract.page import Page
from dtbench.harness.extract.paraphrase import find_paraphrases, widen_spots
from dtbench.harness.extract.spots import Spot
from dtbench.harness.extract.stance import SAID, Group, judge_groups

_TOGETHER = re.compile(
    r"[\s*_\"')\].(]*(?:,|/|&|\+|\b(?:and|or|nor|und|oder|noch|et|ou|y|o|e|и|или|ni|as well as)\b|和|或者?|还是|以及|与"
    r"|や|と|か)"
    r"[\s*_\"'(\[,]*(?:(?:and|or|nor|maybe|perhaps|possibly|also|just|even|option|either|by|from|of|a|an|the"
    r"|it (?:might|could|may) be)[\s*_\"'(\[]+){0,4}$",
    re.IGNORECASE,
)
_OR = re.compile(r"\b(?:or|oder|ou|o|или)\b|或|/|か", re.IGNORECASE)


def survey_options(page: Page, *, cued: bool = False, loosely: bool = False) -> list[Group]:
    """Return the judged groups of options on a page; cued: the text stands where an answer is expected."""
    spots = widen_spots(page)
    if loosely:
        spots = sorted([*spots, *find_paraphrases(page)], key=lambda spot: spot[:3])
    entries = find_listed(page, spots)
    listed = set(entries)
    groups = _grouped(page, [spot for spot in spots if spot not in listed])
    return judge_groups(page, groups, find_marked(page, entries), cued=cued)


def _grouped(page: Page, spots: list[Spot]) -> list[Group]:
    """Group mentions that are joined by commas, `and` or `or`, without judging them."""
    runs: list[list[Spot]] = []
    for spot in spots:
        if runs and _goes_on(page, runs[-1], spot):
            runs[-1].append(spot)
        else:
            runs.append([spot])
    return [_group(page, run) for run in runs]


def _goes_on(page: Page, run: list[Spot], spot: Spot) -> bool:
    last = run[-1]
    between = page.text[last.end : spot.start]
    if len(between) > 40 or not (last.kind == spot.kind or (last.strong and spot.strong)):
        return False
    return bool(_TOGETHER.match(between)) and page.sentence(run[0].start) == page.sentence(spot.start)


def _group(page: Page, run: list[Spot]) -> Group:
    options = tuple(dict.fromkeys(spot.option for spot in run))
    either = len(options) > 1 and _OR.search(page.text, run[0].end, run[-1].start)
    weak = all(spot.kind == "letter" and not spot.strong for spot in run)
    stance = "doubted" if either else "said"
    kind = "weak" if weak else run[0].kind
    return Group(run[0].start, run[-1].end, options, stance, SAID, page.sentence(run[0].start), kind)
