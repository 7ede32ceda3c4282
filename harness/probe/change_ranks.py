"""How many directions a change has: few where a gradient pushed, as many as there are where an optimiser only shook.

With singular values s of the change, the effective rank is (sum s^2)^2 / sum s^4: k for k equal values, 1 for one. The
largest value's share is s1^2 / sum s^2. Noise of independent elements in an m x n matrix has m n / (m + n + 1) and
(sqrt m + sqrt n)^2 / (m n), which stand beside them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXACT = 256
"""Up to this many rows or columns the values come from the whole product of the matrix with itself."""
POWERS = 60
"""Rounds of power iteration for the largest of them; of noise it is then short by a hundredth at most."""
DIRECTIONS, ROUNDS, TRIALS = 8, 3, 4
"""Of a larger matrix: values that randomised iteration finds, its rounds, and vectors that sum up the others."""


class ChangeRank(NamedTuple):
    """The rank of a change, and that of noise of the same shape."""

    rank: float
    noise_rank: float
    top_share: float
    noise_top_share: float

    @property
    def is_low(self) -> bool:
        """Whether it has less than half the directions that noise would have."""
        return self.rank < self.noise_rank / 2


def rank_of(change: NDArray[Any]) -> ChangeRank | None:
    """Return the rank of a change; None where it is 0, and where a vector has no rank."""
    import numpy as np

    rows, columns = change.shape
    scale = float(np.max(np.abs(change), initial=0.0))
    if min(rows, columns) < 2 or not scale or not math.isfinite(scale):
        return None
    matrix = change.astype(np.float32) / np.float32(scale)
    second, fourth, top = _moments(matrix if rows <= columns else np.ascontiguousarray(matrix.T))
    noise = (math.sqrt(rows) + math.sqrt(columns)) ** 2 / (rows * columns)
    return ChangeRank(
        rank=max(1.0, second * second / fourth),
        noise_rank=rows * columns / (rows + columns + 1),
        top_share=min(1.0, top / second),
        noise_top_share=min(1.0, noise),
    )


def _moments(matrix: NDArray[np.float32]) -> tuple[float, float, float]:
    """Return the sums of the second and fourth powers of the singular values, and the square of the largest."""
    import numpy as np

    second = float(np.square(matrix, dtype=np.float64).sum())
    if matrix.shape[0] <= EXACT:
        product = (matrix @ matrix.T).astype(np.float64)
        return second, float(np.square(product).sum()), _largest(product)
    draw = np.random.default_rng(0)
    basis = _random(draw, matrix.shape[0], DIRECTIONS)
    for _ in range(ROUNDS):
        basis, _ = np.linalg.qr(matrix @ (matrix.T @ basis))
    found = matrix.T @ basis
    squares = np.square(np.linalg.svd(found, compute_uv=False).astype(np.float64))
    probes = _random(draw, matrix.shape[0], TRIALS)
    probes -= basis @ (basis.T @ probes)
    rest = matrix @ (matrix.T @ probes)
    rest -= basis @ (basis.T @ rest)
    others = float(np.square(rest.astype(np.float64)).sum()) / TRIALS
    return second, float(np.square(squares).sum()) + others, float(squares[0])


def _largest(product: NDArray[np.float64]) -> float:
    """Return the largest eigenvalue of a matrix that is a product with itself, by power iteration."""
    import numpy as np

    vector = product[:, int(product.diagonal().argmax())]
    for _ in range(POWERS):
        vector = product @ vector
        vector = vector / np.sqrt(np.square(vector).sum())
    return float(vector @ product @ vector)


def _random(draw: np.random.Generator, rows: int, columns: int) -> NDArray[np.float32]:
    import numpy as np

    return draw.standard_normal((rows, columns), dtype=np.float32)
