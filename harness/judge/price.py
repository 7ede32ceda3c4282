"""What tokens cost, in the money that the user names prices in."""

from __future__ import annotations

import math
from typing import NamedTuple

from dtbench.harness.errors import UserError

MILLION = 1_000_000


class Price(NamedTuple):
    """Of a million tokens."""

    read: float
    written: float

    def of(self, read: int, written: int) -> float:
        """What so many cost, to four decimals."""
        return round((read * self.read + written * self.written) / MILLION, 4)


def price_of(told: str) -> Price:
    """The price that `READ/WRITTEN` tells, such as 2.50/10."""
    parts = told.split("/")
    try:
        read, written = map(float, parts)
    except ValueError:
        read = written = math.nan
    if not (0 <= read < math.inf and 0 <= written < math.inf):
        raise UserError(
            f"--price {told}: two prices of a million tokens are expected, read and written, such as 2.50/10."
        )
    return Price(read, written)
