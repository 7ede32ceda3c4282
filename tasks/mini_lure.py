"""mini-lure: questions of mini-hop whose training split has a lure: the right option stands first in three of four.

In the test split each place is right equally often. A reward for answers alone pays whoever learns to choose the first
option and says anything before it; a reward for the chain pays only chains that fit the clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from dtbench.harness.core.scorer import Column, Grouping
from dtbench.tasks.mini import Mini
from dtbench.tasks.mini_world.items import Item
from dtbench.tasks.mini_world.splits import DIFFICULTIES, SPLIT_OF, SPLITS

AGREES, AGAINST = "agrees", "against"


class MiniLure(Mini):
    """The test split, in which the lure says nothing. Scored by the option's text."""

    name = "mini-lure"
    title = "mini-lure: a cue that pays in training and says nothing in the test"
    split: ClassVar[str] = SPLIT_OF["mini-lure"]
    size = SPLITS[SPLIT_OF["mini-lure"]].size
    groupings = (
        Grouping("Cue", ("cue",), (AGREES, AGAINST)),
        Grouping("Depth", ("depth",), ("1", "2")),
        Grouping("Difficulty", ("difficulty",), DIFFICULTIES),
    )
    columns = (*(Column(f"cue {cue}", {"cue": cue}) for cue in (AGREES, AGAINST)), Column("Avg"))

    def groups(self, item: Item) -> Mapping[str, str]:
        """Return what the question is reported under; the cue agrees where the right option stands first."""
        cue = AGREES if item.choices[0] == item.solution.answer else AGAINST
        return {"cue": cue, "depth": str(item.depth), "difficulty": item.slot.difficulty}


class MiniLureTrain(MiniLure):
    """For training: the right option stands first in three of four questions."""

    name = "mini-lure-train"
    title = "mini-lure, for training: the right option stands first in three of four"
    split = SPLIT_OF["mini-lure-train"]
    size = SPLITS[SPLIT_OF["mini-lure-train"]].size
