"""Models of one's own that answer as a baseline does: a gate takes their runs, and not those of the baselines."""

from __future__ import annotations

from typing import ClassVar

from dtbench.models.plain.baselines import EchoGold, First, Random


class Perfect(EchoGold):
    """Every right answer."""

    name: ClassVar[str] = "perfect"
    oracle: ClassVar[bool] = False


class Dice(Random):
    """A random option."""

    name: ClassVar[str] = "dice"


class Stubborn(First):
    """Always the first option."""

    name: ClassVar[str] = "stubborn"


PERFECT, DICE, STUBBORN = (f"stand_ins:{name}" for name in ("Perfect", "Dice", "Stubborn"))
"""What `--model` takes."""
