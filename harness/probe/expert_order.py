"""Experts that changed places: a layer computes the same with its experts and its router's rows in another order.

A tool that compares expert 3 with expert 3 would call such a layer changed from top to bottom. The rows of the router
tell which expert of B is which of A: a row keeps its direction through a training, and two rows of one router differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ALIKE = 0.9
"""The cosine that the rows of one expert have at least; rows of different ones have far less."""
_CLEARLY = 1e-3
"""By how much another row has to be nearer than the one in the same place."""


def order_of(before: NDArray[Any], after: NDArray[Any]) -> Sequence[int] | None:
    """Return for each expert of A its place in B; None where each is where it was, or no order explains the rows."""
    import numpy as np

    if before.shape != after.shape or min(before.shape) < 2:
        return None
    likeness = _unit_rows(before) @ _unit_rows(after).T
    nearest = likeness.argmax(axis=1)
    stays = likeness.diagonal() >= likeness.max(axis=1) - _CLEARLY
    nearest = np.where(stays, np.arange(len(before)), nearest)
    if stays.all() or len(set(nearest.tolist())) < len(nearest):
        return None
    alike = likeness[np.arange(len(before)), nearest]
    return [int(place) for place in nearest] if float(alike[~stays].min()) >= _ALIKE else None


def row_angles(before: NDArray[Any], after: NDArray[Any]) -> list[float | None]:
    """Return the angle between the rows of each expert in A and in B, in degrees; None for a row that is 0."""
    import numpy as np

    first, second = before.astype(np.float64), after.astype(np.float64)
    angles: list[float | None] = []
    for one, other in zip(first, second, strict=True):
        if np.array_equal(one, other):
            angles.append(0.0)
            continue
        lengths = float(np.linalg.norm(one)), float(np.linalg.norm(other))
        if not all(lengths):
            angles.append(None)
            continue
        # Of two unit vectors half the distance is the sine of half the angle, which is exact for small ones too.
        apart = float(np.linalg.norm(one / lengths[0] - other / lengths[1]))
        angles.append(math.degrees(2 * math.asin(min(1.0, apart / 2))))
    return angles


def _unit_rows(rows: NDArray[Any]) -> NDArray[np.float64]:
    import numpy as np

    values = rows.astype(np.float64)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(lengths > 0, lengths, 1.0))
