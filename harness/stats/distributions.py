"""Student's t, the binomial and chi-square distributions, exact to about 1e-10: scipy would cost the core 100 MB."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

NORMAL = NormalDist()
_TINY = 1e-300
_PRECISE = 1e-15
_STEPS = 100


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function, by Lentz's continued fraction."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on this side of the mean alone
        return 1.0 - beta_cdf(1 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    value, c, d = 2.0, 2.0, 1.0  # after the first term
    for step in range(1, 10_001):
        half = step // 2
        if step % 2:
            term = -(a + half) * (a + b + half) * x / ((a + step - 1) * (a + step))
        else:
            term = half * (b - half) * x / ((a + step - 1) * (a + step))
        d = 1 + term * d
        d = 1 / (_TINY if -_TINY <= d <= _TINY else d)
        c = 1 + term / c
        c = _TINY if -_TINY <= c <= _TINY else c
        factor = c * d
        value *= factor
        if -_PRECISE < 1 - factor < _PRECISE:
            break
    return math.exp(log_front) * (value - 1) / a


def t_cdf(x: float, freedom: float) -> float:
    """Return the chance that Student's t is at most x."""
    tail = beta_cdf(freedom / (freedom + x * x), freedom / 2, 0.5) / 2
    return 1 - tail if x > 0 else tail


@lru_cache(maxsize=1024)  # the tables of a run ask for the same ones again and again
def t_quantile(share: float, freedom: float) -> float:
    """Return the value that Student's t stays below with this chance."""
    if share < 0.5:
        return -t_quantile(1 - share, freedom)
    low, high = 0.0, 1.0
    while t_cdf(high, freedom) < share:
        low, high = high, 2 * high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle in {low, high}:  # no number lies between
            break
        if t_cdf(middle, freedom) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def binomial_tail(least: int, n: int, p: float) -> float:
    """Return the chance of at least so many successes among n."""
    if least <= 0:
        return 1.0
    return 0.0 if least > n else beta_cdf(p, least, n - least + 1)


def binomial_chance(k: int, n: int, p: float) -> float:
    """Return the chance of exactly k successes among n."""
    if p <= 0 or p >= 1:
        return float(k == (n if p >= 1 else 0))
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


def chi_square_tail(x: float, freedom: int) -> float:
    """Return the chance that chi-square is at least x, by its finite sums."""
    if x <= 0:
        return 1.0
    half = x / 2
    if freedom % 2 == 0:
        first, rest = math.exp(-half), range(1, freedom // 2)
        terms = [math.exp(k * math.log(half) - half - math.lgamma(k + 1)) for k in rest]
    else:
        first = math.erfc(math.sqrt(half))
        terms = [
            math.exp((k - 0.5) * math.log(half) - half - math.lgamma(k + 0.5)) for k in range(1, (freedom + 1) // 2)
        ]
    return min(1.0, first + math.fsum(terms))
