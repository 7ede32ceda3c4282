"""The claims of our statistics in simulation, in short; tests/bench/bench_claims.py prints the whole table."""

from __future__ import annotations

import pytest
from claims import CLAIMS, Claim


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_the_claim_holds(claim: Claim) -> None:
    found = claim.measured(times=150)
    slack = 3.5 * (0.05 * 0.95 / 150) ** 0.5
    for design, share in found.items():
        assert claim.least - slack <= share <= claim.most + slack, (claim.name, design, share)
