"""The difference of two means over seeds and questions, with an interval that holds for others of both.

Each of two models was trained with several seeds and answered the same questions. Seeds and questions are drawn anew,
each with replacement and for both models alike (a paired bootstrap of crossed factors: Owen, Annals of Applied
Statistics 1, 2007). Few seeds scatter less among themselves than those that were not run: of S seeds S - 1 are drawn,
and Student's t widens the interval by as much as its width comes from the seeds. A test simulates how often it errs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.stats.distributions import NORMAL, t_quantile
from dtbench.harness.stats.paired_tests import TAIL, Bounds
from dtbench.harness.stats.power import POWER

if TYPE_CHECKING:
    import numpy as np

    Matrix = np.ndarray[Any, np.dtype[np.float64]]

DRAWS = 4000
_AT_ONCE = 1_000_000
"""Weights that are drawn at a time."""
_FREE = 1e6
"""So many degrees of freedom are as good as endlessly many."""


class CrossedMarks(NamedTuple):
    """What answers are worth: a row a seed, a column a question."""

    values: Matrix
    """0 where the weight is 0."""
    weights: Matrix
    """1 where the answer counts for the mean, else 0."""

    def mean(self) -> float:
        """Return the mean of all answers that count; NaN where none does."""
        count = float(self.weights.sum())
        return float(self.values.sum()) / count if count else math.nan


class Scatter(NamedTuple):
    """Standard deviations of a difference."""

    seed: float
    """Between seeds, were there endlessly many questions."""
    question: float
    """Between questions, were there endlessly many seeds."""
    answer: float
    """Of one question under one seed, beside these two."""


def crossed_bounds(first: CrossedMarks, second: CrossedMarks, *, seed: int = 0, draws: int = DRAWS) -> Bounds:
    """Return the mean of the first minus that of the second, between the limits of a 95 % interval.

    Rows and columns of both belong together; a side of one row is one model, which was not trained.
    """
    import numpy as np

    difference = first.mean() - second.mean()
    seeds = max(len(first.values), len(second.values))
    drawn = np.sort(_drawn_differences(first, second, seeds, np.random.default_rng(seed), draws))
    if not len(drawn) or math.isnan(difference) or np.isnan(drawn).any():
        return Bounds(difference, math.nan, math.nan)
    low, high = np.quantile(drawn, [TAIL, 1 - TAIL])
    by_seed = _variance_by_seed(first, second, seeds)
    freedom = _freedom(seeds, float(drawn.var()), by_seed)
    wider = t_quantile(1 - TAIL, freedom) / NORMAL.inv_cdf(1 - TAIL)
    return Bounds(difference, difference - wider * (difference - low), difference + wider * (high - difference))


def detectable_difference(scatter: Scatter, seeds: int, questions: int) -> float:
    """Return the difference whose interval leaves out zero four times in five, with so many seeds and questions.

    A difference of zero is then as often surely below it.
    """
    alone = scatter.answer**2 / (seeds * questions)
    by_seed = scatter.seed**2 / seeds + alone
    true = by_seed + scatter.question**2 / questions
    drawn = true + 2 * alone  # both draws repeat the scatter of single answers, and so does their product
    width = t_quantile(1 - TAIL, _freedom(seeds, drawn, by_seed)) * math.sqrt(drawn)
    return width + NORMAL.inv_cdf(POWER) * math.sqrt(true)


def _drawn_differences(
    first: CrossedMarks, second: CrossedMarks, seeds: int, generator: np.random.Generator, draws: int
) -> Matrix:
    import numpy as np

    questions = first.values.shape[1]
    parts = [part for side in (first, second) for part in side]
    ends = np.cumsum([len(part) for part in parts])[:-1]
    columns = np.ascontiguousarray(np.concatenate(parts).T)
    found = []
    for start in range(0, draws, step := max(1, _AT_ONCE // max(1, questions))):
        count = min(step, draws - start)
        rows = generator.multinomial(seeds - 1, [1 / seeds] * seeds, count) if seeds > 1 else np.ones((count, 1))
        places = generator.integers(0, questions, (count, questions)) + np.arange(count)[:, None] * questions
        asked = np.bincount(places.ravel(), minlength=count * questions).reshape(count, questions).astype(float)
        of_seeds = np.split(asked @ columns, ends, axis=1)
        sums = [(part * (rows if part.shape[1] == seeds else 1.0)).sum(axis=1) for part in of_seeds]
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(sums[0] / sums[1] - sums[2] / sums[3])
    return np.concatenate(found) if found else np.zeros(0)


def _variance_by_seed(first: CrossedMarks, second: CrossedMarks, seeds: int) -> float:
    """Return the variance of the difference that comes from the choice of seeds; 0 for one, which tells nothing."""
    if seeds < 2:
        return 0.0
    parts = [
        (side.values - side.mean() * side.weights).sum(axis=1) / side.weights.sum() * len(side.values)
        for side in (first, second)
    ]
    return float((parts[0] - parts[1]).var(ddof=1)) / seeds


def _freedom(seeds: int, whole: float, by_seed: float) -> float:
    """Return the degrees of freedom of a variance of which a part is estimated from few seeds (Satterthwaite)."""
    if seeds < 2 or by_seed <= 0:
        return _FREE
    return max(seeds - 1.0, min(_FREE, (seeds - 1) * (whole / by_seed) ** 2))
