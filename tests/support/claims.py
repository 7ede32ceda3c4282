"""Claims of our statistics, each a simulation: how often it holds in designs of shared clips and repeated answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.stats.intervals import clustered_interval
from dtbench.harness.stats.looks import chance_of_each_look
from dtbench.harness.stats.paired_tests import (
    PairedShares,
    bounds,
    chance_of_equal,
    chance_of_no_loss,
    effective_table,
    holm,
)
from dtbench.harness.stats.power import minimum_detectable, power_of_passing

NIGHTS, WINDOW, ANCHOR = 30, 5, 8
GROUPS = 7
Draw = Callable[[random.Random], list[PairedShares]]


class Design(NamedTuple):
    """Questions in clips, each answered several times by two models; a clip's questions mostly change together."""

    clips: int
    size: int = 1
    repeats: int = 1
    flips: float = 0.1
    drop: float = 0.0
    together: float = 0.9

    def __str__(self) -> str:
        return f"{self.clips} x {self.size}, {self.repeats} answers, {self.flips:.0%} change, drop {self.drop:.0%}"

    def pairs(self, dice: random.Random) -> list[PairedShares]:
        """Draw both runs."""
        drawn, draw = [], dice.random
        gain, loss = (self.flips - self.drop) / 2, (self.flips + self.drop) / 2
        for clip in range(self.clips):
            shared, cluster = draw(), str(clip)
            for _ in range(self.size):
                roll = shared if draw() < self.together else draw()
                change = 1 if roll < gain else -1 if roll < gain + loss else 0
                drawn.append(PairedShares(*self._shares(dice, change), cluster))
        return drawn

    def _shares(self, dice: random.Random, change: int) -> tuple[float, float]:
        if self.repeats == 1:
            level = float(dice.random() < 0.6)
            return (level, level) if change == 0 else (0.5 - change / 2, 0.5 + change / 2)
        before = dice.betavariate(0.8, 0.8) if change == 0 else 0.5 - change * 0.5
        after = before if change == 0 else 0.5 + change * 0.5
        return self._answered(dice, before), self._answered(dice, after)

    def _answered(self, dice: random.Random, chance: float) -> float:
        return sum(dice.random() < chance for _ in range(self.repeats)) / self.repeats


class Claim(NamedTuple):
    """A share of draws that is said to lie between two limits, in every design."""

    name: str
    designs: Sequence[Design]
    holds: Callable[[Design, random.Random], bool]
    least: float
    most: float

    def measured(self, times: int, seed: int = 0) -> Mapping[str, float]:
        """Return in how many of so many draws of each design it is so."""
        return {str(design): _share(self.holds, design, times, seed) for design in self.designs}


def _share(holds: Callable[[Design, random.Random], bool], design: Design, times: int, seed: int) -> float:
    dice = random.Random(seed)
    return sum(holds(design, dice) for _ in range(times)) / times


SHARED = [
    Design(40, 5),
    Design(50, 10),
    Design(50, 3, together=0.5),
    Design(200, 5),
    Design(60, 5, flips=0.05, drop=0.03),
]
REPEATED = [Design(100, repeats=4), Design(200, repeats=8), Design(60, 3, repeats=4, together=0.5)]
LISTENING = Design(200, repeats=8, flips=0.3, drop=0.2)
GROUPED = [Design(700), Design(700, flips=0.3), Design(420, 5, flips=0.2)]
ANSWERED = [Design(200, repeats=8), Design(50, repeats=4), Design(400, repeats=2)]
ALONE = [Design(300), Design(300, flips=0.03), Design(1000, flips=0.05)]


def _covers(design: Design, dice: random.Random) -> bool:
    found = bounds(design.pairs(dice), 0.025)
    return found.low <= -design.drop <= found.high


def _fools(design: Design, dice: random.Random) -> bool:
    return chance_of_equal(design.pairs(dice)) < 0.05


def _alarms(design: Design, dice: random.Random) -> bool:
    return chance_of_no_loss(design.pairs(dice)) <= 0.05


def _passes_at_the_margin(design: Design, dice: random.Random) -> bool:
    return bounds(design.pairs(dice), 0.05).low > -design.drop


def _share_is_covered(design: Design, dice: random.Random) -> bool:
    """Clips whose questions are right together, around a share of 0.6 to 0.98."""
    truth = 1 - design.flips
    clusters = []
    for _ in range(design.clips):
        shared = dice.random()
        rights = [(shared if dice.random() < design.together else dice.random()) < truth for _ in range(design.size)]
        clusters.append((float(sum(rights)), design.size))
    low, high = clustered_interval(clusters)
    return low <= truth <= high


def _alarms_in_a_group(design: Design, dice: random.Random) -> bool:
    """Seven groups of as many questions, none of them worse, and a claim of loss in any."""
    pairs = design.pairs(dice)
    groups = [pairs[start::GROUPS] for start in range(GROUPS)]
    return min(holm([chance_of_no_loss(group) for group in (pairs, *groups)])) <= 0.05


def _repeated_share_is_covered(design: Design, dice: random.Random) -> bool:
    """Several answers to each question, whose chances of a right one are far apart."""
    chances = [dice.betavariate(0.6, 0.4) for _ in range(design.clips)]
    rights = [sum(dice.random() < chance for _ in range(design.repeats)) for chance in chances]
    low, high = clustered_interval((right, design.repeats) for right in rights)
    return low <= 0.6 <= high


def _p_and_interval_agree(design: Design, dice: random.Random) -> bool:
    """A small p never stands beside an interval with zero in it; the exact test is the stricter of the two."""
    pairs = design.pairs(dice)
    found = bounds(pairs, 0.025)
    return chance_of_equal(pairs) > 0.05 or not found.low <= 0 <= found.high


CLAIMS = [
    Claim("a 95 % interval of a difference covers it", [*ALONE, *SHARED, *REPEATED, LISTENING], _covers, 0.93, 0.99),
    Claim("a small p has an interval without zero", [*ALONE, *SHARED], _p_and_interval_agree, 0.985, 1.0),
    Claim("a loss in one of seven groups is claimed in 5 % at most", GROUPED, _alarms_in_a_group, 0.0, 0.05),
    Claim("a 95 % interval over several answers covers", ANSWERED, _repeated_share_is_covered, 0.925, 0.985),
    Claim("p < 0.05 fools in 5 % at most", [*ALONE, *SHARED[:4], *REPEATED], _fools, 0.0, 0.05),
    Claim("a loss is claimed in 5 % at most where there is none", [*ALONE, *SHARED[:4], *REPEATED], _alarms, 0.0, 0.05),
    Claim(
        "a gate passes in 5 % at most what is worse by its whole margin",
        [
            Design(300, flips=0.1, drop=0.02),
            Design(1000, flips=0.05, drop=0.02),
            Design(60, 5, flips=0.2, drop=0.05),
            Design(200, 5, flips=0.1, drop=0.04),
            Design(200, repeats=4, flips=0.1, drop=0.05),
        ],
        _passes_at_the_margin,
        0.0,
        0.06,
    ),
    Claim(
        "a 95 % interval of an accuracy covers it",
        [
            Design(200, 4, flips=0.4),
            Design(50, 4, flips=0.4),
            Design(20, 4, flips=0.4),
            Design(10, 4, flips=0.4),
            Design(20, 4, flips=0.05),
            Design(50, 4, flips=0.05),
            Design(200, 4, flips=0.02),
            Design(200, 4, flips=0.2, together=0.3),
        ],
        _share_is_covered,
        0.925,
        0.985,
    ),
]


class Month(NamedTuple):
    """Thirty nights of a gate: the first night with an alarm, None where there is none."""

    alarm: int | None


def months(times: int, drop_at: int | None, seed: int = 0) -> Iterator[Month]:
    """Yield months of a model that loses two points on one night, or never; a thousand questions, most of them sure.

    The anchor has eight answers to each, a night has one, and five nights are looked at together.
    """
    dice = random.Random(seed)
    each = chance_of_each_look(0.05, NIGHTS, WINDOW, ANCHOR)
    for _ in range(times):
        sure = [dice.betavariate(0.08, 0.05) for _ in range(1000)]
        anchor = [sum(dice.random() < p for _ in range(ANCHOR)) / ANCHOR for p in sure]
        yield Month(_first_alarm(dice, sure, anchor, drop_at, each))


def _first_alarm(
    dice: random.Random, sure: list[float], anchor: Sequence[float], drop_at: int | None, each: float
) -> int | None:
    window: list[list[bool]] = []
    for night in range(NIGHTS):
        if night == drop_at:
            _lose(dice, sure, 0.02)
        window = [*window, [dice.random() < p for p in sure]][-WINDOW:]
        shares = [sum(right) / len(window) for right in zip(*window, strict=True)]
        pairs = [
            PairedShares(before, after, f"{n}") for n, (before, after) in enumerate(zip(anchor, shares, strict=True))
        ]
        if chance_of_no_loss(pairs) <= each:
            return night
    return None


def _lose(dice: random.Random, sure: list[float], drop: float) -> None:
    """Make questions wrong for good, until so much of the accuracy is gone."""
    left = drop * len(sure)
    for place in dice.sample(range(len(sure)), len(sure)):
        if left <= 0:
            return
        left -= sure[place]
        sure[place] = 0.0


def power_said_and_found(times: int, seed: int = 0) -> Iterator[tuple[str, float, float]]:
    """Yield what is said of a gate's passes and of drops that are found, and how often it is so."""
    dice = random.Random(seed)
    for design in (
        Design(500, flips=0.02),
        Design(1500, flips=0.08),
        Design(60, 5, flips=0.2),
        Design(200, repeats=8, flips=0.1),
    ):
        runs = [design.pairs(dice) for _ in range(times)]
        margin = 0.02 if design.size == 1 else 0.08
        tables = [table for pairs in runs if (table := effective_table(pairs, 0.05)) is not None]
        said = sum(power_of_passing(table.n, table.expected_flips, margin, 0.05) for table in tables)
        found = sum(bounds(pairs, 0.05).low > -margin for pairs in runs)
        yield f"passes {design}", said / times, found / times
    for size in (300, 2000):
        difference = minimum_detectable(size, 0.1)
        assert difference is not None
        worse = Design(size, flips=0.1, drop=difference)
        yield f"finds {worse}", 0.8, sum(bounds(worse.pairs(dice), 0.025).high < 0 for _ in range(times)) / times
