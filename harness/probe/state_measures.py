"""How far apart the states and the routing of two models are at the same tokens: arrays in, numbers out.

Equal arrays are at distance 0, to the last bit, in each of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Numbers = NDArray[numpy.float64]

LARGEST = 5
"""How many dimensions a cosine is freed of: in large models a few hold most of a state's length."""


def cosine_distances(one: Any, other: Any) -> Numbers:
    """Return 1 - cosine of each pair of rows, by the distance of their directions, which loses no digits near 0."""
    apart: Numbers = 0.5 * ((_directions(one) - _directions(other)) ** 2).sum(axis=-1)
    return apart


def _directions(rows: Any) -> Numbers:
    import numpy

    wide = numpy.asarray(rows, numpy.float64)
    lengths = numpy.linalg.norm(wide, axis=-1, keepdims=True)
    directions: Numbers = wide / numpy.where(lengths == 0, 1, lengths)
    return directions


def relative_distances(one: Any, other: Any) -> Numbers:
    """Return the length of the difference of each pair of rows over the length of the first."""
    import numpy

    first = numpy.asarray(one, numpy.float64)
    lengths = numpy.linalg.norm(first, axis=-1)
    apart = numpy.linalg.norm(first - numpy.asarray(other, numpy.float64), axis=-1)
    relative: Numbers = apart / numpy.where(lengths == 0, 1, lengths)
    return relative


def largest_dimensions(totals: Any) -> Sequence[int]:
    """Return the dimensions whose totals of magnitudes are the largest, at most one in eight of all."""
    import numpy

    count = min(LARGEST, len(totals) // 8)
    return sorted(int(one) for one in numpy.argsort(-numpy.asarray(totals), kind="stable")[:count])


def linear_cka(one: Any, other: Any) -> float | None:
    """Return the linear CKA of two sets of states, a row for each token; None where either has no variance.

    It compares which tokens are alike in one model with which are in the other: a turn of all states is no difference.
    """
    import numpy

    similar = [_similarities(rows) for rows in (one, other)]
    own = [float((matrix * matrix).sum()) for matrix in similar]
    if not all(own):
        return None
    return float((similar[0] * similar[1]).sum()) / float(numpy.sqrt(own[0] * own[1]))


def _similarities(rows: Any) -> Numbers:
    import numpy

    wide = numpy.asarray(rows, numpy.float64)
    centred = wide - wide.mean(axis=0)
    scale = float(numpy.abs(centred).max()) or 1.0
    product: Numbers = (centred / scale) @ (centred / scale).T
    return product


def divergence_bits(one: Any, other: Any) -> float | None:
    """Return the Jensen-Shannon divergence of two histograms in bits, from 0 to 1; None where one is empty."""
    import numpy

    first, second = (numpy.asarray(counts, numpy.float64) for counts in (one, other))
    if not first.sum() or not second.sum():
        return None
    first, second = first / first.sum(), second / second.sum()
    middle = (first + second) / 2
    return float((_relative_entropy(first, middle) + _relative_entropy(second, middle)) / 2)


def _relative_entropy(shares: Numbers, base: Numbers) -> float:
    import numpy

    there = shares > 0
    return float((shares[there] * numpy.log2(shares[there] / base[there])).sum())


def entropy_bits(probabilities: Any) -> Numbers:
    """Return the entropy of each row of probabilities in bits."""
    import numpy

    wide = numpy.asarray(probabilities, numpy.float64)
    entropies: Numbers = -(wide * numpy.log2(numpy.where(wide > 0, wide, 1))).sum(axis=-1)
    return entropies


def shared_experts(one: Any, other: Any) -> Numbers:
    """Return the share of each token's experts that both models choose, in whatever order."""
    import numpy

    first, second = numpy.asarray(one), numpy.asarray(other)
    common = (first[:, :, None] == second[:, None, :]).any(axis=-1).sum(axis=-1)
    return numpy.asarray(common / first.shape[1], numpy.float64)
