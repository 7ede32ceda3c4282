"""Our distributions beside scipy's, which would cost every user of the core 100 MB."""

from __future__ import annotations

import pytest
from scipy import stats

from dtbench.harness.stats.distributions import (
    beta_cdf,
    binomial_chance,
    binomial_tail,
    chi_square_tail,
    t_cdf,
    t_quantile,
)


@pytest.mark.parametrize("freedom", [1, 2, 3, 5, 9, 39, 500, 20000])
def test_students_t(freedom: int) -> None:
    for share in (0.01, 0.4, 0.5, 0.6, 0.95, 0.975, 0.999):
        assert t_quantile(share, freedom) == pytest.approx(float(stats.t.ppf(share, freedom)), rel=1e-8, abs=1e-9)
    for x in (-40.0, -1.5, 0.0, 0.3, 2.0):
        assert t_cdf(x, freedom) == pytest.approx(float(stats.t.cdf(x, freedom)), rel=1e-8)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (1, 1), (3, 700), (1500, 900), (0.1, 40)])
def test_the_incomplete_beta(a: float, b: float) -> None:
    for x in (0.0, 1e-6, 0.01, 0.3, 0.62, 0.99, 1.0):
        assert beta_cdf(x, a, b) == pytest.approx(float(stats.beta.cdf(x, a, b)), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("n", [0, 1, 7, 500, 5000])
@pytest.mark.parametrize("p", [0.0, 0.01, 0.5, 0.97, 1.0])
def test_the_binomial(n: int, p: float) -> None:
    for k in {0, 1, n // 3, n // 2, n, n + 1}:
        assert binomial_tail(k, n, p) == pytest.approx(float(stats.binom.sf(k - 1, n, p)), rel=1e-8, abs=1e-12)
        if k <= n:
            assert binomial_chance(k, n, p) == pytest.approx(float(stats.binom.pmf(k, n, p)), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("freedom", range(1, 12))
def test_chi_square(freedom: int) -> None:
    for x in (0.0, 0.1, 2.5, 12.0, 60.0):
        assert chi_square_tail(x, freedom) == pytest.approx(float(stats.chi2.sf(x, freedom)), rel=1e-8, abs=1e-14)
