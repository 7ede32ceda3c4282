"""The orders in which a question's options can be shown: rotations, and every order of a small set.

Up to four options have all their orders, 24 at most. More options have that many too: the data set's own, and others
that are drawn for the question, the same in every run with its seed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

MOST_ORDERS = 24
"""As many as four options have."""


def order_count(options: int) -> int:
    """Return how many orders so many options are asked in by `--permute all`."""
    return min(MOST_ORDERS, math.factorial(options))


def option_places(options: int, turns: int, order: int, key: str) -> Sequence[int]:
    """Return the data set's place of the option at each place shown.

    `turns` rotates the options; `order` is the number of one of all orders, from 1 for the data set's own, and `key`
    distinguishes the questions for which orders are drawn.
    """
    if order == 1:
        step = turns % options if options else 0
        return [(place + step) % options for place in range(options)]
    return _order(options, _number(options, (order - 1) % order_count(options), key))


def _number(options: int, which: int, key: str) -> int:
    """Return the number of an order among all in lexicographic order."""
    count = math.factorial(options)
    if count <= MOST_ORDERS:
        return which
    drawn, tries = [0], 0
    while len(drawn) <= which:
        digest = hashlib.blake2b(f"{key}\0{tries}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        number, tries = int.from_bytes(digest, "big") % count, tries + 1
        if number not in drawn:
            drawn.append(number)
    return drawn[which]


def _order(options: int, number: int) -> Sequence[int]:
    left, places = list(range(options)), []
    for rest in range(options - 1, -1, -1):
        at, number = divmod(number, math.factorial(rest))
        places.append(left.pop(at))
    return places
