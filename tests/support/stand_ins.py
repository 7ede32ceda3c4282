"""Models of one's own that answer as a baseline does: a gate takes their runs, and not those of the baselines."""

from __future__ import annotations

from typing import ClassVar

from dtbench.models.plain.baselines import EchoGold, Random


class Perfect(EchoGold):
    """Every right answer."""

    name: ClassVar[str] = "perfect"
    oracle: ClassVar[bool] = False


class Dice(Random):
    """A random option."""

    name: ClassVar[str] = "dice"


PERFECT, DICE = "stand_ins:Perfect", "stand_ins:Dice"
"""What `--model` takes."""
