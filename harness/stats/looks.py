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


@lru_cache(maxsize=64)
def chances_of_rounds(chance: float, parts: tuple[float, ...]) -> tuple[float, ...]:
    """Return the chance that each round may take, where questions are asked in rounds until a verdict stands.

    `parts` are the shares of all questions after each round. Early rounds may take little (the spending of Lan and
    DeMets after O'Brien and Fleming), so that the last one is hardly weaker than a single look at everything.
    """
    z = NORMAL.inv_cdf(1 - chance / 2)
    spent = [2 * (1 - NORMAL.cdf(z / part**0.5)) for part in parts[:-1]] + [chance]
    import numpy

    rng = numpy.random.default_rng(_SEED)
    steps = [after - before for before, after in zip((0.0, *parts), parts, strict=False)]
    paths = numpy.cumsum(rng.standard_normal((_DRAWS, len(parts))) * numpy.sqrt(steps), axis=1) / numpy.sqrt(parts)
    going = numpy.ones(_DRAWS, dtype=bool)
    chances = []
    for place, (before, after) in enumerate(zip((0.0, *spent), spent, strict=False)):
        scores = numpy.sort(paths[going, place])
        crossing = round((after - before) * _DRAWS)
        drawn = 1 - NORMAL.cdf(float(scores[-crossing - 1])) if 0 < crossing < len(scores) else 0.0
        chances.append(max(after - before, drawn))  # what is not spent twice is at least its own part
        going &= paths[:, place] <= NORMAL.inv_cdf(1 - chances[-1])
    return tuple(chances)
