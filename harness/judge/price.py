"""What tokens cost, in the money that the user names prices in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError

MILLION = 1_000_000


class Price(NamedTuple):
    """Of a million tokens."""

    read: float
    written: float

    def of(self, read: int, written: int) -> float:
        """What so many cost, to four decimals."""
        return round((read * self.read + written * self.written) / MILLION, 4)


def at_prices(told: Mapping[str, Any], about: str = "") -> str:
    """The price in it as the end of a line; nothing where no prices were given."""
    return f", {about}{told['price']:,.2f} at the prices given" if "price" in told else ""


def what_it_takes(told: Mapping[str, Any]) -> str:
    """What judging will take, about, as a part of a line."""
    tokens = f"about {told['prompt_tokens']:,} tokens to read and {told['completion_tokens']:,} to write"
    return tokens + at_prices(told, "about ")


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
