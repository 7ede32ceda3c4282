"""Solve the question of an item for sounds other than those of its clip: what a chain that hears them has to answer."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from dtbench.tasks.mini_world.events import SoundFacts
from dtbench.tasks.mini_world.items import question_of
from dtbench.tasks.mini_world.questions import Solution
from dtbench.tasks.mini_world.splits import SPLITS, Slot, slots


def solve_described(item: Mapping[str, Any], sounds: Sequence[SoundFacts]) -> Solution | None:
    """Solve an item's question for these sounds; None where it cannot be asked about them or has no such option."""
    question = question_of(_slots_by_id()[item["id"]])
    if len(sounds) not in question.counts:
        return None
    solution = question.solve(sounds)
    return solution if solution is not None and solution.answer in item["choices"] else None


@functools.cache
def _slots_by_id() -> Mapping[str, Slot]:
    return {slot.id: slot for name in SPLITS for slot in slots(name)}
