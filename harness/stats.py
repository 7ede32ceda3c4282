"""How far a measured share can be trusted."""

from __future__ import annotations

import math
from typing import NamedTuple

Z95 = 1.959963984540054


class Share(NamedTuple):
    """A share of n with the 95 % interval of Wilson."""

    correct: int
    n: int
    accuracy: float
    low: float
    high: float


def share(correct: int, n: int) -> Share:
    """The share and its interval; of nothing, zero and the whole range."""
    if n == 0:
        return Share(0, 0, 0.0, 0.0, 1.0)
    p, z2 = correct / n, Z95 * Z95
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low, high = middle - half, middle + half
    # At the ends, rounding leaves a hair on the wrong side.
    return Share(correct, n, p, max(0.0, low) if correct else 0.0, min(1.0, high) if correct < n else 1.0)
