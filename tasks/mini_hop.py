"""mini-hop: questions of one, two and three steps about the sounds of mini, and compositions that no training asks.

A question of two steps finds a sound (the one right after or before another, the only one of a kind, the first or last
of a kind), then asks how it is: loud, long, high, or of how many beeps. Twelve of the sixteen pairs of a step and a
quality are trained; the four others, `held-out`, only a model that composes its steps gets right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from dtbench.harness.core.scorer import Column, Grouping
from dtbench.tasks.mini import Mini
from dtbench.tasks.mini_world.hops import HELD_OUT
from dtbench.tasks.mini_world.items import Item
from dtbench.tasks.mini_world.splits import DIFFICULTIES, SPLIT_OF, SPLITS

DEPTHS = ("1", "2", "3")
TRAINED, HELD_OUT_PAIRS = "trained", "held-out"


class MiniHop(Mini):
    """The test split: all depths, all pairs. Scored by the option's text."""

    name = "mini-hop"
    title = "mini-hop: questions of one to three steps about generated sounds"
    split: ClassVar[str] = SPLIT_OF["mini-hop"]
    size = SPLITS[SPLIT_OF["mini-hop"]].size
    groupings = (
        Grouping("Depth", ("depth",), DEPTHS),
        Grouping("Pair", ("pair",), (TRAINED, HELD_OUT_PAIRS)),
        Grouping("Difficulty", ("difficulty",), DIFFICULTIES),
    )
    columns = (
        *(Column(f"depth {depth}", {"depth": depth}) for depth in DEPTHS),
        *(Column(pair, {"pair": pair}) for pair in (TRAINED, HELD_OUT_PAIRS)),
        Column("Avg"),
    )

    def groups(self, item: Item) -> Mapping[str, str]:
        """Return what the question is reported under; one step is no pair that could be held out."""
        pair = HELD_OUT_PAIRS if item.pair in HELD_OUT else TRAINED
        return {"depth": str(item.depth), "pair": pair, "difficulty": item.slot.difficulty}


class MiniHopTrain1(MiniHop):
    """For the first stage of training: one and two steps, five of six easy, and no pair that is held out."""

    name = "mini-hop-train-1"
    title = "mini-hop, for the first stage of training: one and two steps"
    split = SPLIT_OF["mini-hop-train-1"]
    size = SPLITS[SPLIT_OF["mini-hop-train-1"]].size


class MiniHopTrain2(MiniHop):
    """For the second stage of training: two and three steps, three of four at the boundary, and no pair held out."""

    name = "mini-hop-train-2"
    title = "mini-hop, for the second stage of training: two and three steps"
    split = SPLIT_OF["mini-hop-train-2"]
    size = SPLITS[SPLIT_OF["mini-hop-train-2"]].size
