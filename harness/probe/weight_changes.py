"""How far a tensor moved: sums over its elements, taken block by block, and the figures that they give.

Values are compared as 32-bit floats, squares added up in 64 bits. A step is the distance between two neighbouring
numbers of bfloat16, in which models are served: values of other types are rounded to it, to count the steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK = 1 << 16
"""Elements that are worked on at a time: what the caches of a core hold."""
HALF_STEP_BITS: Mapping[str, int] = {"BF16": 8, "F16": 11, "F32": 24, "F64": 53}
"""Between 2^e and 2^(e+1), half the distance of two neighbours is 2^e divided by two to the power of these."""
STEP_POWERS = 17
"""No two numbers of bfloat16 are further apart than 2^16 steps."""
_SIGN = 0x8000
_ADDED = ("size", "changed", "moved", "steps", "hidden", "squares", "weights", "along", "invalid")


@dataclass(slots=True)
class ChangeSums:
    """Sums over the elements of a tensor, from A to B; those of a group are added up."""

    size: int = 0
    changed: int = 0
    """Elements whose stored value differs."""
    moved: int = 0
    """Elements that moved by a step of bfloat16 at least."""
    steps: int = 0
    """Steps of bfloat16 in all."""
    by_steps: list[int] = field(default_factory=lambda: [0] * STEP_POWERS)
    """Elements that moved by at least 1, 2, 4, 8, ... steps."""
    most_steps: int = 0
    hidden: int = 0
    """Elements whose half step is larger than what the optimiser can move in all: they cannot have moved."""
    squares: float = 0.0
    """Of the changes."""
    weights: float = 0.0
    """Squares of the values in A."""
    along: float = 0.0
    """Of the products of value and change: how far the tensor was only scaled."""
    largest: float = 0.0
    """The largest change of an element."""
    invalid: int = 0
    """Elements that are infinite or no number, in A or in B; they are in no other sum but the size."""

    def add(self, other: ChangeSums) -> None:
        """Add the sums of another part."""
        self.largest = max(self.largest, other.largest)
        self.most_steps = max(self.most_steps, other.most_steps)
        self.by_steps = [mine + theirs for mine, theirs in zip(self.by_steps, other.by_steps, strict=True)]
        for name in _ADDED:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def rms(self) -> float:
        """The root of the mean square of the changes."""
        return math.sqrt(self.squares / self.size) if self.size else 0.0

    @property
    def usual_steps(self) -> int:
        """The largest power of two of steps that half of the elements which moved did at least; 0 where none moved."""
        return max((1 << power for power, count in enumerate(self.by_steps) if 2 * count >= self.moved > 0), default=0)

    @property
    def relative(self) -> float | None:
        """The norm of the change as a share of the norm of the values; None where those are all 0 and some changed."""
        if not self.weights:
            return None if self.squares else 0.0
        return math.sqrt(self.squares / self.weights)


def as_floats(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return values as 32-bit floats; 16-bit integers are bfloat16."""
    import numpy as np

    if values.dtype == np.uint16:
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32)


def to_bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Round finite 32-bit floats to bfloat16, ties to even, as integers of its bits."""
    import numpy as np

    bits = np.ascontiguousarray(values).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def steps_between(before: NDArray[np.uint16], after: NDArray[np.uint16]) -> NDArray[np.int32]:
    """Return how many steps of bfloat16 are between two numbers, by their bits: 1 for neighbours, 0 for -0 and 0."""
    import numpy as np

    first, second = (one & np.uint16(_SIGN - 1) for one in (before, after))
    steps = np.abs(first.astype(np.int32) - second)
    across = ((before ^ after) & np.uint16(_SIGN)).astype(bool)
    if across.any():
        steps[across] = first[across].astype(np.int32) + second[across]
    return steps


def blocks(rows: int, columns: int, elements: int = BLOCK) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows of about so many elements."""
    step = max(1, elements // max(columns, 1))
    for first in range(0, rows, step):
        yield first, min(rows, first + step)


def measure_block(before: NDArray[Any], after: NDArray[Any], hidden: float | None = None) -> ChangeSums:
    """Return the sums of a block: its values in A and in B, as they are stored or as 32-bit floats.

    Values of at least the size `hidden` are counted as those that cannot have moved.
    """
    import numpy as np

    first, sums = as_floats(before), ChangeSums(size=before.size)
    if hidden is not None:
        sums.hidden = int(np.count_nonzero(np.abs(first) >= hidden))
    if before.dtype == after.dtype and np.array_equal(before, after):
        sums.weights = _sum_of_squares(first)
        return sums if math.isfinite(sums.weights) else _without_invalid(first, first, sums, hidden)
    second = as_floats(after)
    with np.errstate(invalid="ignore", over="ignore"):
        change = second - first
    sums.weights, sums.squares = _sum_of_squares(first), _sum_of_squares(change)
    if not math.isfinite(sums.weights + sums.squares):
        return _without_invalid(first, second, sums, hidden)
    sums.changed = int(np.count_nonzero(change))
    if sums.changed:
        sums.along = float(np.multiply(first, change, dtype=np.float64).sum())
        sums.largest = float(np.max(np.abs(change)))
        moved = steps_between(_bits(before, first), _bits(after, second))
        sums.moved, sums.steps = int(np.count_nonzero(moved)), int(moved.sum(dtype=np.int64))
        sums.most_steps = int(moved.max(initial=0))
        sums.by_steps = [int(np.count_nonzero(moved >= 1 << power)) for power in range(sums.most_steps.bit_length())]
        sums.by_steps += [0] * (STEP_POWERS - len(sums.by_steps))
    return sums


def hidden_from(reach: float, dtype: str) -> float:
    """Return the size from which on half a step of this type is larger than `reach`: such a weight cannot show it."""
    return 2.0 ** (math.floor(math.log2(reach)) + HALF_STEP_BITS[dtype] + 1) if reach > 0 else 0.0


def half_step(size: float, dtype: str) -> float:
    """Return half the distance of a number of this size to its neighbour: the smallest change that shows."""
    return 2.0 ** (math.floor(math.log2(size)) - HALF_STEP_BITS[dtype]) if size > 0 else 0.0


def _bits(stored: NDArray[Any], floats: NDArray[np.float32]) -> NDArray[np.uint16]:
    import numpy as np

    return stored if stored.dtype == np.uint16 else to_bfloat16(floats)


def _sum_of_squares(values: NDArray[np.float32]) -> float:
    """Add squares up in 64 bits, in an order that no number of threads changes."""
    import numpy as np

    wide = values.astype(np.float64)
    return float(np.multiply(wide, wide, out=wide).sum())


def _without_invalid(
    first: NDArray[np.float32], second: NDArray[np.float32], sums: ChangeSums, hidden: float | None
) -> ChangeSums:
    """Measure what is finite in both; count the rest."""
    import numpy as np

    finite = np.isfinite(first) & np.isfinite(second)
    if finite.all():  # the squares alone are too large: nothing that a model has
        return sums
    rest = measure_block(first[finite], second[finite], hidden)
    rest.size, rest.invalid = sums.size, int(finite.size - np.count_nonzero(finite))
    return rest
