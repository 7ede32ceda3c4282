"""How small a chance each of many looks may take, so that all together are wrong with a stated chance at most.

A gate looks every night at the mean of the last few nights against one anchor. Such looks share nights, and all share
the anchor's own noise, so each may take more than an equal part; how much is drawn, the same at every call.
"""

from __future__ import annotations

from functools import lru_cache

from dtbench.harness.stats.distributions import NORMAL

_DRAWS = 40_000
_SEED = 20


@lru_cache(maxsize=64)
def chance_of_each_look(chance: float, looks: int, window: int = 1, anchor_answers: float = 1.0) -> float:
    """Return the chance that each look may take.

    A night has one answer to a question for each `anchor_answers` of the anchor; a look is at the mean of `window`
    nights.
    """
    if looks <= 1:
        return chance
    import numpy

    rng = numpy.random.default_rng(_SEED)
    nights = rng.standard_normal((_DRAWS, looks))
    anchor = rng.standard_normal((_DRAWS, 1)) / anchor_answers**0.5
    sums = numpy.cumsum(nights, axis=1)
    sums[:, window:] -= sums[:, :-window].copy()
    counts = numpy.minimum(numpy.arange(1, looks + 1), window)
    scores = (sums / counts - anchor) / (1 / counts + 1 / anchor_answers) ** 0.5
    highest = float(numpy.quantile(scores.max(axis=1), 1 - chance))
    return max(chance / looks, 1 - NORMAL.cdf(highest))
